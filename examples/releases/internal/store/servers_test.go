package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/dayfly-dev/dayfly/internal/need"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// A server runs for all tests of this package, in a temporary folder, and is
// stopped by TestMain. Each test gets a database of its own.
type server struct {
	once    sync.Once
	err     error
	socket  string // folder or file
	process *exec.Cmd
	ended   chan error
	dir     string
}

var (
	postgres, mariadb server
	databases         atomic.Int32
)

func TestMain(m *testing.M) {
	code := m.Run()
	postgres.stop(syscall.SIGQUIT)
	mariadb.stop(syscall.SIGTERM)
	os.Exit(code)
}

// postgresDatabase is a new database of the server that TEST_POSTGRES_URL
// names, else of one started here.
func postgresDatabase(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("releases_%d_%d", os.Getpid(), databases.Add(1))
	base := os.Getenv("TEST_POSTGRES_URL")
	if base == "" {
		initdb, program := need.Tool(t, "initdb"), need.Tool(t, "postgres")
		postgres.once.Do(func() { postgres.err = postgres.startPostgres(initdb, program) })
		if postgres.err != nil {
			t.Fatal(postgres.err)
		}
		base = "postgres://test@/postgres?sslmode=disable&host=" + postgres.socket
	}
	execute(t, "pgx", base, "CREATE DATABASE "+name)
	return strings.Replace(base, "/postgres?", "/"+name+"?", 1)
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
	s.socket = s.dir
	return s.run(as, exec.Command(program, "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off"),
		"pgx", "postgres://test@/postgres?sslmode=disable&host="+s.dir)
}

// mariadbDatabase is the same with MariaDB, always started here.
func mariadbDatabase(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("releases_%d_%d", os.Getpid(), databases.Add(1))
	install, program := need.Tool(t, "mariadb-install-db"), need.Tool(t, "mariadbd")
	mariadb.once.Do(func() { mariadb.err = mariadb.startMariaDB(install, program) })
	if mariadb.err != nil {
		t.Fatal(mariadb.err)
	}
	execute(t, "mysql", mysqlAddress(mariadb.socket), "CREATE DATABASE "+name)
	return "mysql://root@localhost/" + name + "?socket=" + mariadb.socket
}

func (s *server) startMariaDB(install, program string) error {
	as, err := s.folder("mysql")
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	s.socket = filepath.Join(s.dir, "s")
	c := exec.Command(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	as(c)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return s.run(as, exec.Command(program, "--no-defaults", "--datadir="+data, "--socket="+s.socket, "--skip-networking",
		"--pid-file="+filepath.Join(s.dir, "pid"), "--innodb-flush-log-at-trx-commit=0"), "mysql", mysqlAddress(s.socket))
}

func mysqlAddress(socket string) string {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr = "root", "unix", socket
	return c.FormatDSN()
}

func execute(t *testing.T, driver, address, statement string) {
	t.Helper()
	d, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// folder is short, as the paths of sockets must be, and belongs to the user
// the server runs as: servers refuse to run as root.
func (s *server) folder(name string) (as func(*exec.Cmd), err error) {
	if s.dir, err = os.MkdirTemp("", "rel"); err != nil {
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
