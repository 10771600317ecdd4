package manifest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/limit"
)

// Terms of a limit: a rate, a concurrency or both.
type Terms struct {
	Rate        Rate `toml:"rate"`        // tasks that begin, "10/s"; default any number
	Burst       int  `toml:"burst"`       // may begin at once after a rest, 1–1,000,000, default 1
	Concurrency int  `toml:"concurrency"` // at once, 1–10,000; default any number
}

// TaskLimit is that of one task, and of each value of an attribute of it.
type TaskLimit struct {
	Terms
	Per map[string]*Terms `toml:"per"`
}

// Limit is that of all tasks of a queue which dayfly pushes, of each value of an
// attribute ("type", "source" or an extension), and of single tasks. A task has
// to be let in by each that is its.
type Limit struct {
	Terms
	Per  map[string]*Terms     `toml:"per"`
	Task map[string]*TaskLimit `toml:"task"`
}

// Rate is a number of tasks in a time: "10/s", "100/m", "1000/h", "1/10s".
type Rate string

// Parse returns how many tasks, 1–1,000,000, begin in which time, 1ms–24h; 0 in 0
// of an empty rate. The error says what is wrong without saying where.
func (r Rate) Parse() (tasks int, per time.Duration, err error) {
	if r == "" {
		return 0, 0, nil
	}
	bad := fmt.Errorf("%q, which is not a rate; write how many begin in which time, such as \"10/s\", \"100/m\", \"1000/h\" or \"1/10s\"", string(r))
	number, unit, ok := strings.Cut(string(r), "/")
	if tasks, err = strconv.Atoi(number); err != nil || !ok {
		return 0, 0, bad
	}
	if unit != "" && (unit[0] < '0' || unit[0] > '9') {
		unit = "1" + unit
	}
	if per, err = parseDuration(unit); err != nil {
		return 0, 0, bad
	}
	if tasks < 1 || tasks > limit.MaxRate || per < time.Millisecond || per > limit.MaxPer {
		return 0, 0, fmt.Errorf("%q; it must be 1 to %d tasks in 1ms to 24h", string(r), limit.MaxRate)
	}
	return tasks, per, nil
}

// terms are t in the form that package limit has; of a rate that is none, without
// it.
func (t Terms) terms() limit.Terms {
	n, per, err := t.Rate.Parse()
	if err != nil {
		n, per = 0, 0
	}
	return limit.Terms{Concurrency: t.Concurrency, Rate: n, Per: per, Burst: max(1, t.Burst)}
}

// given reports whether anything is limited.
func (t Terms) given() bool { return t.Rate != "" || t.Concurrency != 0 }

// String is what is allowed, for people.
func (t Terms) String() string {
	var parts []string
	if t.Rate != "" {
		parts = append(parts, string(t.Rate))
	}
	if t.Burst > 1 {
		parts = append(parts, fmt.Sprintf("%d after a rest", t.Burst))
	}
	if t.Concurrency != 0 {
		parts = append(parts, fmt.Sprintf("%d at once", t.Concurrency))
	}
	return strings.Join(parts, ", ")
}

// Lines say what is allowed, for people.
func (l *Limit) Lines() (lines []string) {
	if l == nil {
		return nil
	}
	add := func(what string, t Terms, per map[string]*Terms) {
		if t.given() {
			lines = append(lines, what+": "+t.String())
		}
		for _, attribute := range sorted(per) {
			lines = append(lines, what+", each "+attribute+": "+per[attribute].String())
		}
	}
	add("of all tasks", l.Terms, l.Per)
	for _, name := range sorted(l.Task) {
		add("of "+name, l.Task[name].Terms, l.Task[name].Per)
	}
	return lines
}

// Limits is the limit of a queue for its worker. Each has a name on the records
// that follows from the queue's name in the service, so that all dayfly
// processes that share the records hold it together.
func (l *Limit) Limits(queue string) []task.Limit {
	if l == nil {
		return nil
	}
	all := l.of(queue, "", l.Terms, l.Per)
	for _, name := range sorted(l.Task) {
		all = append(all, l.of(queue, name, l.Task[name].Terms, l.Task[name].Per)...)
	}
	return all
}

// of are the limits of a queue, or of one task in it, whose name has no space.
func (*Limit) of(queue, only string, t Terms, per map[string]*Terms) (all []task.Limit) {
	name := queue
	if only != "" {
		name += " " + only
	}
	add := func(t Terms, name string, by func(*task.Event) string) {
		x := t.terms()
		all = append(all, task.Limit{Task: only, By: by, Name: name, Concurrency: x.Concurrency, Rate: x.Rate, Per: x.Per, Burst: x.Burst})
	}
	if t.given() {
		add(t, name, nil)
	}
	for _, attribute := range sorted(per) {
		add(*per[attribute], name+" per "+attribute, by(attribute))
	}
	return all
}

// by is the value of an attribute of an event.
func by(attribute string) func(*task.Event) string {
	switch attribute {
	case "type":
		return func(e *task.Event) string { return e.Type }
	case "source":
		return func(e *task.Event) string { return e.Source }
	}
	return task.ByExtension(attribute)
}

// limit checks a queue's limit.
func (c *checker) limit(key string, q *Queue) {
	l := q.Limit
	if l == nil {
		return
	}
	key += ".limit"
	if q.Push == "" {
		c.fail(key, "%s holds for tasks that dayfly pushes: add push = \"http://…\" to the queue; workers in Go have WorkerOptions.Limits", key)
		return
	}
	c.terms(key, l.Terms, len(l.Per) > 0 || len(l.Task) > 0)
	c.per(key, l.Per)
	for _, name := range sorted(l.Task) {
		own := key + ".task." + name
		if err := task.CheckName(name); err != nil {
			c.fail(own, "%q cannot be the name of a task: %v", name, err)
		}
		c.terms(own, l.Task[name].Terms, len(l.Task[name].Per) > 0)
		c.per(own, l.Task[name].Per)
	}
	if n := len(l.Limits("")); n > task.MaxLimits {
		c.fail(key, "%s has %d limits; a queue has at most %d", key, n, task.MaxLimits)
	}
}

func (c *checker) per(key string, per map[string]*Terms) {
	for _, attribute := range sorted(per) {
		own := key + ".per." + attribute
		if attribute != "type" && attribute != "source" && !task.ExtensionName(attribute) {
			c.fail(own, "%q is neither type, source nor an extension of a task message, whose name is of a–z and 0–9", attribute)
		}
		c.terms(own, *per[attribute], false)
	}
}

// terms checks what is allowed; within says that a table in it limits something.
func (c *checker) terms(key string, t Terms, within bool) {
	rate, burst, concurrency := c.m.has(key+".rate"), c.m.has(key+".burst"), c.m.has(key+".concurrency")
	_, _, err := t.Rate.Parse()
	switch {
	case rate && t.Rate == "":
		c.fail(key+".rate", "%s.rate is empty: write one such as \"10/s\", or leave it out", key)
	case err != nil:
		c.fail(key+".rate", "%s.rate is %v", key, err)
	case burst && !rate:
		c.fail(key+".burst", "%s.burst is of no use without a rate", key)
	case !rate && !concurrency && !within:
		c.fail(key, "[%s] limits nothing: add rate = \"10/s\", concurrency = 4, or both", key)
	}
	before := len(c.errs)
	if burst {
		c.whole(key+".burst", t.Burst, 1, limit.MaxBurst)
	}
	if concurrency {
		c.whole(key+".concurrency", t.Concurrency, 1, limit.MaxConcurrency)
	}
	if x := t.terms(); x.Rate > 0 && len(c.errs) == before {
		if err := x.Check(); err != nil {
			c.fail(key, "[%s]: %v", key, err)
		}
	}
}
