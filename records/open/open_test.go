package open_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/open"
)

func TestSQLiteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ключ & key%20?.db")
	address := "sqlite:///" + strings.NewReplacer("%", "%25", "?", "%3F", " ", "%20").Replace(path)
	s, err := open.URL(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), records.Record{Key: "a", Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = open.URL(t.Context(), address+"?table=dayfly_records"); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r, err := s.Get(t.Context(), "a"); err != nil || string(r.Value) != "x" {
		t.Errorf("%q, %v", r.Value, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestManyOpenANewFileAtOnce: SQLite lets one of them turn it to WAL and
// refuses the others without waiting.
func TestManyOpenANewFileAtOnce(t *testing.T) {
	for range 100 {
		address := "sqlite:///" + filepath.Join(t.TempDir(), "new.db")
		var all sync.WaitGroup
		errs := make([]error, 16)
		start := make(chan struct{})
		for i := range errs {
			all.Go(func() {
				<-start
				s, err := open.URL(t.Context(), address)
				if err == nil {
					err = s.Close()
				}
				errs[i] = err
			})
		}
		close(start)
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
}

// TestErrors: each says what to write instead, and none repeats a password.
func TestErrors(t *testing.T) {
	for address, want := range map[string]string{
		"":                                  "the address cannot be read",
		"records.db":                        "the address cannot be read",
		"sqlite:records.db":                 "absolute path",
		"sqlite:///records.db":              "absolute path",
		"sqlite://host/records.db":          "absolute path",
		"sqlite::memory:":                   "absolute path",
		"sqlite:////none/such/x.db":         "no folder /none/such: make it",
		"sqlite:////tmp/x.db?mode=ro":       `parameter "mode"; known are table and lossy`,
		"sqlite:////tmp/x.db?lossy=yes":     `lossy is "yes"`,
		"redis://u:hunter2@host":            `begins with "redis:"`,
		"postgres://u:hunter2@[::1":         "the address cannot be read",
		"postgres://u:hunter2@h/d?port=abc": "does not understand the address",
		"postgres://u:hunter2@127.0.0.1:1/d?sslmode=disable": "refused",
		"mysql://u:hunter2@127.0.0.1:1/d":                    "refused",
		"mysql://u:hunter2@h":                                "names no database",
		"mysql:///d":                                         "takes a host",
		"mysql://u:hunter2@h/d?timeout=1s":                   `parameter "timeout"; known are socket`,
		"mysql://u:hunter2@h/d?tls=hunter2":                  "does not understand the address",
		"s3:///prefix":                                       "names no bucket",
	} {
		s, err := open.URL(t.Context(), address)
		if err == nil {
			s.Close()
			t.Errorf("%q was opened", address)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v; want %q and no password", address, err, want)
		}
		if errors.Is(err, records.ErrNotFound) {
			t.Errorf("%q: %v is an error of a record", address, err)
		}
	}
}

// FuzzURL: no address makes it panic. The context has ended, so nobody is asked.
func FuzzURL(f *testing.F) {
	for _, address := range []string{"mysql://a:b@c/d?tls=true", "postgres://[::1]/x?a=%zz", "s3://b/p?region=x", "sqlite:x", "x:"} {
		f.Add(address)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	f.Fuzz(func(t *testing.T, address string) {
		if s, err := open.URL(over, address); err == nil {
			s.Close()
			t.Errorf("%q was opened though the context had ended", address)
		}
	})
}
