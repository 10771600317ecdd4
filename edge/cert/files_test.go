package cert_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/edge/cert"
)

// pair makes a certificate and its key in PEM, by a root of the test.
func pair(t *testing.T, name string) (certText, keyText []byte) {
	t.Helper()
	root, err := cert.OpenRoot(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.OpenLocal(root).Config().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}

// TestFilesAreReplaced replaces a certificate under a connection, first by
// halves.
func TestFilesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "site.pem"), filepath.Join(dir, "site.key")
	write := func(path string, text []byte) { // at once: half a file would be another error in the log
		t.Helper()
		if err := errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	oldCert, oldKey := pair(t, "old.test")
	newCert, newKey := pair(t, "new.test")
	write(certFile, oldCert)
	write(keyFile, oldKey)
	var log lines
	source, err := cert.OpenFiles(cert.Files{Cert: certFile, Key: keyFile, Every: time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	l := listen(t)
	serve(t, l, source.Config())
	served := func() string {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	open, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	write(certFile, newCert)
	await(t, "for the log to tell of a half", func() bool { return log.count("level=ERROR") == 1 })
	if got := served(); got != "old.test" {
		t.Errorf("in between %s is served", got)
	}
	write(keyFile, newKey)
	await(t, "for the new certificate", func() bool { return served() == "new.test" })
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	await(t, "for the log to tell of a file that is gone", func() bool { return log.count("level=ERROR") == 2 })
	if got := served(); got != "new.test" {
		t.Errorf("then %s is served", got)
	}
	if _, err := open.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 15)
	if _, err := open.Read(answer); err != nil || string(answer) != "HTTP/1.1 200 OK" {
		t.Errorf("the connection of before: %q, %v", answer, err)
	}
}

func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	good, key := pair(t, "a.test")
	_, another := pair(t, "b.test")
	for name, files := range map[string][2][]byte{
		"no certificate":    {nil, key},
		"not PEM":           {[]byte("hello"), key},
		"another's key":     {good, another},
		"larger than 1 MiB": {bytes.Repeat([]byte("\n"), 1<<20+1), key},
	} {
		certFile, keyFile := filepath.Join(dir, "c"), filepath.Join(dir, "k")
		if err := os.WriteFile(certFile, files[0], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(keyFile, files[1], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := cert.OpenFiles(cert.Files{Cert: certFile, Key: keyFile}); err == nil || !strings.Contains(err.Error(), certFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := cert.OpenFiles(cert.Files{Cert: filepath.Join(dir, "nowhere"), Key: "k"}); err == nil {
		t.Error("files that are not there are no error")
	}
}

func TestLocal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	root, err := cert.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700 | os.ModeDir, "root-key.pem": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%q: %v, %v", name, info.Mode(), err)
		}
	}
	again, err := cert.OpenRoot(dir)
	if err != nil || again.Fingerprint() != root.Fingerprint() {
		t.Fatalf("another root at the second start: %v", err)
	}
	source, trust := cert.OpenLocal(again), x509.NewCertPool()
	trust.AddCert(root.Cert)
	l := listen(t)
	serve(t, l, source.Config())
	for name, good := range map[string]bool{"localhost": true, "a.b.localhost": true, "SHOP.test": true, "127.0.0.1": true, "www.example.com": false, "localhost.example": false, "10.0.0.1": false} {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: trust, ServerName: name})
		if (err == nil) != good || cert.LocalName(name) != good {
			t.Errorf("%s: %v", name, err)
		}
		if c != nil {
			c.Close()
		}
	}
}

// TestRootIsConstrained: not even who has the root's key can be another site.
func TestRootIsConstrained(t *testing.T) {
	root, err := cert.OpenRoot(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	trust := x509.NewCertPool()
	trust.AddCert(root.Cert)
	for name, good := range map[string]bool{"shop.localhost": true, "bank.example": false, "10.0.0.1": false, "127.1.2.3": true} {
		leaf, err := cert.Sign(root, name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = leaf.Verify(x509.VerifyOptions{Roots: trust, DNSName: name})
		if (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
		if ip := net.ParseIP(name); ip == nil && !good && !strings.Contains(err.Error(), "not permitted by any constraint") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedRoot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	if _, err := cert.OpenRoot(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "root-key.pem")); err != nil {
		t.Fatal(err)
	}
	if _, err := cert.OpenRoot(dir); err == nil || !strings.Contains(err.Error(), "delete "+dir) {
		t.Errorf("half a root: %v", err)
	}
	_, key := pair(t, "a.test")
	if err := os.WriteFile(filepath.Join(dir, "root-key.pem"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cert.OpenRoot(dir); err == nil || !strings.Contains(err.Error(), "the key is another's") {
		t.Errorf("another's key: %v", err)
	}
}
