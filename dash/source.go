package dash

import (
	"context"
	"errors"
	"io"
	"time"

	"gocloud.dev/blob"

	"github.com/dayfly-dev/dayfly/queue"
)

// What the dashboard shows comes through the interfaces of this file; package
// app implements App, Inbox and Buckets, *queue.Service is a Queues as it is.
//
// Every method may be called from any number of goroutines. Pages are rendered
// on each request and about every two seconds for each open page, so methods
// without a context answer from memory.

// ErrNotFound is what a source returns, wrapped or not, when what was asked
// for does not exist (any more): an unknown process group or schedule, a mail
// that was deleted. The page answers 404.
var ErrNotFound = errors.New("not found")

// App is the running application: its processes, schedule, logs and edge.
type App interface {
	Info() Info
	// Groups are the processes of the manifest in its order, also those with
	// no instance running.
	Groups() []Group
	// Edge is what the edge measured. Zero where no process speaks HTTP.
	Edge() EdgeStats

	// Restart begins a rolling restart of a group and returns once it is begun.
	Restart(ctx context.Context, group string) error
	// Scale sets the wanted number of instances and returns once it is set.
	// An n outside the group's Min and Max is an error that says so.
	Scale(ctx context.Context, group string, n int) error

	Schedules() []Schedule
	// RunSchedule enqueues the schedule's task now, beside its regular times,
	// and returns the task's id.
	RunSchedule(ctx context.Context, name string) (taskID string, err error)

	// Logs returns the newest n lines of a process ("web.1"), a group ("web")
	// or all ("" ), oldest first.
	Logs(process string, n int) []LogLine
	// FollowLogs returns lines as they are written, from now on. The channel is
	// closed when ctx ends. A reader that falls behind loses lines and never
	// holds up the processes.
	FollowLogs(ctx context.Context) <-chan LogLine

	// Clicks counts the clicks tracked on or after the day of since, at most
	// 10,000 rows, in any order.
	Clicks(ctx context.Context, since time.Time) ([]ClickCount, error)
}

// Info is what does not change while the application runs.
type Info struct {
	Name      string    `json:"name"`    // of the manifest
	Version   string    `json:"version"` // of dayfly
	Started   time.Time `json:"started"`
	Dir       string    `json:"dir"`       // folder of the manifest
	Addresses []Address `json:"addresses"` // in the order to be shown: site, dashboard, gateway, SMTP, caches, database
	// ManifestRead is when the manifest was read that is followed: Started, or
	// later if it was read again.
	ManifestRead time.Time `json:"manifest_read"`
}

// Reread reports whether the manifest was read again since the start.
func (i Info) Reread() bool { return !i.ManifestRead.IsZero() && !i.ManifestRead.Equal(i.Started) }

// Address is where one service of the application is found. It is shown, so
// it carries no password.
type Address struct {
	Name string `json:"name"` // "Site", "AWS endpoint", "SMTP", "Cache default"
	URL  string `json:"url"`  // http and https addresses become links
	Note string `json:"note"` // e.g. "port 8080 was taken"; may be empty
}

// State of a process.
type State string

// The states a process passes through.
const (
	Starting   State = "starting"
	Running    State = "running"
	Draining   State = "draining"
	BackingOff State = "backing off"
	Stopped    State = "stopped"
	Failed     State = "failed"
)

// Group is one [process.NAME] of the manifest.
type Group struct {
	Name      string    `json:"name"`
	Command   string    `json:"command"`
	HTTP      bool      `json:"http"`
	Want      int       `json:"want"` // instances wanted now
	Min       int       `json:"min"`  // fewest that Scale takes
	Max       int       `json:"max"`  // most that Scale takes; 0: the group cannot be scaled
	Processes []Process `json:"processes"`
}

// Process is one instance.
type Process struct {
	Name        string    `json:"name"`  // "web.1"
	Group       string    `json:"group"` // "web"
	State       State     `json:"state"`
	PID         int       `json:"pid"`         // 0: not running
	Port        int       `json:"port"`        // 0: does not listen
	Started     time.Time `json:"started"`     // of the present run; zero: never
	Restarts    int       `json:"restarts"`    // since dayfly started, those asked for not counted
	CPU         float64   `json:"cpu"`         // cores used lately: 0.5 is half a core; -1: unknown
	Memory      int64     `json:"memory"`      // resident bytes; -1: unknown
	LastExit    string    `json:"last_exit"`   // why the run before ended, in words; "" if it never did
	Healthy     bool      `json:"healthy"`     // by the health check; true where there is none and it runs
	Outstanding int       `json:"outstanding"` // requests it is answering now
	Requests    int64     `json:"requests"`    // answered since it started
	Errors      int64     `json:"errors"`      // of these, 5xx and broken connections
}

// EdgeStats are requests seen by the edge.
type EdgeStats struct {
	Requests  int64         `json:"requests"`   // since start
	Errors    int64         `json:"errors"`     // of these, 5xx
	Rate      float64       `json:"rate"`       // requests a second, over the last minute
	ErrorRate float64       `json:"error_rate"` // share of 5xx in the last minute, 0–1
	P50       time.Duration `json:"p50_ns"`     // over the last minute; 0: no requests
	P95       time.Duration `json:"p95_ns"`
	P99       time.Duration `json:"p99_ns"`
	History   []EdgeSample  `json:"history"` // oldest first, evenly spaced, at most 360 are shown
	Cache     *EdgeCache    `json:"cache,omitempty"`
}

// EdgeSample is one step of the edge's history.
type EdgeSample struct {
	Time     time.Time     `json:"time"`     // its end
	Requests float64       `json:"requests"` // a second
	Errors   float64       `json:"errors"`   // a second
	P50      time.Duration `json:"p50_ns"`
	P95      time.Duration `json:"p95_ns"`
	P99      time.Duration `json:"p99_ns"`
}

// Schedule is one [schedule.NAME] of the manifest.
type Schedule struct {
	Name       string    `json:"name"`
	Spec       string    `json:"spec"`     // as written: "30 4 * * *", "every 45m"
	Timezone   string    `json:"timezone"` // IANA name, "" is UTC
	Task       string    `json:"task"`
	Queue      string    `json:"queue"`
	Next       time.Time `json:"next"`        // zero: never
	Last       time.Time `json:"last"`        // zero: not yet
	LastResult string    `json:"last_result"` // in words: "enqueued as 7d9…", or the error; "" not yet
	LastFailed bool      `json:"last_failed"`
}

// LogLine is one line a process wrote.
type LogLine struct {
	Time    time.Time `json:"time"`
	Process string    `json:"process"` // "web.1"; "dayfly" for dayfly's own
	Stream  string    `json:"stream"`  // "out", "err" or "dayfly"
	Text    string    `json:"text"`    // without the line end; colour codes are removed when shown
}

// ClickCount is how often a link was clicked on one day.
type ClickCount struct {
	Campaign string `json:"campaign"` // NAME of [edge.click.NAME]
	Link     string `json:"link"`     // path on this site
	Day      string `json:"day"`      // "2006-01-02" in UTC
	Count    int64  `json:"count"`    // clicks of people
	Visitors int64  `json:"visitors"` // different people among them, at least
	Programs int64  `json:"programs"` // clicks of crawlers and mail scanners
}

// Queues is what the dashboard needs of a *queue.Service.
type Queues interface {
	ListQueues(ctx context.Context, o queue.ListOptions) (queue.ListPage, error)
	Describe(ctx context.Context, name string) (queue.Description, error)
	Purge(ctx context.Context, name string) error
	Send(ctx context.Context, name string, m []queue.Outgoing) ([]queue.Sent, error)

	// Browse and DeleteID fail with queue.ErrUnsupported where the service
	// cannot show messages without receiving them; the pages then say so.
	Browse(ctx context.Context, name, after string, max int) ([]queue.Browsed, error)
	DeleteID(ctx context.Context, name, id string) (bool, error)
}

// Inbox keeps the mails and text messages the application sent. Ids are opaque and need no
// escaping in a path segment.
type Inbox interface {
	// List returns up to max mails, newest first, that are older than the mail
	// with id before ("" from the newest).
	List(ctx context.Context, before string, max int) ([]MailSummary, error)
	// Get parses one mail. Parts that cannot be parsed are left out and named in Problem.
	Get(ctx context.Context, id string) (Mail, error)
	// Raw opens the mail as it came. The caller closes it.
	Raw(ctx context.Context, id string) (io.ReadCloser, error)
	Delete(ctx context.Context, id string) error
	// Clear deletes every mail.
	Clear(ctx context.Context) error
}

// MailSummary is one line of the inbox.
type MailSummary struct {
	ID       string    `json:"id"`
	SMS      bool      `json:"sms"`     // a text message to phones
	From     string    `json:"from"`    // of a text message the sender's name, or ""
	To       []string  `json:"to"`      // envelope recipients
	Subject  string    `json:"subject"` // decoded
	Received time.Time `json:"received"`
	Size     int64     `json:"size"` // bytes of the source
}

// Mail is one mail, parsed.
type Mail struct {
	MailSummary
	Headers     []Header     `json:"headers"` // in their order, decoded
	Text        string       `json:"text"`    // "" without a text part
	HTML        string       `json:"html"`    // "" without an HTML part; shown sandboxed
	Attachments []Attachment `json:"attachments"`
	Problem     string       `json:"problem"` // what was wrong with the source; "" nothing
}

// Header is one header field.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Attachment is a part beside the text.
type Attachment struct {
	Name        string `json:"name"`
	ContentType string `json:"content_type"`
	ContentID   string `json:"content_id"` // without <>, for cid: addresses in HTML; may be empty
	Data        []byte `json:"-"`
}

// Size is the length of the data in bytes.
func (a Attachment) Size() int64 { return int64(len(a.Data)) }

// Buckets opens the application's buckets.
type Buckets interface {
	// Buckets returns what buckets there are, by name, ascending.
	Buckets(ctx context.Context) ([]Bucket, error)
	// Bucket returns a bucket that the dashboard does not close, ErrNotFound
	// for a name that is none.
	Bucket(ctx context.Context, name string) (*blob.Bucket, error)
}

// Bucket is one bucket of the object store.
type Bucket struct {
	Name   string `json:"name"`
	Public bool   `json:"public"`
	URL    string `json:"url"` // where browsers load a public bucket's objects; may be empty
}
