package sqlrecords_test

import (
	"context"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/databasetest"
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
		address, folder := databasetest.Postgres(t)
		s := store(t, address+"&lossy=1")
		through, proxied := newProxy(t, filepath.Join(folder, ".s.PGSQL.5432"), ".s.PGSQL.5432")
		direct := s.Driver
		t.Cleanup(func() { direct.Close() })
		s.Driver = proxiedDriver(t, address+"&lossy=1", "host", proxied)
		s.Cut = through.Cut
		return s
	}})
}

func TestMariaDB(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{New: func(t *testing.T) *drivertest.Store {
		address, socket := databasetest.MariaDB(t)
		s := store(t, address)
		through, proxied := newProxy(t, socket, "s")
		direct := s.Driver
		t.Cleanup(func() { direct.Close() })
		s.Driver = proxiedDriver(t, address, "socket", filepath.Join(proxied, "s"))
		s.Cut = through.Cut
		return s
	}})
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
