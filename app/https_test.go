package app

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/internal/need"
)

// startHTTPS starts an application of one static file, with these lines of
// [edge], and returns where it is by https and by http.
func startHTTPS(t *testing.T, lines string) (a *App, secure, plain *url.URL) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "static"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "static", "a.txt"), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "name = \"a\"\n[static]\ndir = \"static\"\n[edge]\n" + lines + "\n[listen]\nedge=\"127.0.0.1:0\"\nhttps=\"127.0.0.1:0\"\ndashboard=\"127.0.0.1:0\"\naws=\"127.0.0.1:0\"\ncache=\"127.0.0.1:0\"\nsmtp=\"127.0.0.1:0\"\n"
	m, err := manifest.Parse(filepath.Join(dir, "dayfly.toml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	a, err = Start(t.Context(), Options{Manifest: m, Data: filepath.Join(dir, "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	site := a.Addresses()[0]
	if secure, err = url.Parse(site.URL); err != nil {
		t.Fatal(err)
	}
	if plain, err = url.Parse(strings.TrimPrefix(site.Note, "by http at ")); err != nil {
		t.Fatal(err)
	}
	return a, secure, plain
}

func curl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(need.Tool(t, "curl"), append([]string{"-sS", "--max-time", "60"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return string(out)
}

// TestLocalHTTPS: curl, told of the root, reaches the site by HTTP/2; who asks by
// http is sent there; without being told curl refuses.
func TestLocalHTTPS(t *testing.T) {
	a, secure, plain := startHTTPS(t, "host = \"www.shop.test\"\ntls.local = true\nproxy_protocol = false")
	dir, err := LocalRoot()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root.pem")
	if secure.Scheme != "https" || secure.Hostname() != "www.shop.test" || a.Variables().get("SITE_URL") != secure.String() || a.Variables().get("TRUSTED_PROXIES") != "loopback" {
		t.Errorf("addresses %v, told %s and %s", a.Addresses(), a.Variables().get("SITE_URL"), a.Variables().get("TRUSTED_PROXIES"))
	}
	here := []string{"--resolve", "*:" + secure.Port() + ":127.0.0.1", "--resolve", "*:" + plain.Port() + ":127.0.0.1"}
	shown := []string{"-w", " %{http_version} %{http_code} %{num_redirects} %{url_effective}", "-L"}
	got := curl(t, append(append(here, shown...), "--cacert", root, "http://shop.test:"+plain.Port()+"/static/a.txt")...)
	if want := "a file 2 200 1 https://www.shop.test:" + secure.Port() + "/static/a.txt"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := curl(t, append(here, secure.String()+"/static/a.txt")...); !strings.Contains(got, "SSL certificate problem") {
		t.Errorf("without the root: %s", got)
	}
	if got := curl(t, append(here, "--http1.1", "--cacert", root, "--tls-max", "1.1", secure.String())...); !strings.Contains(got, "protocol") {
		t.Errorf("with TLS 1.1: %s", got)
	}
}

// TestHTTPSOfFiles serves a certificate of the manifest's files, behind a
// balancer that passes bytes on.
func TestHTTPSOfFiles(t *testing.T) {
	dir := t.TempDir()
	openssl := exec.Command(need.Tool(t, "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "100", "-subj", "/CN=www.shop.example",
		"-addext", "subjectAltName=DNS:www.shop.example", "-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "cert.pem"))
	if out, err := openssl.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, secure, plain := startHTTPS(t, fmt.Sprintf("host = \"www.shop.example\"\ntrusted = [\"loopback\"]\nproxy_protocol = true\nhsts = { max_age = \"1h\" }\ntls = { cert = %q, key = %q }",
		filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")))
	here := []string{"--resolve", "*:" + secure.Port() + ":127.0.0.1", "--cacert", filepath.Join(dir, "cert.pem"), "-D", "-"}
	if got := curl(t, append(here, "--haproxy-protocol", secure.String()+"/static/a.txt")...); !strings.Contains(got, "a file") || !strings.Contains(strings.ToLower(got), "strict-transport-security: max-age=3600\r\n") {
		t.Errorf("by https: %s", got)
	}
	if got := curl(t, append(here, secure.String()+"/static/a.txt")...); !strings.Contains(got, "exit status") {
		t.Errorf("without the header: %s", got)
	}
	c, err := net.Dial("tcp", plain.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "PROXY TCP4 192.0.2.7 198.51.100.1 1000 80\r\nGET /static/a.txt HTTP/1.1\r\nHost: shop.example\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != 301 || answer.Header.Get("Location") != secure.String()+"/static/a.txt" || answer.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("by http: %v, %v", answer, err)
	}
}

const ranges = `{"syncToken":"%d","prefixes":[{"ip_prefix":"192.0.2.0/24","service":"CLOUDFRONT_ORIGIN_FACING"}],"ipv6_prefixes":[]}`

// TestAWSRanges: the list is fetched, kept for a start without network, renewed,
// and never replaced by an older or a broken one.
func TestAWSRanges(t *testing.T) {
	answers := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, <-answers) }))
	defer s.Close()
	e, err := edge.New(edge.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var said []string
	list := func() *awsList {
		return &awsList{words: []string{"loopback", "cloudfront"}, edge: e, source: s.URL, copy: filepath.Join(t.TempDir(), "copy"),
			log: func(text string, _ ...any) { said = append(said, text) }}
	}
	trusts := func(l *awsList, address string) bool {
		t.Helper()
		n, err := l.networks()
		if err != nil {
			t.Fatal(err)
		}
		return n.Contains(netip.MustParseAddr(address))
	}
	first := list()
	if err := first.start(); err != nil || trusts(first, "192.0.2.1") || !trusts(first, "127.0.0.1") {
		t.Fatalf("before the list is there: %v", err)
	}
	for _, tt := range []struct {
		answer string
		err    string
		made   int64
	}{
		{"<html>", "not AWS's list", 0}, {fmt.Sprintf(ranges, 2000), "", 2000}, {fmt.Sprintf(ranges, 1000), "older than what there is", 2000},
		{strings.Replace(fmt.Sprintf(ranges, 3000), "192.0.2.0/24", "0.0.0.0/0", 1), "cannot be", 2000}, {fmt.Sprintf(ranges, 4000), "", 4000},
	} {
		answers <- tt.answer
		err := first.renew(t.Context())
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", tt.answer, err)
		}
		if tt.made != 0 && (first.now.Created.Unix() != tt.made || !trusts(first, "192.0.2.1")) {
			t.Errorf("after %s the list of %d is used", tt.answer, first.now.Created.Unix())
		}
	}
	second := list()
	second.copy, second.source = first.copy, "http://127.0.0.1:1/"
	if err := second.start(); err != nil || !trusts(second, "192.0.2.1") {
		t.Errorf("a start without network: %v", err)
	}
	if err := second.renew(t.Context()); err == nil {
		t.Error("no network is no error")
	}
	unknown := list()
	unknown.words, unknown.copy = []string{"aws:nothing"}, first.copy
	if err := unknown.start(); err == nil || !strings.Contains(err.Error(), "no service \"NOTHING\"; it has cloudfront_origin_facing") {
		t.Errorf("a service that is not in it: %v", err)
	}
	if err := os.WriteFile(first.copy, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := list()
	broken.copy = first.copy
	if err := broken.start(); err != nil || trusts(broken, "192.0.2.1") || len(said) != 1 {
		t.Errorf("a broken copy: %v, said %q", err, said)
	}
	file := list()
	file.source = first.copy
	if err := file.start(); err == nil {
		t.Error("a broken file of the manifest is no error")
	}
}
