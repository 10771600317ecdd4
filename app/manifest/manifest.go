// Package manifest reads dayfly.toml: what an application is made of.
//
// Reading is strict. An unknown key, a wrong type or an impossible value is an
// error with file, line, column and, where a name is wrong, the nearest right
// one. Every field's comment states its default and range. The file is at most
// 1 MiB.
package manifest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/task/schedule"
)

// FileName is the manifest's name in an application's folder.
const FileName = "dayfly.toml"

// Manifest is a whole dayfly.toml after defaults and validation.
type Manifest struct {
	// Path of the file, absolute. Dir is its folder; commands run there.
	Path string `toml:"-"`
	Dir  string `toml:"-"`

	Name     string               `toml:"name"` // [a-z0-9-], 1–40; required
	Build    Build                `toml:"build"`
	Env      map[string]string    `toml:"env"` // for every process, below the environment of dayfly itself
	Process  map[string]*Process  `toml:"process"`
	Queue    map[string]*Queue    `toml:"queue"`
	Schedule map[string]*Schedule `toml:"schedule"`
	Database map[string]*Database `toml:"database"`
	Records  Records              `toml:"records"`
	Cache    map[string]*Cache    `toml:"cache"`
	Bucket   map[string]*Bucket   `toml:"bucket"`
	Static   Static               `toml:"static"`
	Publish  *Publish             `toml:"publish"` // default: nothing is published
	Edge     Edge                 `toml:"edge"`
	Mail     Mail                 `toml:"mail"`
	Listen   Listen               `toml:"listen"`

	// at holds where each dotted key was written, for errors found later.
	at map[string]position
}

// Build is run once before the processes start.
type Build struct {
	Command string   `toml:"command"` // a shell command; "" builds nothing
	Timeout Duration `toml:"timeout"` // 1s–2h, default 15m
}

// Process is one kind of process, run in one or more instances.
type Process struct {
	Command       string    `toml:"command"`  // a shell command; required
	HTTP          bool      `toml:"http"`     // listens on 127.0.0.1:$PORT, and the edge sends requests to it
	Protocol      string    `toml:"protocol"` // what it speaks: "http1", or "h2c" (HTTP/2 without TLS, for gRPC); default "http1" with http
	Instances     Instances `toml:"instances"`
	Health        string    `toml:"health"`         // path that answers 200–399 when ready; default "/" with http
	HealthTimeout Duration  `toml:"health_timeout"` // for one check, 10ms–60s, default 2s
	StartTimeout  Duration  `toml:"start_timeout"`  // until healthy, 1s–30m, default 30s
	StopTimeout   Duration  `toml:"stop_timeout"`   // from SIGTERM to SIGKILL, 0s–1h, default 30s
	// RestartUnhealthy is how long an instance may fail its health check before
	// it is replaced, with http; 0s–1h, default 30s; 0s: it never is.
	RestartUnhealthy Duration          `toml:"restart_unhealthy"`
	Env              map[string]string `toml:"env"`
}

// Instances is how many copies of a process run: Min at start, and up to Max by
// `dayfly scale`.
type Instances struct {
	Min int `toml:"min"` // 0–64, default 1
	Max int `toml:"max"` // Min–64, default the larger of Min and 4
}

// Queue is a message queue and its dead-letter queue, NAME-dead.
type Queue struct {
	FIFO       bool     `toml:"fifo"`       // in the order sent within a message group; then the names end in .fifo
	Visibility Duration `toml:"visibility"` // 0s–12h, default 30s
	Attempts   int      `toml:"attempts"`   // 1–1000, default 5; then NAME-dead
	Delay      Duration `toml:"delay"`      // 0s–15m, default 0s
	Retention  Duration `toml:"retention"`  // 60s–14d, default 4d; the dead-letter queue keeps 14d

	// Push is where dayfly sends the queue's tasks: http://PROCESS/path for the
	// process with http, else an address with host and port; "" leaves the queue
	// to workers.
	Push            string   `toml:"push"`
	PushConcurrency int      `toml:"push_concurrency"` // tasks with the endpoint at once, 1–1000, default 8; with fifo those of a group one after the other
	PushTimeout     Duration `toml:"push_timeout"`     // for one task, 1s–12h, default 10m
	// Once is what becomes of a pushed task with an oncekey of which nobody knows
	// whether it was done: "at-most-once" (the default) or "at-least-once".
	Once string `toml:"once"`
	// Limit of how many pushed tasks run at once, and begin in a time, over all
	// dayfly processes that share the records; default none but PushConcurrency.
	Limit *Limit `toml:"limit"`
}

// Schedule puts a task into a queue at times.
type Schedule struct {
	Cron     string         `toml:"cron"`     // five fields, or @hourly and the like; one of cron and every
	Every    Duration       `toml:"every"`    // 1s–366d
	Timezone string         `toml:"timezone"` // IANA name, default UTC; with cron only
	Task     string         `toml:"task"`     // required
	Queue    string         `toml:"queue"`    // default "default"
	Args     map[string]any `toml:"args"`     // the task's arguments, sent as JSON; default {}
	// Overlap is "allow" or "skip", of a tick that comes while the task of an
	// earlier one has not ended; default "allow".
	Overlap string `toml:"overlap"`
	// Missed is which ticks of a time without processes are fired: "latest",
	// "all" or "none"; default "latest".
	Missed string `toml:"missed"`
}

// Database is told to the processes as DATABASE_URL ("default") or
// DATABASE_<NAME>_URL.
type Database struct {
	URL string `toml:"url"` // "sqlite" (a file in the data folder), sqlite:…, postgres://… or mysql://…; default "sqlite"
	// Outbox is the queue to which tasks go that the application enqueues in its
	// transactions, as rows of dayfly_outbox; default "": it has no outbox.
	Outbox string `toml:"outbox"`
}

// Records is where processes agree on what was done, told as RECORDS_URL.
type Records struct {
	// URL is "sqlite" (a file in the data folder), sqlite:////absolute/path.db,
	// postgres://…, mysql://…, s3://bucket/prefix or dynamodb://table; default
	// "sqlite", and with AWS's services s3://APPLICATION-dayfly/records.
	URL string `toml:"url"`
}

// Cache is a named cache on a port of its own.
type Cache struct {
	TTL  Duration `toml:"ttl"`  // for entries stored without one, 1s–3650d; default none
	Size Size     `toml:"size"` // bytes held, 1MiB–1TiB, default 64MiB
}

// PayloadsBucket is the bucket that every application has besides its own: for
// arguments of tasks that are too large for a message.
const PayloadsBucket = "dayfly-payloads"

// Bucket keeps objects.
type Bucket struct {
	Public  bool     `toml:"public"`  // browsers may load objects without a signature
	Origins []string `toml:"origins"` // sites whose pages may fetch() a public bucket's objects; default any
}

// Edge is the HTTP front.
type Edge struct {
	Host    string                `toml:"host"`    // canonical host name; its apex is redirected to it
	Trusted []string              `toml:"trusted"` // networks whose forwarded headers are believed: CIDRs, "loopback", "private", "cloudfront", "aws:SERVICE"; default none
	Hold    Duration              `toml:"hold"`    // how long a request waits for a healthy instance, 0s–5m, default 10s
	Click   map[string]*Click     `toml:"click"`
	Cache   *EdgeCache            `toml:"cache"` // default: answers are not kept
	Log     EdgeLog               `toml:"log"`
	Route   map[string]*EdgeRoute `toml:"route"` // by name

	EdgeBalance
	EdgeAnswers
	EdgeHTTPS
}

// Click is a campaign of tracked links: /NAME/?/path.
type Click struct {
	UTM UTM `toml:"utm"`
}

// UTM are the query parameters added to a tracked link's target.
type UTM struct {
	Source   string `toml:"source"`
	Medium   string `toml:"medium"`
	Campaign string `toml:"campaign"`
}

// Mail the application sends.
type Mail struct {
	From string `toml:"from"` // told as MAIL_FROM; default NAME@localhost
}

// Listen holds the addresses dayfly listens on. A port of these that is taken
// is replaced by a free one, and said; port 0 asks for a free one.
type Listen struct {
	Edge      string `toml:"edge"`      // default 127.0.0.1:8080
	HTTPS     string `toml:"https"`     // default 127.0.0.1:8443; with [edge.tls]
	Dashboard string `toml:"dashboard"` // default 127.0.0.1:8081
	AWS       string `toml:"aws"`       // default 127.0.0.1:4566
	Cache     string `toml:"cache"`     // default 127.0.0.1:11211; further caches on the ports after it
	SMTP      string `toml:"smtp"`      // default 127.0.0.1:1025
}

// ServiceName is what a queue of the manifest is called in the embedded service.
func (m *Manifest) ServiceName(queue string) string {
	if q := m.Queue[queue]; q != nil && q.FIFO {
		return queue + fifoSuffix
	}
	return queue
}

const fifoSuffix = ".fifo" // which SQS demands of the names of FIFO queues

// Dead is the name of the dead-letter queue of a queue.
func Dead(queue string) string {
	if stem, ok := strings.CutSuffix(queue, fifoSuffix); ok {
		return stem + "-dead" + fifoSuffix
	}
	return queue + "-dead"
}

// Times is the schedule in the form that package schedule runs.
func (m *Manifest) Times(name string) (schedule.Schedule, error) {
	s := m.Schedule[name]
	args := s.Args
	if args == nil {
		args = map[string]any{}
	}
	text, err := json.Marshal(args)
	if err != nil {
		return schedule.Schedule{}, fmt.Errorf("schedule.%s.args: %w", name, err)
	}
	return schedule.Schedule{Name: name, Cron: s.Cron, Every: time.Duration(s.Every), Timezone: s.Timezone,
		Task: s.Task, Queue: s.Queue, Args: text, Missed: schedule.Missed(s.Missed), Overlap: schedule.Overlap(s.Overlap)}, nil
}
