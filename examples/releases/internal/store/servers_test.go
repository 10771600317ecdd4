package store_test

import (
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/dayfly-dev/dayfly/internal/sqltest"
)

func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }

// postgresDatabase is the address of a new database.
func postgresDatabase(t *testing.T) string {
	t.Helper()
	return sqltest.Postgres(t)
}

// mariadbDatabase is the same with MariaDB.
func mariadbDatabase(t *testing.T) string {
	t.Helper()
	c, err := mysql.ParseDSN(sqltest.MariaDB(t))
	if err != nil {
		t.Fatal(err)
	}
	return "mysql://root@localhost/" + c.DBName + "?socket=" + c.Addr
}
