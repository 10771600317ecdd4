package manifest

import (
	"time"

	"github.com/dayfly-dev/dayfly/task/schedule"
)

// setDefaults fills what the file left out; the defaults are those that the
// fields' comments state.
func (m *Manifest) setDefaults() {
	setDefault(&m.Build.Timeout, Duration(15*time.Minute))
	for name, p := range m.Process {
		key := "process." + name
		if !m.has(key + ".instances.min") {
			p.Instances.Min = 1
		}
		setDefault(&p.Instances.Max, max(p.Instances.Min, 4))
		if p.HTTP && p.Protocol != "h2c" { // servers of gRPC answer no path
			setDefault(&p.Health, "/")
		}
		setDefault(&p.HealthTimeout, Duration(2*time.Second))
		setDefault(&p.StartTimeout, Duration(30*time.Second))
		if !m.has(key + ".stop_timeout") {
			p.StopTimeout = Duration(30 * time.Second)
		}
	}
	for name, q := range m.Queue {
		if !m.has("queue." + name + ".visibility") {
			q.Visibility = Duration(30 * time.Second)
		}
		if !m.has("queue." + name + ".attempts") {
			q.Attempts = 5
		}
		setDefault(&q.Retention, Duration(4*24*time.Hour))
		q.pushDefaults(m.has("queue."+name+".push_concurrency"), m.has("queue."+name+".push_timeout"))
	}
	for _, s := range m.Schedule {
		if s.Cron != "" {
			setDefault(&s.Timezone, "UTC")
		}
		setDefault(&s.Queue, "default")
		setDefault(&s.Overlap, string(schedule.OverlapAllow))
		setDefault(&s.Missed, string(schedule.MissedLatest))
	}
	for _, d := range m.Database {
		setDefault(&d.URL, "sqlite")
	}
	for name, c := range m.Cache {
		if !m.has("cache." + name + ".size") {
			c.Size = 64 << 20
		}
	}
	m.staticDefaults()
	m.publishDefaults()
	m.Edge.Cache.setDefaults(m.has)
	if !m.has("edge.log.format") {
		m.Edge.Log.Format = "json"
	}
	m.Edge.EdgeAnswers.setDefaults(m.has)
	if !m.has("edge.hold") {
		m.Edge.Hold = Duration(10 * time.Second)
	}
	m.balanceDefaults()
	m.httpsDefaults()
	setDefault(&m.Mail.From, m.Name+"@localhost")
	setDefault(&m.Listen.Edge, "127.0.0.1:8080")
	setDefault(&m.Listen.Dashboard, "127.0.0.1:8081")
	setDefault(&m.Listen.AWS, "127.0.0.1:4566")
	setDefault(&m.Listen.Cache, "127.0.0.1:11211")
	setDefault(&m.Listen.SMTP, "127.0.0.1:1025")
}

// has says whether the file holds the dotted key.
func (m *Manifest) has(key string) bool {
	_, ok := m.at[key]
	return ok
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
