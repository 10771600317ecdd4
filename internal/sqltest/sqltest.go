// Package sqltest gives tests databases of real servers: PostgreSQL and MariaDB,
// each started once for the tests of a package, in a temporary folder, on a
// socket in it. A server that is not installed skips the test, or fails it
// under CI (package need).
package sqltest

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"

	"github.com/dayfly-dev/dayfly/internal/need"
)

var (
	postgres, mariadb server
	databases         atomic.Int32
)

// Main runs the tests of a package and ends the servers they started. It is
// what TestMain passes to os.Exit.
func Main(m *testing.M) (code int) {
	defer mariadb.stop(syscall.SIGTERM)
	defer postgres.stop(syscall.SIGQUIT)
	return m.Run()
}

// Postgres returns the address of a new, empty database, for the driver "pgx".
func Postgres(t testing.TB) string {
	t.Helper()
	initdb, program := need.Tool(t, "initdb"), need.Tool(t, "postgres")
	postgres.once.Do(func() { postgres.err = postgres.startPostgres(initdb, program) })
	if postgres.err != nil {
		t.Fatal(postgres.err)
	}
	name := create(t, "pgx", postgresAddress(postgres.dir, "postgres"))
	return postgresAddress(postgres.dir, name)
}

func postgresAddress(dir, name string) string {
	return "postgres://test@/" + name + "?sslmode=disable&host=" + dir
}

// MariaDB returns the data source name of a new, empty database, for the
// driver "mysql" (github.com/go-sql-driver/mysql).
func MariaDB(t testing.TB) string {
	t.Helper()
	install, program := need.Tool(t, "mariadb-install-db"), need.Tool(t, "mariadbd")
	mariadb.once.Do(func() { mariadb.err = mariadb.startMariaDB(install, program) })
	if mariadb.err != nil {
		t.Fatal(mariadb.err)
	}
	name := create(t, "mysql", mariadbAddress(mariadb.dir, ""))
	return mariadbAddress(mariadb.dir, name)
}

func mariadbAddress(dir, name string) string {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "unix", filepath.Join(dir, "s"), name
	return c.FormatDSN()
}

func create(t testing.TB, driver, address string) (name string) {
	t.Helper()
	d, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	name = fmt.Sprintf("test_%d", databases.Add(1))
	if _, err := d.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return name
}

// server is one that runs until Main ends it.
type server struct {
	once    sync.Once
	err     error
	dir     string
	process *exec.Cmd
	ended   chan struct{} // closed once it has
	exit    error         // then
	again   func() error  // starts it; nil: it cannot be stopped and started
}

func (s *server) startPostgres(initdb, program string) error {
	as, err := s.folder("postgres")
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	c := exec.Command(initdb, "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync")
	as(c)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	s.again = func() error {
		return s.run(as, exec.Command(program, "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=500"),
			"pgx", postgresAddress(s.dir, "postgres"))
	}
	return s.again()
}

func (s *server) startMariaDB(install, program string) error {
	as, err := s.folder("mysql")
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	c := exec.Command(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	as(c)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return s.run(as, exec.Command(program, "--no-defaults", "--datadir="+data, "--socket="+filepath.Join(s.dir, "s"), "--skip-networking",
		"--pid-file="+filepath.Join(s.dir, "pid"), "--innodb-flush-log-at-trx-commit=0", "--max-connections=500"), "mysql", mariadbAddress(s.dir, ""))
}

// folder is short, as the paths of sockets must be, and belongs to the user
// the server runs as: servers refuse to run as root.
func (s *server) folder(name string) (as func(*exec.Cmd), err error) {
	if s.dir, err = os.MkdirTemp("", "sql"); err != nil {
		return nil, err
	}
	if os.Getuid() != 0 {
		return func(*exec.Cmd) {}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("running as root needs the user %s: %w", name, err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2, os.Chown(s.dir, uid, gid)); err != nil {
		return nil, err
	}
	return func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		c.Dir = s.dir
	}, nil
}

// run starts the server and waits, up to five minutes, until it answers.
func (s *server) run(as func(*exec.Cmd), c *exec.Cmd, driver, address string) error {
	as(c)
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return err
	}
	s.process, s.ended = c, make(chan struct{})
	go func() { // ends with the server, which stop ends
		s.exit = c.Wait()
		close(s.ended)
	}()
	d, err := sql.Open(driver, address)
	if err != nil {
		return err
	}
	defer d.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Minute); ; {
		if err = d.Ping(); err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return s.said(errors.Join(errors.New("it ended"), s.exit))
		case <-tick.C:
			if time.Now().After(deadline) {
				return s.said(err)
			}
		}
	}
}

// said is the error with what the server printed.
func (s *server) said(err error) error {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log")) // best effort, beside the error
	return fmt.Errorf("%s: %w\n%s", s.process.Path, err, text)
}

func (s *server) stop(signal syscall.Signal) {
	s.end(signal)
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// end ends the process, and leaves the data.
func (s *server) end(signal syscall.Signal) {
	if s.process != nil {
		_ = s.process.Process.Signal(signal) // it may have ended
		select {
		case <-s.ended:
		case <-time.After(2 * time.Minute):
			_ = s.process.Process.Kill()
			<-s.ended
		}
	}
}
