package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
)

// server keeps the tasks of a library.
type server struct {
	*process.Process
	address string            // as the library takes it
	env     map[string]string // that its clients need
	ends    syscall.Signal
}

// stop is for a nil server too, which a library without one has.
func (s *server) stop() {
	if s != nil {
		s.Stop(s.ends)
	}
}

func (s *server) cpu() time.Duration {
	if s == nil {
		return 0
	}
	return s.CPU()
}

func startDayfly(o *options, dir string) (*server, error) {
	p, env, err := process.StartDayfly(o.dayfly, dir, "[queue.default]\n")
	if err != nil {
		return nil, err
	}
	return &server{p, env["QUEUE_DEFAULT_URL"], env, syscall.SIGTERM}, nil
}

// startRedis runs a server with an append-only file that is synced as its
// appendfsync says: always, everysec or no.
func startRedis(dir, sync string) (*server, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	// No snapshots and no rewriting, which would come to some and not to others.
	p, err := process.Start(filepath.Join(dir, "log"), exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(port),
		"--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", sync, "--auto-aof-rewrite-percentage", "0"))
	if err != nil {
		return nil, err
	}
	return listening(&server{p, fmt.Sprintf("127.0.0.1:%d", port), nil, syscall.SIGTERM}, port)
}

func listening(s *server, port int) (*server, error) {
	err := s.Until(time.Minute, "listening", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// postgresBin is the folder of PostgreSQL's programs, which Debian keeps off PATH.
func postgresBin() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well-formed
	if len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL is not installed: apt-get install postgresql")
	}
	return found[len(found)-1], nil
}

// startPostgres runs a server of a new database, or of the one in dir, emptied.
// Its clients do with synchronous_commit what sync says.
func startPostgres(dir, sync string) (*server, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	as := &syscall.SysProcAttr{}
	if os.Getuid() == 0 { // which PostgreSQL refuses to run as
		if as.Credential, err = credential("postgres"); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(as.Credential.Uid), int(as.Credential.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); os.IsNotExist(err) {
		initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync")
		initdb.Dir, initdb.SysProcAttr = dir, as
		if out, err := initdb.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("initdb: %w\n%s", err, out)
		}
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	run := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", dir,
		// Enough that no checkpoint falls into a measurement.
		"-c", "shared_buffers=512MB", "-c", "max_wal_size=8GB", "-c", "checkpoint_timeout=1h")
	again := *as
	run.Dir, run.SysProcAttr = dir, &again
	p, err := process.Start(filepath.Join(filepath.Dir(dir), filepath.Base(dir)+".log"), run)
	if err != nil {
		return nil, err
	}
	s, err := listening(&server{p, fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable&synchronous_commit=%s&pool_max_conns=20", port, sync),
		nil, syscall.SIGINT}, port)
	if err != nil {
		return nil, err
	}
	err = s.Until(time.Minute, "ready", func() bool { return migrateRiver(context.Background(), s.address) == nil })
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
