package sqlrecords_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/records/sqlrecords"
)

// TestReadOnlyIsRefused: a database that can be read and not written, which has
// its table already, is found out at the start.
func TestReadOnlyIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		dialect  sqlrecords.Dialect
		readOnly func(t *testing.T, dsn string) string // makes it so and returns the address
		want     string
	}{
		"SQLite": {sqlrecords.SQLite, func(_ *testing.T, dsn string) string {
			return "file:" + dsn + "?mode=ro&_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=synchronous(FULL)"
		}, "readonly database (8); records have to be written: give this process's user the right to write the file"},
		"Postgres": {sqlrecords.PostgreSQL, func(_ *testing.T, dsn string) string {
			return dsn + "&default_transaction_read_only=on"
		}, "try to insert into the table dayfly_records: ERROR: cannot execute INSERT in a read-only transaction (SQLSTATE 25006); records have to be written: name the server"},
		"MariaDB": {sqlrecords.MySQL, readerOfMariaDB, "and a user with SELECT, INSERT, UPDATE and DELETE"},
	} {
		t.Run(name, func(t *testing.T) {
			address, driver, dsn := databases[name](t)
			s, err := open.Driver(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open(driver, c.readOnly(t, dsn))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			_, err = sqlrecords.New(t.Context(), db, c.dialect, &sqlrecords.Options{Lossy: true})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("a database that is read-only: %v", err)
			}
		})
	}
}

// readerOfMariaDB is the address of a user that may only read.
func readerOfMariaDB(t *testing.T, dsn string) string {
	t.Helper()
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{"CREATE OR REPLACE USER reader@localhost", "GRANT SELECT ON " + c.DBName + ".* TO reader@localhost"} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	c.User = "reader"
	return c.FormatDSN()
}

// TestProofLeavesNothing: no record of it, and a second store on the same
// database at the same time is none the worse.
func TestProofLeavesNothing(t *testing.T) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			address, driver, dsn := database(t)
			for range 2 {
				s, err := open.Driver(t.Context(), address)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
			}
			db, err := sql.Open(driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var rows int
			if err := db.QueryRow("SELECT COUNT(*) FROM dayfly_records").Scan(&rows); err != nil || rows != 0 {
				t.Errorf("%d rows, %v", rows, err)
			}
		})
	}
}
