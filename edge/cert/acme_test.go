package cert_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/edge/cert"
	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

const host = "www.shop.example"

// patience bounds every wait, on a machine that has else to do.
const patience = 2 * time.Minute

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func run(t *testing.T, env []string, command string, args ...string) {
	t.Helper()
	c := exec.Command(command, args...)
	c.Env = append(os.Environ(), env...)
	if testing.Verbose() {
		c.Stdout, c.Stderr = t.Output(), t.Output()
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
}

// An authority is Pebble, for which all names are this machine's.
type authority struct {
	directory string
	server    *x509.CertPool // whom to trust as its server
	issuer    *x509.CertPool // whom to trust as its certificates' issuer
}

func startAuthority(t *testing.T, plain, secure net.Addr, life time.Duration) authority {
	t.Helper()
	pebble, dns := need.File(t, "pebble"), need.File(t, "pebble-challtestsrv")
	dir := t.TempDir()
	root, err := cert.OpenRoot(filepath.Join(dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := cert.OpenLocal(root).Config().GetCertificate(&tls.ClientHelloInfo{ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	port := func(a net.Addr) int { return a.(*net.TCPAddr).Port }
	api, management, names := need.Address(t), need.Address(t), need.Address(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": api, "managementListenAddress": management, "httpPort": port(plain), "tlsPort": port(secure),
		"certificate": write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})),
		"privateKey":  write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		"retryAfter":  map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "the tests'", "validityPeriod": int(life / time.Second)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	run(t, nil, dns, "-dnsserver", names, "-management", need.Address(t), "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	run(t, []string{"PEBBLE_VA_NOSLEEP=1"}, pebble, "-config", write("pebble.json", config), "-dnsserver", names)
	a := authority{directory: "https://" + api + "/dir", server: x509.NewCertPool(), issuer: x509.NewCertPool()}
	a.server.AddCert(root.Cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.server}, DisableKeepAlives: true}}
	var text []byte
	await(t, "for Pebble", func() bool {
		answer, err := client.Get("https://" + management + "/roots/0")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		text, err = io.ReadAll(answer.Body)
		return err == nil && answer.StatusCode == 200
	})
	if !a.issuer.AppendCertsFromPEM(text) {
		t.Fatalf("Pebble's root: %s", text)
	}
	return a
}

func open(t *testing.T, o cert.ACME) *cert.Authority {
	t.Helper()
	a, err := cert.OpenACME(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// serve serves over TLS what a source has, until the test ends.
func serve(t *testing.T, l net.Listener, config *tls.Config) {
	t.Helper()
	s := &http.Server{TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })}
	ended := make(chan struct{})
	go func() { defer close(ended); s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { s.Close(); <-ended })
}

func serveHTTP(t *testing.T, l net.Listener, h http.Handler) {
	t.Helper()
	s := &http.Server{Handler: h}
	ended := make(chan struct{})
	go func() { defer close(ended); s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-ended })
}

// leaf is the certificate that a client is given, which trusts issuer.
func leaf(t *testing.T, l net.Listener, issuer *x509.CertPool) (*x509.Certificate, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{RootCAs: issuer, ServerName: host, NextProtos: []string{"h2", "http/1.1"}}}
	c, err := d.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	state := c.(*tls.Conn).ConnectionState()
	if state.NegotiatedProtocol != "h2" {
		t.Errorf("agreed on %q", state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0], nil
}

// TestHTTP01 obtains a certificate by a challenge that another machine answers,
// and renews it.
func TestHTTP01(t *testing.T) {
	plain, secure := listen(t), listen(t)
	a := startAuthority(t, plain.Addr(), secure.Addr(), 15*time.Second)
	store := records.New(memrecords.New())
	nowhere := "https://" + need.Address(t) + "/dir"
	other := open(t, cert.ACME{Hosts: []string{"other.example"}, Directory: nowhere, HTTP: plain.Addr(), Records: store})
	serveHTTP(t, plain, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !other.Challenge(w, r) {
			http.NotFound(w, r)
		}
	}))
	first := open(t, cert.ACME{Hosts: []string{host}, Email: "ops@shop.example", Directory: a.directory, Roots: a.server,
		HTTP: plain.Addr(), Records: store, Check: 200 * time.Millisecond})
	serve(t, secure, first.Config())
	await(t, "for a certificate", first.Ready)
	if other.Ready() {
		t.Error("a host has a certificate though its authority is nowhere")
	}
	got, err := leaf(t, secure, a.issuer)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "for the renewal", func() bool {
		now, err := leaf(t, secure, a.issuer)
		return err == nil && now.SerialNumber.Cmp(got.SerialNumber) != 0
	})
}

// TestTLSALPN01 obtains a certificate by the listener of https alone; others on
// the same records have it without asking the authority.
func TestTLSALPN01(t *testing.T) {
	plain, secure, elsewhere := listen(t), listen(t), listen(t)
	a := startAuthority(t, plain.Addr(), secure.Addr(), 90*24*time.Hour)
	store := records.New(memrecords.New())
	first := open(t, cert.ACME{Hosts: []string{host}, Directory: a.directory, Roots: a.server, HTTPS: secure.Addr(), Records: store})
	serve(t, secure, first.Config())
	await(t, "for a certificate", first.Ready)
	got, err := leaf(t, secure, a.issuer)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(got.NotAfter); left < 80*24*time.Hour {
		t.Errorf("good for %s", left)
	}
	// The directory's address is part of the key in the records.
	second := open(t, cert.ACME{Hosts: []string{host}, Directory: a.directory, Roots: x509.NewCertPool(), HTTPS: elsewhere.Addr(), Records: store})
	serve(t, elsewhere, second.Config())
	await(t, "for the certificate of the records", second.Ready)
	same, err := leaf(t, elsewhere, a.issuer)
	if err != nil || same.SerialNumber.Cmp(got.SerialNumber) != 0 {
		t.Errorf("another certificate: %v", err)
	}
}

// TestNoAuthority: where none can be reached there is no certificate, and no
// error but in the log.
func TestNoAuthority(t *testing.T) {
	secure := listen(t)
	a := open(t, cert.ACME{Hosts: []string{host}, Directory: "https://" + need.Address(t) + "/dir", HTTPS: secure.Addr(), Records: records.New(memrecords.New())})
	serve(t, secure, a.Config())
	if _, err := leaf(t, secure, x509.NewCertPool()); err == nil || a.Ready() {
		t.Error("a certificate from nowhere")
	}
	if _, err := cert.OpenACME(cert.ACME{}); err == nil {
		t.Error("no hosts are no error")
	}
}
