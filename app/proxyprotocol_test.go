package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestProxiesThatSay: what haproxy, nginx and curl send as PROXY headers is
// understood over http and https, and the access log has the client's address.
func TestProxiesThatSay(t *testing.T) {
	a, secure, plain := startHTTPS(t, "trusted = [\"loopback\"]\nproxy_protocol = true\ntls.local = true")
	dir := t.TempDir()
	local, err := LocalRoot()
	if err != nil {
		t.Fatal(err)
	}
	fronts := map[string]string{} // who sends, to where
	var haproxy, nginx strings.Builder
	fmt.Fprintf(&haproxy, "global\n\tmaxconn 100\ndefaults\n\tmode tcp\n\ttimeout connect 10s\n\ttimeout client 60s\n\ttimeout server 60s\n")
	fmt.Fprintf(&nginx, "%sdaemon off;\nmaster_process off;\npid %s/nginx.pid;\nerror_log stderr;\nevents {}\nstream {\n\tproxy_protocol on;\n", streamModule(t), dir)
	for _, to := range []string{plain.Host, secure.Host} {
		scheme := map[bool]string{true: "http", false: "https"}[to == plain.Host]
		for version, option := range map[string]string{"1": "send-proxy", "2": "send-proxy-v2", "2, all it can": "send-proxy-v2 proxy-v2-options crc32c,unique-id"} {
			name, at := "haproxy, version "+version+", "+scheme, need.Address(t)
			fmt.Fprintf(&haproxy, "listen %s\n\tbind %s\n\tserver s %s %s\n", strings.NewReplacer(" ", "-", ",", "").Replace(name), at, portOn(to), option)
			fronts[name] = scheme + "://" + at
		}
		at := need.Address(t)
		fmt.Fprintf(&nginx, "\tserver { listen %s; proxy_pass %s; }\n", at, portOn(to))
		fronts["nginx, "+scheme] = scheme + "://" + at
	}
	nginx.WriteString("}\n")
	for name, text := range map[string]string{"haproxy.cfg": haproxy.String(), "nginx.conf": nginx.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	startProxy(t, need.Tool(t, "haproxy"), "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
	startProxy(t, need.Tool(t, "nginx"), "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
	for name, url := range fronts {
		address := url[strings.LastIndex(url, "/")+1:]
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			c, err := net.Dial("tcp", address)
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s does not listen", name)
			}
		}
		options := []string{"--cacert", filepath.Join(local, "root.pem"), "--http1.1", "--interface", "127.0.0.7"}
		if strings.HasPrefix(url, "https:") {
			options = append(options, "--connect-to", "localhost::"+address)
			url = "https://localhost"
		}
		path := "/static/" + strings.NewReplacer(" ", "", ",", "").Replace(name)
		want := map[bool]string{true: "404404", false: "301301"}[strings.HasPrefix(url, "https:")]
		if got := curl(t, append(options, "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code}", url+path, url+path)...); got != want {
			t.Errorf("%s: %s", name, got)
		}
		if got := logged(t, a, path); len(got) != 2 || got[0] != "127.0.0.7" || got[1] != "127.0.0.7" {
			t.Errorf("%s: the access log has %q", name, got)
		}
	}
	if got := curl(t, "--haproxy-protocol", "--interface", "127.0.0.9", plain.String()+"/static/curl"); strings.Contains(got, "exit") {
		t.Errorf("curl: %s", got)
	}
	if got := logged(t, a, "/static/curl"); len(got) != 1 || got[0] != "127.0.0.9" {
		t.Errorf("curl: the access log has %q", got)
	}
	if got := curl(t, plain.String()+"/static/a.txt"); !strings.Contains(got, "exit status") {
		t.Errorf("without a header: %s", got)
	}
}

// portOn is an address as a proxy is told it.
func portOn(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return "127.0.0.1:" + port
}

// streamModule is how Debian's nginx is told to have its stream module.
func streamModule(t *testing.T) string {
	t.Helper()
	const path = "/usr/lib/nginx/modules/ngx_stream_module.so"
	if _, err := os.Stat(path); err != nil {
		return "" // built in
	}
	return "load_module " + path + ";\n"
}

func startProxy(t *testing.T, command string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	c := exec.Command(command, args...)
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if t.Failed() {
			t.Logf("%s: %s", command, &said)
		}
	})
}

// logged waits for what the access log has of a target and returns the clients.
func logged(t *testing.T, a *App, target string) (clients []string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && len(clients) == 0; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(a.data.path("logs", "access.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var l map[string]any
			if err := json.Unmarshal([]byte(line), &l); err == nil && strings.Contains(line, target+`"`) {
				clients = append(clients, fmt.Sprint(l["client"]))
			}
		}
	}
	return clients
}
