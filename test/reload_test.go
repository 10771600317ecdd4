package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A reloadable is a manifest of which some values change while it is followed.
type reloadable struct {
	app, record string
	few         int    // an hour, of [edge.limit.few]
	origin      string // the site of [edge.cors."/"]
	static      string // folder of [static]
	page        string // file of [edge.page] maintenance
	compress    bool
}

func (m reloadable) text() string {
	return fmt.Sprintf(`name = "reload"
[process.web]
command = "%s web"
http = true
health = "/healthz"
instances = { min = 3 }
env = { RECORD_FILE = "%s" }
[static]
dir = "%s"
[edge.limit.few]
path = "/few"
by = "route"
rate = "%d/h"
[edge.cors."/open"]
origins = ["%s"]
[edge.page]
maintenance = "%s"
[edge.compress]
enabled = %t
min_size = "1B"
`, m.app, m.record, m.static, m.few, m.origin, m.page, m.compress) + anyPorts
}

// differs compares what a site does with what a manifest says, as its visitors
// see it: "" if nothing differs.
func (m reloadable) differs(t *testing.T, site string) string {
	t.Helper()
	few, _ := from(t, "127.0.0.1", site+"/few")
	open, _ := from(t, "127.0.0.1", site+"/open", "Origin", m.origin, "Accept-Encoding", "gzip")
	_, file := from(t, "127.0.0.1", site+"/static/which.txt")
	_, page := from(t, "127.0.0.2", site+"/page", "Accept", "text/html") // not let in
	encoding := ""
	if m.compress {
		encoding = "gzip"
	}
	return cmp.Diff([]any{fmt.Sprintf(`"few";q=%d;w=3600`, m.few), http.StatusTooManyRequests, m.origin, encoding, m.static, m.page},
		[]any{few.Header.Get("RateLimit-Policy"), few.StatusCode, open.Header.Get("Access-Control-Allow-Origin"), open.Header.Get("Content-Encoding"), file, page})
}

// TestReloadUnderLoad changes the manifest 20 times while visitors come, and
// has it read again by the command and by SIGHUP: each change has effect, no
// request fails, and no connection ends. A manifest that is wrong changes
// nothing.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	m := reloadable{app: build(t, "./test/app"), record: filepath.Join(t.TempDir(), "forms"), few: 1,
		origin: "https://a.example", static: "a", page: "a.html", compress: true}
	dir := application(t, m.text())
	for _, name := range []string{"a", "b"} {
		write(t, filepath.Join(dir, name, "which.txt"), name)
		write(t, filepath.Join(dir, name+".html"), name+".html")
	}
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	h.cli("maintenance", "on", "--allow", "127.0.0.1")
	site := h.env["SITE_URL"]
	const n = 16
	v := visit(t, site, n)
	v.more(t, 50)
	changes := []struct {
		name   string
		change func()
	}{
		{"edge.limit.few", func() { m.few++ }},
		{`edge.cors."/open"`, func() { m.origin = other(m.origin, "https://a.example", "https://b.example") }},
		{"static.dir", func() { m.static = other(m.static, "a", "b") }},
		{"edge.page", func() { m.page = other(m.page, "a.html", "b.html") }},
		{"edge.compress", func() { m.compress = !m.compress }},
	}
	for i := range 20 {
		c := changes[i%len(changes)]
		c.change()
		write(t, filepath.Join(dir, "dayfly.toml"), m.text())
		if i%2 == 0 {
			if said := h.cli("reload"); !strings.HasPrefix(said, "changed: ") || strings.Contains(said, "restart") {
				t.Errorf("reload %d of %s says %q", i, c.name, said)
			}
		} else if err := h.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		differs := ""
		eventually(t, "a change of "+c.name+" has effect", func() bool { differs = m.differs(t, site); return differs == "" })
		if i%5 == 4 {
			m.refuse(t, h, i%2 == 0)
		}
		v.more(t, 10)
	}
	v.leave()
	t.Logf("| the manifest is read again, 20 times | %d | %d | %d | %d |", v.gets.served.Load(), v.gets.failed.Load(), v.posts.served.Load(), v.posts.failed.Load())
	if failed := v.gets.failed.Load() + v.posts.failed.Load(); failed > 0 {
		t.Errorf("%d requests failed, the last: %s%s", failed, v.gets.said(), v.posts.said())
	}
	// net/http's client gives a connection up by itself where its own goroutines
	// have no processor for 50 ms; reloads that ended connections would end all.
	if d := v.dials.Load(); d >= 2*n {
		t.Errorf("%d visitors opened %d connections: some ended", n, d)
	}
	v.audit(t, m.record)
	h.down()
}

// refuse has a manifest read that would change everything and is wrong in its
// last line: it is refused, and all is as it was.
func (m reloadable) refuse(t *testing.T, h *house, signal bool) {
	t.Helper()
	wrong := m
	wrong.few, wrong.origin, wrong.compress = 99, "https://wrong.example", !m.compress
	wrong.static, wrong.page = other(m.static, "a", "b"), other(m.page, "a.html", "b.html")
	write(t, filepath.Join(h.dir, "dayfly.toml"), wrong.text()+"nobody = 1\n")
	if signal {
		said := strings.Count(h.out.String(), "nothing changed: ")
		if err := h.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the wrong manifest is refused", func() bool { return strings.Count(h.out.String(), "nothing changed: ") > said })
	} else if said, err := h.try("reload"); err == nil || !strings.Contains(said, "dayfly.toml:") || !strings.Contains(said, "nobody") {
		t.Errorf("reload of a wrong manifest says %q, %v", said, err)
	}
	if differs := m.differs(t, h.env["SITE_URL"]); differs != "" {
		t.Errorf("a manifest that is wrong changed something:\n%s", differs)
	}
}

// other is b for a and a for b.
func other(now, a, b string) string {
	if now == a {
		return b
	}
	return a
}

// write puts a file where a reader finds the old text or the new one.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
