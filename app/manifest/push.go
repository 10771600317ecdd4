package manifest

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/task/ledger"
)

func (q *Queue) pushDefaults(hasConcurrency, hasTimeout bool) {
	if q.Push == "" {
		return
	}
	if !hasConcurrency {
		q.PushConcurrency = 8
	}
	if !hasTimeout {
		q.PushTimeout = Duration(10 * time.Minute)
	}
	setDefault(&q.Once, string(ledger.AtMostOnce))
}

// PushProcess is the process that the queue's tasks are pushed to, "" if they
// are pushed elsewhere or not at all: the host of an address without a port.
func (q *Queue) PushProcess() string {
	u, err := url.Parse(q.Push)
	if q.Push == "" || err != nil || u.Port() != "" {
		return ""
	}
	return u.Hostname()
}

// PushPlace is Push without its query, which may hold a secret.
func (q *Queue) PushPlace() string {
	place, _, _ := strings.Cut(q.Push, "?")
	return place
}

// push checks a queue's push keys. The address may hold a secret, so no error
// repeats more of it than its host.
func (c *checker) push(key string, q *Queue) {
	if q.Push == "" {
		for _, name := range []string{"push", "push_concurrency", "push_timeout", "once"} {
			if !c.m.has(key + "." + name) {
				continue
			}
			if name == "push" {
				c.fail(key+".push", "%s.push is empty: write an address such as \"http://web/tasks\", or leave it out", key)
			} else {
				c.fail(key+"."+name, "%s.%s is of no use without push = \"http://…\"", key, name)
			}
		}
		return
	}
	c.whole(key+".push_concurrency", q.PushConcurrency, 1, 1000)
	c.duration(key+".push_timeout", q.PushTimeout, time.Second, 12*time.Hour)
	if q.Once != string(ledger.AtMostOnce) && q.Once != string(ledger.AtLeastOnce) {
		c.fail(key+".once", "%s.once is %q; it is %q or %q", key, q.Once, ledger.AtMostOnce, ledger.AtLeastOnce)
	}
	key += ".push"
	u, err := url.Parse(q.Push)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		c.fail(key, "%s is not an address such as \"http://web/tasks\", where web is a process, or \"https://tasks.example.com:443/run\"", key)
	case u.User != nil:
		c.fail(key, "%s has a user or a password in it: take it out; an endpoint knows dayfly by PUSH_TOKEN", key)
	case u.Fragment != "":
		c.fail(key, "%s has a # in it, what follows is never sent: take it out", key)
	case u.Port() == "" && u.Host != u.Hostname():
		c.fail(key, "%s names the host %q without a port: add it", key, u.Host)
	case u.Port() != "":
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
			c.fail(key, "%s has the port %q; it is a number from 1 to 65535", key, u.Port())
		}
	default:
		c.pushProcess(key, u)
	}
}

func (c *checker) pushProcess(key string, u *url.URL) {
	name := u.Hostname()
	p := c.m.Process[name]
	switch {
	case p == nil && nearest(name, sorted(c.m.Process)) != "":
		c.fail(key, "there is no [process.%s]; did you mean %q? (an address elsewhere has a port)", name, nearest(name, sorted(c.m.Process)))
	case p == nil:
		port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
		c.fail(key, "there is no [process.%s]: name one with http = true, or, for an address elsewhere, its port, as in %s://%s:%s/", name, u.Scheme, name, port)
	case !p.HTTP:
		c.fail(key, "process %q has no http = true, so that nothing can be pushed to it", name)
	case u.Scheme != "http":
		c.fail(key, "process %q is spoken to on this machine, by http: write http://%s%s", name, name, u.EscapedPath())
	}
}
