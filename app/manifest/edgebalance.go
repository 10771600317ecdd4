package manifest

import (
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// EdgeBalance is how the edge shares requests out, and which it refuses.
type EdgeBalance struct {
	SlowStart    Duration              `toml:"slow_start"`    // in which an instance that joins warm ones gets its share, 0s–1h, default 10s
	Eject        string                `toml:"eject"`         // what takes an instance out whose checks pass: "failures" (the default), "errors" (also answers of 500 and above) or "never"
	PerInstance  int                   `toml:"per_instance"`  // requests under way at one instance, 1–100,000; default any number
	Queue        int                   `toml:"queue"`         // requests that wait for a place at an instance, 0–100,000, default 256
	QueueTimeout Duration              `toml:"queue_timeout"` // how long each waits, 10ms–5m, default 5s
	Sticky       string                `toml:"sticky"`        // "cookie" keeps a browser at one instance; default "", it is not
	Limit        map[string]*EdgeLimit `toml:"limit"`         // by name
	Page         EdgePages             `toml:"page"`
}

// EdgeLimit refuses requests beyond a rate or a concurrency.
type EdgeLimit struct {
	Path        string `toml:"path"`        // pattern as of net/http's ServeMux; default "/", all
	Method      string `toml:"method"`      // default all; GET is HEAD too
	By          string `toml:"by"`          // "client" (the default), "route" or "header:NAME"
	Rate        Rate   `toml:"rate"`        // requests that are let in, "10/s"; default any number
	Burst       int    `toml:"burst"`       // let in at once after a rest, 1–1,000,000, default as many as the rate has
	Concurrency int    `toml:"concurrency"` // under way at once, 1–100,000; default any number
}

// EdgePages are HTML files, below the manifest's folder, that people see in
// place of the edge's own: html/template with {{.Title}}, {{.Text}},
// {{.Status}}, {{.RequestID}}, {{.RetryAfter}} and {{.Processed}}.
type EdgePages struct {
	Unavailable string `toml:"unavailable"` // the application did not answer; default a plain page
	Limited     string `toml:"limited"`     // a limit refused; default a plain page
	Maintenance string `toml:"maintenance"` // default unavailable
}

var (
	methodForm = regexp.MustCompile(`^[A-Z]+$`)
	headerForm = regexp.MustCompile(`^header:[A-Za-z0-9-]{1,100}$`)
)

// balanceDefaults fills what the file left out.
func (m *Manifest) balanceDefaults() {
	b := &m.Edge.EdgeBalance
	if !m.has("edge.slow_start") {
		b.SlowStart = Duration(10 * time.Second)
	}
	if !m.has("edge.queue") {
		b.Queue = 256
	}
	setDefault(&b.QueueTimeout, Duration(5*time.Second))
	setDefault(&b.Eject, "failures")
	for _, l := range b.Limit {
		setDefault(&l.Path, "/")
		setDefault(&l.By, "client")
	}
	for name, p := range m.Process {
		if p.HTTP && !m.has("process."+name+".restart_unhealthy") {
			p.RestartUnhealthy = Duration(30 * time.Second)
		}
	}
}

func (c *checker) balance() {
	b := &c.m.Edge.EdgeBalance
	c.duration("edge.slow_start", b.SlowStart, 0, time.Hour)
	c.oneOf("edge.eject", b.Eject, "failures", "errors", "never")
	if c.m.has("edge.per_instance") {
		c.whole("edge.per_instance", b.PerInstance, 1, 100_000)
	} else if c.m.has("edge.queue") || c.m.has("edge.queue_timeout") {
		key := "edge.queue"
		if !c.m.has(key) {
			key = "edge.queue_timeout"
		}
		c.fail(key, "requests only wait for a place where instances have so many: add per_instance = 8, or as many as one can work on")
	}
	c.whole("edge.queue", b.Queue, 0, 100_000)
	c.duration("edge.queue_timeout", b.QueueTimeout, 10*time.Millisecond, 5*time.Minute)
	if b.Sticky != "" {
		c.oneOf("edge.sticky", b.Sticky, "cookie")
	}
	for _, name := range sorted(b.Limit) {
		c.edgeLimit(name, b.Limit[name])
	}
	for key, path := range map[string]string{"unavailable": b.Page.Unavailable, "limited": b.Page.Limited, "maintenance": b.Page.Maintenance} {
		if key = "edge.page." + key; c.m.has(key) && !filepath.IsLocal(path) {
			c.fail(key, "%s is %q; it must be a file below the manifest's folder, such as \"static/sorry.html\"", key, path)
		}
	}
	for _, name := range sorted(c.m.Process) {
		key, p := "process."+name+".restart_unhealthy", c.m.Process[name]
		if c.m.has(key) && !p.HTTP {
			c.fail(key, "only a process with http = true has a health check")
		}
		c.duration(key, p.RestartUnhealthy, 0, time.Hour)
	}
}

func (c *checker) edgeLimit(name string, l *EdgeLimit) {
	c.name("edge.limit", name)
	key := "edge.limit." + name
	if err := pattern(l.Method, l.Path); err != nil {
		c.fail(key+".path", "%s.path: %v", key, err)
	}
	if l.Method != "" && !methodForm.MatchString(l.Method) {
		c.fail(key+".method", "%s.method is %q; write one method, such as \"POST\"", key, l.Method)
	}
	if l.By != "client" && l.By != "route" && !headerForm.MatchString(l.By) {
		c.fail(key+".by", "%s.by is %q; it is \"client\", \"route\" or \"header:NAME\"", key, l.By)
	}
	rate, concurrency := l.Rate != "", c.m.has(key+".concurrency")
	if !rate && !concurrency {
		c.fail(key, "[%s] limits nothing: add rate = \"10/s\", concurrency = 4, or both", key)
	}
	if _, _, err := l.Rate.Parse(); err != nil {
		c.fail(key+".rate", "%s.rate is %s", key, strings.Replace(err.Error(), "tasks in", "requests in", 1))
	}
	if c.m.has(key + ".burst") {
		if !rate {
			c.fail(key+".burst", "%s.burst is of a rate: add rate = \"10/s\"", key)
		}
		c.whole(key+".burst", l.Burst, 1, 1_000_000)
	}
	if concurrency {
		c.whole(key+".concurrency", l.Concurrency, 1, 100_000)
	}
}

// pattern tries a path on a ServeMux, which panics on one that is none.
func pattern(method, path string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v; write a pattern such as \"/login\", \"/api/\" or \"/item/{id}\"", p)
		}
	}()
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t") {
		return fmt.Errorf("%q does not begin with / or has spaces; write a pattern such as \"/login\", \"/api/\" or \"/item/{id}\"", path)
	}
	if !methodForm.MatchString(method) {
		method = ""
	}
	http.NewServeMux().HandleFunc(strings.TrimSpace(method+" "+path), func(http.ResponseWriter, *http.Request) {})
	return nil
}
