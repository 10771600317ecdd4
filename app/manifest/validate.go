package manifest

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/task/schedule"
)

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	envForm    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	utmForm    = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$`)
)

// checker gathers errors with the positions of their keys.
type checker struct {
	m    *Manifest
	errs Errors
}

func (c *checker) fail(key, format string, args ...any) {
	e := &Error{File: c.m.Path, Key: key, Text: fmt.Sprintf(format, args...)}
	// A key that is missing is reported at the table it is missing from.
	for k := key; ; {
		if at, ok := c.m.at[k]; ok {
			e.Line, e.Column = at.line, at.column
			break
		}
		i := strings.LastIndexByte(k, '.')
		if i < 0 {
			break
		}
		k = k[:i]
	}
	c.errs = append(c.errs, e)
}

func (c *checker) duration(key string, d Duration, low, high time.Duration) {
	if v := time.Duration(d); v < low || v > high {
		c.fail(key, "%s is %s; it must be between %s and %s", key, d, plain(low), plain(high))
	}
}

func (c *checker) whole(key string, n, low, high int) {
	if n < low || n > high {
		c.fail(key, "%s is %d; it must be between %d and %d", key, n, low, high)
	}
}

func (c *checker) oneOf(key, value string, known ...string) {
	if !slices.Contains(known, value) {
		text := fmt.Sprintf("%s is %q; it is one of %s", key, value, strings.Join(known, ", "))
		if n := nearest(value, known); n != "" {
			text += fmt.Sprintf(" (did you mean %q?)", n)
		}
		c.fail(key, "%s", text)
	}
}

func (c *checker) name(table, name string) {
	switch {
	case nameForm.MatchString(name):
	case table == "queue" && strings.HasSuffix(name, fifoSuffix):
		c.fail(table+"."+name, "%q: leave %s out of the name and say fifo = true; the queue's URL has it then", name, fifoSuffix)
	default:
		c.fail(table+"."+name, "%q is not a name: use 1 to 40 of a-z, 0-9 and -, not - first or last", name)
	}
}

func (m *Manifest) validate(unitless []string) Errors {
	c := &checker{m: m}
	for _, key := range unitless {
		c.fail(key, "%s must be %s", key, fieldType(reflect.TypeFor[Manifest](), strings.Split(key, ".")))
	}
	if m.Name == "" {
		c.fail("name", `name is missing: begin the file with name = "your-application"`)
	} else if !nameForm.MatchString(m.Name) {
		c.fail("name", "%q is not a name: use 1 to 40 of a-z, 0-9 and -, not - first or last", m.Name)
	}
	c.duration("build.timeout", m.Build.Timeout, time.Second, 2*time.Hour)
	c.environment("env", m.Env)
	c.processes()
	c.queues()
	c.schedules()
	c.stores()
	c.front()
	c.balance()
	return c.errs
}

func (c *checker) environment(key string, env map[string]string) {
	for _, k := range sorted(env) {
		if !envForm.MatchString(k) {
			c.fail(key+"."+k, "%q cannot be the name of an environment variable", k)
		} else if k == "PORT" {
			c.fail(key+".PORT", "PORT is each instance's own and is set by dayfly; remove it")
		}
	}
}

func (c *checker) processes() {
	for _, name := range sorted(c.m.Process) {
		p, key := c.m.Process[name], "process."+name
		c.name("process", name)
		if strings.TrimSpace(p.Command) == "" {
			c.fail(key+".command", "process %q has no command: add command = \"…\"", name)
		}
		if p.Health != "" && (!p.HTTP || !strings.HasPrefix(p.Health, "/")) {
			c.fail(key+".health", "health is a path such as \"/healthz\" of a process with http = true")
		}
		if p.Protocol != "" && (!p.HTTP || p.Protocol != "http1" && p.Protocol != "h2c") {
			c.fail(key+".protocol", "protocol is \"http1\" or \"h2c\", of a process with http = true")
		}
		c.whole(key+".instances.min", p.Instances.Min, 0, 64)
		c.whole(key+".instances.max", p.Instances.Max, max(1, p.Instances.Min), 64)
		c.duration(key+".health_timeout", p.HealthTimeout, 10*time.Millisecond, time.Minute)
		c.duration(key+".start_timeout", p.StartTimeout, time.Second, 30*time.Minute)
		c.duration(key+".stop_timeout", p.StopTimeout, 0, time.Hour)
		c.environment(key+".env", p.Env)
	}
	if n := len(c.m.HTTP()); n > 1 {
		c.fail("process."+c.m.HTTP()[1]+".http", "two processes have http = true; the edge sends requests to one")
	}
}

func (c *checker) queues() {
	for _, name := range sorted(c.m.Queue) {
		q, key := c.m.Queue[name], "queue."+name
		c.name("queue", name)
		if base, ok := strings.CutSuffix(name, "-dead"); ok && c.m.Queue[base] != nil {
			c.fail(key, "queue %q already is the dead-letter queue of %q; rename one", name, base)
		}
		c.duration(key+".visibility", q.Visibility, 0, 12*time.Hour)
		c.duration(key+".delay", q.Delay, 0, 15*time.Minute)
		c.duration(key+".retention", q.Retention, time.Minute, 14*24*time.Hour)
		c.whole(key+".attempts", q.Attempts, 1, 1000)
		c.push(key, q)
		c.limit(key, q)
	}
}

func (c *checker) schedules() {
	for _, name := range sorted(c.m.Schedule) {
		s, key := c.m.Schedule[name], "schedule."+name
		c.name("schedule", name)
		c.oneOf(key+".overlap", s.Overlap, string(schedule.OverlapAllow), string(schedule.OverlapSkip))
		c.oneOf(key+".missed", s.Missed, string(schedule.MissedLatest), string(schedule.MissedAll), string(schedule.MissedNone))
		if (s.Cron == "") == (s.Every == 0) {
			c.fail(key, "schedule %q needs either cron = \"30 4 * * *\" or every = \"45m\"", name)
		}
		if _, err := time.LoadLocation(s.Timezone); err != nil {
			c.fail(key+".timezone", "%q is not a time zone; use a name such as \"Europe/Sofia\" or \"UTC\"", s.Timezone)
		} else if s.Task == "" {
			c.fail(key+".task", "schedule %q names no task: add task = \"…\"", name)
		} else if times, err := c.m.Times(name); err != nil {
			c.fail(key+".args", "%v", err)
		} else if _, err := withoutPolicies(times).Times(); err != nil && (s.Cron == "") != (s.Every == 0) {
			c.fail(key+map[bool]string{true: ".cron", false: ".every"}[s.Cron != ""], "%v", err)
		}
		if c.m.Queue[s.Queue] == nil {
			text := fmt.Sprintf("there is no [queue.%s]", s.Queue)
			if n := nearest(s.Queue, sorted(c.m.Queue)); n != "" {
				text += fmt.Sprintf("; did you mean %q?", n)
			} else {
				text += fmt.Sprintf(" for the tasks of schedule %q: add it, or name another with queue = \"…\"", name)
			}
			c.fail(key+".queue", "%s", text)
		} else if c.m.Queue[s.Queue].FIFO {
			c.fail(key+".queue", "queue %q is FIFO, where a message needs a group; name one that is not for the tasks of schedule %q", s.Queue, name)
		}
	}
}

// withoutPolicies is s for the check of the rest: its policies were checked.
func withoutPolicies(s schedule.Schedule) *schedule.Schedule {
	s.Missed, s.Overlap = "", ""
	return &s
}

func (c *checker) stores() {
	for _, name := range sorted(c.m.Database) {
		c.name("database", name)
		c.outbox(name)
		key := "database." + name + ".url"
		scheme, _, found := strings.Cut(c.m.Database[name].URL, ":")
		switch {
		case scheme == "sqlite":
		case found && slices.Contains([]string{"postgres", "postgresql", "mysql"}, scheme):
			if _, err := url.Parse(c.m.Database[name].URL); err != nil {
				// The error would repeat the address, which may hold a password.
				c.fail(key, "%s is not an address such as postgres://user@host/name", key)
			}
		default:
			c.fail(key, "%s must be \"sqlite\", or begin with sqlite:, postgres:// or mysql://", key)
		}
	}
	c.records()
	for _, name := range sorted(c.m.Cache) {
		c.name("cache", name)
		if ttl := c.m.Cache[name].TTL; ttl != 0 {
			c.duration("cache."+name+".ttl", ttl, time.Second, 3650*24*time.Hour)
		}
		if z := c.m.Cache[name].Size; z < 1<<20 || z > 1<<40 {
			c.fail("cache."+name+".size", "a cache's size is between 1MiB and 1TiB")
		}
	}
	for _, name := range sorted(c.m.Bucket) {
		if name == PayloadsBucket {
			c.fail("bucket."+name, "%q is dayfly's own bucket, for large arguments of tasks: use another name", name)
		}
		if !bucketForm.MatchString(name) {
			c.fail("bucket."+name, "%q is not a bucket's name: use 3 to 40 of a-z, 0-9 and -", name)
		}
		for _, o := range c.m.Bucket[name].Origins {
			if u, err := url.Parse(o); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
				c.fail("bucket."+name+".origins", "%q is not an origin such as \"https://www.example.com\"", o)
			}
		}
	}
}

// records looks at the form only: the store itself says what it cannot do.
func (c *checker) records() {
	const key = "records.url"
	address := c.m.Records.URL
	if address == "" || address == "sqlite" {
		return
	}
	scheme, rest, _ := strings.Cut(address, ":")
	u, err := url.Parse(address)
	switch {
	case scheme == "sqlite" && !strings.HasPrefix(rest, "////"):
		c.fail(key, "%s takes an absolute path, so that all processes mean one file: sqlite:////srv/app/records.db, or \"sqlite\" for one in the data folder", key)
	case !slices.Contains([]string{"sqlite", "postgres", "postgresql", "mysql", "mariadb", "s3", "dynamodb"}, scheme) || !strings.HasPrefix(rest, "//"):
		c.fail(key, "%s must be \"sqlite\", or begin with sqlite:////, postgres://, mysql://, s3:// or dynamodb://", key)
	case err != nil: // not repeated: it may hold a password
		c.fail(key, "%s is not an address such as postgres://user@host/name", key)
	case u.Host == "" && (scheme == "s3" || scheme == "dynamodb"):
		c.fail(key, "%s names no bucket or table: s3://bucket/prefix or dynamodb://table", key)
	}
}

// outbox checks that the queue of a database's outbox is there.
func (c *checker) outbox(name string) {
	to := c.m.Database[name].Outbox
	if key := "database." + name + ".outbox"; c.m.has(key) && c.m.Queue[to] == nil {
		text := fmt.Sprintf("there is no [queue.%s]", to)
		if n := nearest(to, sorted(c.m.Queue)); n != "" {
			text += fmt.Sprintf("; did you mean %q?", n)
		} else {
			text += fmt.Sprintf(" for the outbox of database %q: add it, or name another", name)
		}
		c.fail(key, "%s", text)
	}
}

func (c *checker) front() {
	m := c.m
	if m.Static.Dir != "" && !filepath.IsLocal(m.Static.Dir) {
		c.fail("static.dir", "static.dir must be a folder below the manifest's own")
	}
	if !strings.HasPrefix(m.Static.Prefix, "/") || !strings.HasSuffix(m.Static.Prefix, "/") || len(m.Static.Prefix) < 3 {
		c.fail("static.prefix", "static.prefix must begin and end with / and name a folder, such as \"/static/\"")
	}
	c.static()
	c.publish()
	if strings.ContainsAny(m.Edge.Host, "/: ") {
		c.fail("edge.host", "edge.host is a bare host name such as \"www.example.com\"")
	}
	c.https()
	c.duration("edge.hold", m.Edge.Hold, 0, 5*time.Minute)
	c.edgeCache()
	c.edgeLog()
	c.edgeRoutes()
	c.edgeAnswers()
	for _, name := range sorted(m.Edge.Click) {
		c.name("edge.click", name)
		utm := m.Edge.Click[name].UTM
		for field, v := range map[string]string{"source": utm.Source, "medium": utm.Medium, "campaign": utm.Campaign} {
			if !utmForm.MatchString(v) {
				c.fail("edge.click."+name+".utm."+field, "edge.click.%s.utm.%s is %q; use 1 to 100 of A-Z, a-z, 0-9, _, . and -", name, field, v)
			}
		}
	}
	for key, address := range map[string]string{"edge": m.Listen.Edge, "https": m.Listen.HTTPS, "dashboard": m.Listen.Dashboard,
		"aws": m.Listen.AWS, "cache": m.Listen.Cache, "smtp": m.Listen.SMTP} {
		if key == "https" && address == "" {
			continue // no [edge.tls]
		}
		host, port, err := net.SplitHostPort(address)
		n, errPort := strconv.ParseUint(port, 10, 16)
		if err != nil || errPort != nil || n > 65535 || (host != "localhost" && net.ParseIP(host) == nil) {
			c.fail("listen."+key, "listen.%s is %q; write an address such as \"127.0.0.1:8080\"", key, address)
		}
	}
}

// HTTP returns the names of the processes with http = true, sorted.
func (m *Manifest) HTTP() []string {
	var names []string
	for _, n := range sorted(m.Process) {
		if m.Process[n].HTTP {
			names = append(names, n)
		}
	}
	return names
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
