package sqlrecords_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/records/sqlrecords"
)

// databases gives each test an empty database: the address for package open,
// and the driver and address for database/sql.
var databases = map[string]func(t *testing.T) (address, driver, dsn string){
	"SQLite": func(t *testing.T) (string, string, string) {
		path := filepath.Join(t.TempDir(), "records.db")
		return "sqlite:///" + path, "sqlite", path
	},
	"Postgres": func(t *testing.T) (string, string, string) {
		address, _ := postgres(t)
		return address, "pgx", strings.Replace(address, "&lossy=1", "", 1)
	},
	"MariaDB": func(t *testing.T) (string, string, string) {
		address, socket := mariadb(t)
		name, _, _ := strings.Cut(strings.TrimPrefix(address, "mysql://root@/"), "?")
		return address, "mysql", "root@unix(" + socket + ")/" + name
	},
}

// TestStartedAtOnce: many open a database that has no table yet.
func TestStartedAtOnce(t *testing.T) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			address, _, _ := database(t)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					s, err := open.Driver(t.Context(), address)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := s.Sweep(t.Context(), 1); err != nil {
						t.Error(err)
					}
					s.Close()
				})
			}
			all.Wait()
		})
	}
}

// TestSchemaVersion: the table says its version, and a higher one is refused.
func TestSchemaVersion(t *testing.T) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			address, driver, dsn := database(t)
			first, err := open.Driver(t.Context(), address+map[bool]string{true: "&", false: "?"}[strings.Contains(address, "?")]+"table=mine")
			if err != nil {
				t.Fatal(err)
			}
			defer first.Close()
			db, err := sql.Open(driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var version, rows int
			if err := db.QueryRow("SELECT version FROM dayfly_schema WHERE name = 'mine'").Scan(&version); err != nil || version != 1 {
				t.Errorf("version %d, %v", version, err)
			}
			if err := db.QueryRow("SELECT COUNT(*) FROM mine").Scan(&rows); err != nil || rows != 0 {
				t.Errorf("%d rows, %v", rows, err)
			}
			if _, err := db.Exec("UPDATE dayfly_schema SET version = 2"); err != nil {
				t.Fatal(err)
			}
			o := &sqlrecords.Options{Table: "mine", Lossy: true}
			dialect := map[string]sqlrecords.Dialect{"sqlite": sqlrecords.SQLite, "pgx": sqlrecords.PostgreSQL, "mysql": sqlrecords.MySQL}[driver]
			_, err = sqlrecords.New(t.Context(), db, dialect, o)
			if err == nil || !strings.Contains(err.Error(), "the table mine is of version 2, and this program knows up to 1: use a newer one") {
				t.Errorf("a table of version 2: %v", err)
			}
			o.Table = "Mine; DROP"
			if _, err = sqlrecords.New(t.Context(), db, dialect, o); err == nil || !strings.Contains(err.Error(), "is not a letter and up to 47") {
				t.Errorf("a bad name: %v", err)
			}
		})
	}
}

// TestLossyIsRefused: a database that may lose a commit says what to set.
func TestLossyIsRefused(t *testing.T) {
	_, _, unsynced := databases["Postgres"](t) // both servers run without syncs
	_, _, unflushed := databases["MariaDB"](t)
	for want, c := range map[string]struct {
		dialect     sqlrecords.Dialect
		driver, dsn string
	}{
		"fsync is off":                        {sqlrecords.PostgreSQL, "pgx", unsynced},
		"PRAGMA synchronous is 1":             {sqlrecords.SQLite, "sqlite", "file:" + filepath.Join(t.TempDir(), "x.db") + "?_pragma=synchronous(NORMAL)"},
		"the connection has autocommit":       {sqlrecords.MySQL, "mysql", unflushed + "?autocommit=0"},
		"innodb_flush_log_at_trx_commit is 0": {sqlrecords.MySQL, "mysql", unflushed},
		"none of sqlite, postgres":            {"oracle", "sqlite", filepath.Join(t.TempDir(), "y.db")},
	} {
		db, err := sql.Open(c.driver, c.dsn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sqlrecords.New(t.Context(), db, c.dialect, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		db.Close()
	}
}
