package sqlrecords_test

import (
	"context"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/dayfly-dev/dayfly/internal/sqltest"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/drivertest"
	"github.com/dayfly-dev/dayfly/records/open"
)

// store opens the store of an address, and others on the same.
func store(t *testing.T, address string) *drivertest.Store {
	t.Helper()
	another := func() (driver.Store, error) { return open.Driver(context.Background(), address) }
	d, err := another()
	if err != nil {
		t.Fatal(err)
	}
	return &drivertest.Store{Driver: d, Another: another}
}

func TestSQLite(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{New: func(t *testing.T) *drivertest.Store {
		dir := t.TempDir()
		s := store(t, "sqlite:///"+filepath.Join(dir, "records.db"))
		// What a kill leaves is the file and its log. They are copied by another
		// process: closing a file ends all locks of this one on it.
		s.Crash = func() (driver.Store, error) {
			after := t.TempDir()
			for _, name := range []string{"records.db", "records.db-wal"} {
				if out, err := exec.Command("cp", filepath.Join(dir, name), after).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			return open.Driver(context.Background(), "sqlite:///"+filepath.Join(after, "records.db"))
		}
		return s
	}})
}

func TestPostgres(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{New: func(t *testing.T) *drivertest.Store {
		address, folder := postgres(t)
		s := store(t, address)
		wire := drivertest.NewWire(t, "unix", filepath.Join(folder, ".s.PGSQL.5432"))
		direct := s.Driver
		t.Cleanup(func() { direct.Close() })
		s.Driver = proxiedDriver(t, address, "host", filepath.Dir(wire.Addr))
		s.Cut = wire.Cut
		return s
	}})
}

func TestMariaDB(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{New: func(t *testing.T) *drivertest.Store {
		address, socket := mariadb(t)
		s := store(t, address)
		wire := drivertest.NewWire(t, "unix", socket)
		direct := s.Driver
		t.Cleanup(func() { direct.Close() })
		s.Driver = proxiedDriver(t, address, "socket", wire.Addr)
		s.Cut = wire.Cut
		return s
	}})
}

// postgres returns the address of a new database, of a server that does not
// sync, and the folder of its socket.
func postgres(t testing.TB) (address, folder string) {
	t.Helper()
	address = sqltest.Postgres(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return address + "&lossy=1", u.Query().Get("host")
}

// mariadb is the same, with the file of the socket.
func mariadb(t testing.TB) (address, socket string) {
	t.Helper()
	c, err := mysql.ParseDSN(sqltest.MariaDB(t))
	if err != nil {
		t.Fatal(err)
	}
	return "mysql://" + c.User + "@/" + c.DBName + "?lossy=1&socket=" + c.Addr, c.Addr
}

// proxiedDriver opens the address with another socket.
func proxiedDriver(t *testing.T, address, parameter, socket string) driver.Store {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(parameter, socket)
	u.RawQuery = q.Encode()
	d, err := open.Driver(context.Background(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	return d
}
