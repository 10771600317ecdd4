//go:build unix

package nonblock

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair is two ends of a connection that holds less than a megabyte.
func pair(t *testing.T) (a, b *net.TCPConn, raw syscall.RawConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	a, b = nc.(*net.TCPConn), other.(*net.TCPConn)
	t.Cleanup(func() { a.Close(); b.Close() })
	for _, c := range []*net.TCPConn{a, b} {
		c.SetDeadline(time.Now().Add(time.Minute))
	}
	a.SetWriteBuffer(64 << 10)
	b.SetReadBuffer(64 << 10)
	if raw, err = a.SyscallConn(); err != nil {
		t.Fatal(err)
	}
	return a, b, raw
}

func TestWrite(t *testing.T) {
	t.Run("Vector", func(t *testing.T) {
		testWrite(t, func(first, second []byte) writer { return &Vector{First: first, Second: second} })
	})
	t.Run("Sending", func(t *testing.T) {
		if _, err := NewFile(nil); errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system has no such files")
		}
		testWrite(t, func(first, second []byte) writer {
			f, err := NewFile(second)
			if err != nil || f.Size() != int64(len(second)) {
				t.Fatal(f, err)
			}
			return &Sending{Before: first, File: f}
		})
	})
}

type writer interface {
	Write(fd uintptr) (all bool, err error)
}

// testWrite writes two pieces to a client that reads when there is no room.
func testWrite(t *testing.T, write func(first, second []byte) writer) {
	for _, sizes := range [][2]int{{0, 0}, {0, 1}, {200, 1 << 10}, {300, 2 << 20}, {1 << 20, 1 << 20}} {
		a, b, raw := pair(t)
		seed := rand.NewChaCha8([32]byte{1})
		first, second := make([]byte, sizes[0]), make([]byte, sizes[1])
		seed.Read(first)
		seed.Read(second)
		got := make(chan []byte)
		read := sync.OnceFunc(func() {
			go func() {
				all, _ := io.ReadAll(b)
				got <- all
			}()
		})
		v := write(first, second)
		waits := 0
		var failed error
		err := raw.Write(func(fd uintptr) (all bool) {
			if all, failed = v.Write(fd); !all {
				waits++
				read()
			}
			return all
		})
		a.Close()
		read()
		if all := <-got; !bytes.Equal(all, append(first, second...)) || err != nil || failed != nil {
			t.Errorf("%v: %d bytes arrived, not all as they were sent: %v, %v", sizes, len(all), err, failed)
		}
		if sizes[1] > 1<<20 && waits == 0 {
			t.Errorf("%v went at once: that a part is sent again is not tested", sizes)
		}
	}
}

func TestRead(t *testing.T) {
	_, b, raw := pair(t)
	var p [16]byte
	look := func() (n int, ok, silent bool, err error) {
		raw.Control(func(fd uintptr) {
			silent = Silent(fd)
			n, ok, err = Read(fd, p[:])
		})
		return n, ok, silent, err
	}
	await := func() { raw.Read(func(fd uintptr) bool { return !Silent(fd) }) }
	if n, ok, silent, err := look(); n != 0 || ok || !silent || err != nil {
		t.Errorf("with nothing there: %d, %v, %v, silent: %v", n, ok, err, silent)
	}
	io.WriteString(b, "some")
	await()
	if n, ok, silent, err := look(); string(p[:n]) != "some" || !ok || silent || err != nil {
		t.Errorf("%q, %v, %v, silent: %v", p[:n], ok, err, silent)
	}
	b.Close()
	await()
	if n, ok, silent, err := look(); n != 0 || !ok || silent || err != io.EOF { //nolint:errorlint // it is that
		t.Errorf("at the end: %d, %v, %v, silent: %v", n, ok, err, silent)
	}
}

func TestWriteToWhoLeft(t *testing.T) {
	a, b, raw := pair(t)
	b.SetLinger(0)
	b.Close()
	raw.Read(func(fd uintptr) bool { return !Silent(fd) })
	for name, write := range map[string]func(fd uintptr) error{
		"Write":  func(fd uintptr) error { _, err := Write(fd, []byte("x")); return err },
		"Vector": func(fd uintptr) error { v := Vector{First: []byte("x")}; _, err := v.Write(fd); return err },
	} {
		var err error
		raw.Control(func(fd uintptr) {
			for range 2 { // the first may be told of the reset
				err = errors.Join(err, write(fd))
			}
		})
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v", name, err)
		}
		text := OpError("write", a, os.NewSyscallError("write", syscall.EPIPE)).Error()
		if want := "write tcp " + a.LocalAddr().String(); !strings.HasPrefix(text, want) {
			t.Errorf("%q does not begin with %q", text, want)
		}
	}
}
