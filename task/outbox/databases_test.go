package outbox_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/dayfly-dev/dayfly/internal/sqltest"
	"github.com/dayfly-dev/dayfly/task/outbox"
)

func TestMain(m *testing.M) {
	if os.Getenv(relayProcess) != "" {
		runRelayProcess()
		return
	}
	os.Exit(sqltest.Main(m))
}

// database is one that a test may open again, also from another process.
type database struct {
	dialect         outbox.Dialect
	driver, address string
}

// databases are the three kinds, each real.
var databases = []struct {
	name string
	make func(testing.TB) database
}{
	{"sqlite", sqlite},
	{"postgres", func(t testing.TB) database { return database{outbox.PostgreSQL, "pgx", sqltest.Postgres(t)} }},
	{"mariadb", func(t testing.TB) database { return database{outbox.MySQL, "mysql", sqltest.MariaDB(t)} }},
}

// sqlite is a file as applications configure one: processes wait for each
// other.
func sqlite(t testing.TB) database {
	path := filepath.Join(t.TempDir(), "app.db")
	return database{outbox.SQLite, "sqlite", "file:" + path + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_txlock=immediate"}
}

func (d database) open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, d.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// onEach runs a test on each kind of database.
func onEach(t *testing.T, test func(t *testing.T, d database)) {
	for _, kind := range databases {
		t.Run(kind.name, func(t *testing.T) { test(t, kind.make(t)) })
	}
}
