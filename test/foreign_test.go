package test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// Servers of others, each started on a free loopback port for one test.

// moto returns the address of moto's SQS, S3 and SES.
func moto(t *testing.T) string {
	t.Helper()
	python := need.Python(t, "moto.server")
	address := need.Address(t)
	_, port, _ := net.SplitHostPort(address)
	server(t, address, exec.Command(python, "-m", "moto.server", "-H", "127.0.0.1", "-p", port))
	return "http://" + address
}

func memcached(t *testing.T) string {
	t.Helper()
	address := need.Address(t)
	_, port, _ := net.SplitHostPort(address)
	server(t, address, exec.Command(need.Tool(t, "memcached"), "-l", "127.0.0.1", "-p", port, "-u", "nobody", "-U", "0"))
	return "memcached://" + address
}

// postgres returns the address of an empty database of a server of its own.
func postgres(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dayfly-pg-") // the server's user must reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{}
	if os.Getuid() == 0 { // which PostgreSQL refuses to run as
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	bin := pgBin(t)
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	address := need.Address(t)
	_, port, _ := net.SplitHostPort(address)
	run := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", dir, "-c", "fsync=off")
	copied := *attr
	run.Dir, run.SysProcAttr = dir, &copied
	server(t, address, run)
	return fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", address)
}

// pgBin is the folder of PostgreSQL's programs, which Debian keeps off PATH.
func pgBin(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	return filepath.Dir(need.Tool(t, "initdb"))
}
