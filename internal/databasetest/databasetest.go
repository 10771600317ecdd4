// Package databasetest starts PostgreSQL and MariaDB for tests: one of each for
// all tests of a package, without a port, in a temporary folder, with a new
// database for each test. A package that uses it calls Main from TestMain.
package databasetest

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

// server runs until Main stops it.
type server struct {
	once    sync.Once
	err     error
	process *exec.Cmd
	ended   chan error
	dir     string
}

var (
	postgres, mariadb server
	databases         atomic.Int32
	main              atomic.Bool
)

// Main runs the tests and stops what they started.
func Main(m *testing.M) {
	main.Store(true)
	code := m.Run()
	postgres.stop(syscall.SIGQUIT)
	mariadb.stop(syscall.SIGTERM)
	os.Exit(code)
}

// Postgres returns the address of a new database and the folder of the
// server's socket, which is the address's host. The server does not sync (fsync
// is off).
func Postgres(t testing.TB) (url, socketFolder string) {
	t.Helper()
	initdb, program := need.Tool(t, "initdb"), need.Tool(t, "postgres")
	postgres.start(t, func() error { return postgres.startPostgres(initdb, program) })
	name := newName()
	execute(t, "pgx", postgresURL("postgres", postgres.dir), "CREATE DATABASE "+name)
	return postgresURL(name, postgres.dir), postgres.dir
}

// MariaDB is the same; it returns the file of the socket. The server syncs at
// each commit.
func MariaDB(t testing.TB) (url, socket string) {
	t.Helper()
	install, program := need.Tool(t, "mariadb-install-db"), need.Tool(t, "mariadbd")
	mariadb.start(t, func() error { return mariadb.startMariaDB(install, program) })
	name, socket := newName(), filepath.Join(mariadb.dir, "s")
	execute(t, "mysql", mysqlAddress(socket), "CREATE DATABASE "+name)
	return "mysql://root@/" + name + "?socket=" + socket, socket
}

func newName() string { return fmt.Sprintf("test_%d_%d", os.Getpid(), databases.Add(1)) }

func postgresURL(database, socketFolder string) string {
	return "postgres://test@/" + database + "?sslmode=disable&host=" + socketFolder
}

func (s *server) start(t testing.TB, start func() error) {
	t.Helper()
	if !main.Load() {
		t.Fatal("databasetest: call databasetest.Main from TestMain, or the server outlives the tests")
	}
	s.once.Do(func() { s.err = start() })
	if s.err != nil {
		t.Fatal(s.err)
	}
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
	c = exec.Command(program, "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=300")
	return s.run(as, c, "pgx", postgresURL("postgres", s.dir))
}

func (s *server) startMariaDB(install, program string) error {
	as, err := s.folder("mysql")
	if err != nil {
		return err
	}
	data, socket := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "s")
	c := exec.Command(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	as(c)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	c = exec.Command(program, "--no-defaults", "--datadir="+data, "--socket="+socket, "--skip-networking",
		"--pid-file="+filepath.Join(s.dir, "pid"), "--max-connections=300")
	return s.run(as, c, "mysql", mysqlAddress(socket))
}

func mysqlAddress(socket string) string {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr = "root", "unix", socket
	return c.FormatDSN()
}

func execute(t testing.TB, driver, address, statement string) {
	t.Helper()
	d, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// folder is short, as the paths of sockets must be, and belongs to the user
// the server runs as: servers refuse to run as root.
func (s *server) folder(name string) (as func(*exec.Cmd), err error) {
	if s.dir, err = os.MkdirTemp("", "dft"); err != nil {
		return nil, err
	}
	if os.Getuid() != 0 {
		return func(*exec.Cmd) {}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("running as root needs the user %s: %w", name, err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(s.dir, int(uid), int(gid))); err != nil {
		return nil, err
	}
	return func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		c.Dir = s.dir
	}, nil
}

// run starts the server and waits until it answers.
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
	s.process, s.ended = c, make(chan error, 1)
	go func() { s.ended <- c.Wait() }()
	d, err := sql.Open(driver, address)
	if err != nil {
		return err
	}
	defer d.Close()
	said := func(err error) error {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w\n%s", c.Path, err, text)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; ; tries++ {
		if err = d.Ping(); err == nil {
			return nil
		}
		select {
		case e := <-s.ended:
			s.ended <- e
			return said(errors.Join(errors.New("it ended"), e))
		case <-tick.C:
			if tries > 1200 {
				return said(err)
			}
		}
	}
}

func (s *server) stop(signal syscall.Signal) {
	if s.process != nil {
		s.process.Process.Signal(signal)
		select {
		case <-s.ended:
		case <-time.After(20 * time.Second):
			s.process.Process.Kill()
			<-s.ended
		}
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}
