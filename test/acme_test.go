package test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/edge/cert"
	"github.com/dayfly-dev/dayfly/internal/need"
)

// acmeHosts are the site's name and that which leads to it.
var acmeHosts = []string{"www.shop.example", "shop.example"}

// An acmeSite is an application that has its certificates from an authority. It
// has files only: what it answers needs no process of its own.
type acmeSite struct {
	dir, plain, secure string
}

func newACMESite(t *testing.T, directory, roots, plain, secure string) acmeSite {
	t.Helper()
	return acmeSite{plain: plain, secure: secure, dir: lay(t, map[string]string{
		"static/a.txt": "a file",
		"dayfly.toml": fmt.Sprintf("name = \"shop\"\n[static]\ndir = \"static\"\n[edge]\nhost = %q\n[edge.tls]\nacme = %q\nroots = %q\nagree = true\n%sedge = %q\nhttps = %q\n",
			acmeHosts[0], directory, roots, strings.Replace(anyPorts, "edge = \"127.0.0.1:0\"\n", "", 1), plain, secure),
	})}
}

// secureGet asks for the file over https and returns the serial number of the
// certificate that came; err, if issuer did not sign it.
func (s acmeSite) secureGet(host string, issuer *x509.CertPool) (serial string, err error) {
	dial := func(network, _ string) (net.Conn, error) {
		return net.DialTimeout(network, s.secure, patience)
	}
	client := http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Dial: dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: issuer}}} //nolint:staticcheck // one address, no context
	answer, err := client.Get("https://" + host + "/static/a.txt")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return "", err
	case host == acmeHosts[0] && (answer.StatusCode != http.StatusOK || string(body) != "a file"),
		host != acmeHosts[0] && answer.StatusCode != http.StatusMovedPermanently:
		return "", fmt.Errorf("%s: %d %q", host, answer.StatusCode, body)
	}
	return answer.TLS.PeerCertificates[0].SerialNumber.String(), nil
}

// An acmeAuthority is Pebble, for which all names lead to this machine.
type acmeAuthority struct {
	directory string
	roots     string         // PEM file of whom to trust as its server
	issuer    *x509.CertPool // whom to trust as its certificates' issuer
	log       *syncBuffer
}

// orders is how many certificates were ever ordered of it.
func (a acmeAuthority) orders() int { return strings.Count(a.log.String(), "Added order ") }

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// startACME starts an authority that looks for challenges at two addresses.
func startACME(t *testing.T, plain, secure string) acmeAuthority {
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
	api, management, names := need.Address(t), need.Address(t), need.Address(t)
	a := acmeAuthority{directory: "https://" + api + "/dir", roots: root.Path, issuer: x509.NewCertPool()}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": api, "managementListenAddress": management, "httpPort": portOf(t, plain), "tlsPort": portOf(t, secure),
		"certificate": filepath.Join(dir, "cert.pem"), "privateKey": filepath.Join(dir, "key.pem"),
		"retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "the tests'", "validityPeriod": 90 * 24 * 3600}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"pebble.json": config,
		"cert.pem":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]}),
		"key.pem":     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server(t, names, exec.Command(dns, "-dnsserver", names, "-management", need.Address(t), "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""))
	c := exec.Command(pebble, "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", names)
	c.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	a.log = server(t, management, c)
	a.trust(t, root, management)
	return a
}

// trust reads whom to trust as the issuer.
func (a acmeAuthority) trust(t *testing.T, root *cert.Root, management string) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(root.Cert)
	client := http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	answer, err := client.Get("https://" + management + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || !a.issuer.AppendCertsFromPEM(text) {
		t.Fatalf("Pebble's root: %s, %v", text, err)
	}
}

// TestACME: `dayfly up` obtains a certificate for the host and its apex, serves
// them, and keeps them over a restart without asking for others.
func TestACME(t *testing.T) {
	plain, secure := need.Address(t), need.Address(t)
	authority := startACME(t, plain, secure)
	site, data := newACMESite(t, authority.directory, authority.roots, plain, secure), t.TempDir()
	h := up(t, site.dir, data)
	serials := map[string]string{}
	for _, host := range acmeHosts {
		var err error
		eventually(t, "the certificate of "+host, func() bool {
			serials[host], err = site.secureGet(host, authority.issuer)
			return err == nil
		})
	}
	if n := authority.orders(); n != len(acmeHosts) {
		t.Fatalf("%d orders for %d hosts:\n%s", n, len(acmeHosts), authority.log.tail(10_000))
	}
	h.down()
	up(t, site.dir, data)
	for _, host := range acmeHosts {
		eventually(t, host+" after the restart", func() bool {
			serial, err := site.secureGet(host, authority.issuer)
			if err == nil && serial != serials[host] {
				t.Fatalf("%s has certificate %s after the restart, and had %s", host, serial, serials[host])
			}
			return err == nil
		})
	}
	if n := authority.orders(); n != len(acmeHosts) {
		t.Errorf("%d orders after the restart", n)
	}
}

// TestACMEAway: where the authority cannot be reached the site is up and served
// by http, and the log says why there is no certificate and when it is tried again.
func TestACMEAway(t *testing.T) {
	root, err := cert.OpenRoot(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	away := need.Address(t)
	site := newACMESite(t, "https://"+away+"/dir", root.Path, need.Address(t), need.Address(t))
	h := up(t, site.dir, t.TempDir())
	if _, status := fetch(t, "http://"+site.plain+"/"); status != http.StatusNotFound {
		t.Errorf("what is no file of a site of files: %d", status)
	}
	if body := get(t, "http://"+site.plain+"/static/a.txt"); body != "a file" {
		t.Errorf("served %q", body)
	}
	eventually(t, "the reason and the next time in the log", func() bool {
		said := h.out.String()
		return strings.Contains(said, "no certificate could be obtained") && strings.Contains(said, away) &&
			strings.Contains(said, "connection refused") && strings.Contains(said, "retrying_in=1m0s")
	})
	if _, err := site.secureGet(acmeHosts[0], x509.NewCertPool()); err == nil {
		t.Error("a certificate from nowhere")
	}
}
