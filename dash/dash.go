// Package dash is the dashboard of a running application: its processes,
// queues and dead letters, schedule, inbox, objects, logs and clicks.
//
// Pages are rendered on the server and work without JavaScript where they only
// show; with it they follow what happens by server-sent events. Every page is
// JSON too (?format=json or Accept: application/json). Nothing is kept here:
// what is shown comes from the sources in Options, what is asked for is done
// by them.
//
// The dashboard has no login. It answers only under loopback names and the
// hosts it was given, and takes changes only from its own pages, so that no
// website a browser visits can read or press it; whoever can reach its port
// directly can.
package dash

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Options of a Dash.
type Options struct {
	App App // required

	// Queues shows the queues; nil: the page says there are none here.
	Queues Queues
	// QueueService names the service when it is not the embedded one, e.g.
	// "Amazon SQS, eu-west-1"; "" is the embedded one.
	QueueService string

	// Tasks tells and does what is beyond the messages in queues; nil: the pages
	// show without it. RecordService names the store of records its effects are
	// in, when that is not a file of this machine.
	Tasks         Tasks
	RecordService string

	// Inbox shows mails; nil: the page says that mail leaves by MailService.
	Inbox       Inbox
	MailService string

	// Buckets shows objects; nil: the page says there is no object store.
	// ObjectService names the store when it is not the embedded one.
	Buckets       Buckets
	ObjectService string

	// Site is what can be put into maintenance. Default: none.
	Site Site
	// Routes is what was measured of its requests; nil: the page says that there
	// is no site.
	Routes Routes
	// Metrics answers GET /metrics, to whom the dashboard answers; nil: there is
	// no such page.
	Metrics http.Handler

	// Hosts are host names (no port) the dashboard may be asked under besides
	// loopback addresses, localhost and *.localhost. Default none.
	Hosts []string
	// Refresh is how often an open page is rendered again, 10 ms–1 min; pages
	// of services that are not embedded 15 times less often, as each look may
	// cost money. Default 2 s.
	Refresh time.Duration
	// MaxStreams is how many pages may follow at once, 1–10,000. Default 64.
	MaxStreams int
	// Log takes failures of sources. Default: discarded.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Refresh == 0 {
		o.Refresh = 2 * time.Second
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = 64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.App == nil:
		return errors.New("dash: Options.App is required")
	case o.Refresh < 10*time.Millisecond || o.Refresh > time.Minute:
		return fmt.Errorf("dash: Options.Refresh is %v, must be 10ms to 1m", o.Refresh)
	case o.MaxStreams < 1 || o.MaxStreams > 10_000:
		return fmt.Errorf("dash: Options.MaxStreams is %d, must be 1 to 10000", o.MaxStreams)
	}
	for _, h := range o.Hosts {
		if bareHost(h) != h || h == "" {
			return fmt.Errorf("dash: Options.Hosts: %q must be a lower-case host name without port", h)
		}
	}
	return nil
}

// Dash serves the dashboard. It is an http.Handler.
type Dash struct {
	Options
	assets    *assets
	mux       *http.ServeMux
	notes     notes
	streams   streams
	redriving sync.Mutex // two presses of a button must not send a message twice
}

// New makes a dashboard; it starts nothing.
func New(o Options) (*Dash, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	a, err := loadAssets()
	if err != nil {
		return nil, err
	}
	d := &Dash{Options: o, assets: a, mux: http.NewServeMux()}
	d.streams.init(o.MaxStreams)
	if err := d.routes(); err != nil {
		return nil, err
	}
	return d, nil
}

// routes is the dashboard's table of contents.
func (d *Dash) routes() error {
	pages := []*page{
		{pattern: "GET /{$}", name: "overview", nav: "Overview", live: []string{"attention", "site", "traffic", "processes"}, load: d.overview},
		{pattern: "GET /queues", name: "queues", nav: "Queues", live: []string{"queues", "outboxes"}, load: d.queues, external: d.QueueService != ""},
		{pattern: "GET /queues/{queue}", name: "queue", nav: "Queues", live: []string{"control", "counts", "activity", "running", "queue-limits", "messages"}, load: d.queue, external: d.QueueService != ""},
		{pattern: "GET /queues/{queue}/messages/{id}", name: "message", nav: "Queues", load: d.message},
		{pattern: "GET /effects", name: "effects", nav: "Queues", live: []string{"effects"}, load: d.effects, external: d.RecordService != ""},
		{pattern: "GET /limits", name: "limits", nav: "Queues", live: []string{"limits"}, load: d.limits, external: d.RecordService != ""},
		{pattern: "GET /keys", name: "keys", nav: "Queues", live: []string{"keys"}, load: d.keys, external: d.RecordService != ""},
		{pattern: "GET /task", name: "task", nav: "Queues", live: []string{"status"}, load: d.task, external: d.RecordService != ""},
		{pattern: "GET /requests", name: "routes", nav: "Requests", live: []string{"routes"}, load: d.requests},
		{pattern: "GET /requests/route", name: "route", nav: "Requests", live: []string{"route"}, load: d.route},
		{pattern: "GET /schedule", name: "schedule", nav: "Schedule", live: []string{"schedules"}, load: d.schedule},
		{pattern: "GET /inbox", name: "inbox", nav: "Inbox", live: []string{"mails"}, load: d.inbox},
		{pattern: "GET /inbox/{mail}", name: "mail", nav: "Inbox", load: d.mail},
		{pattern: "GET /objects", name: "buckets", nav: "Objects", live: []string{"buckets"}, load: d.buckets, external: d.ObjectService != ""},
		{pattern: "GET /objects/{bucket}", name: "objects", nav: "Objects", live: []string{"objects"}, load: d.objects, external: d.ObjectService != ""},
		{pattern: "GET /objects/{bucket}/object", name: "object", nav: "Objects", load: d.object},
		{pattern: "GET /logs", name: "logs", nav: "Logs", follow: true, load: d.logs},
		{pattern: "GET /clicks", name: "clicks", nav: "Clicks", live: []string{"clicks"}, load: d.clicks},
		{pattern: "GET /", name: "error", load: func(*http.Request) (model, error) { return nil, ErrNotFound }},
	}
	for _, p := range pages {
		if err := p.parse(d); err != nil {
			return err
		}
		d.mux.Handle(p.pattern, p)
	}
	actions := map[string]func(*http.Request) (done, error){
		"POST /processes/restart":              d.restart,
		"POST /processes/scale":                d.scale,
		"POST /queues/{queue}/redrive":         d.redriveOne,
		"POST /queues/{queue}/redrive-all":     d.redriveAll,
		"POST /queues/{queue}/delete":          d.deleteMessage,
		"POST /queues/{queue}/run-now":         d.runNow,
		"POST /keys/release":                   d.release,
		"POST /queues/{queue}/purge":           d.purge,
		"POST /queues/{queue}/delete-matching": d.deleteMatching,
		"POST /queues/{queue}/pause":           d.pause,
		"POST /queues/{queue}/resume":          d.resume,
		"POST /effects/resolve":                d.resolve,
		"POST /task/cancel":                    d.cancel,
		"POST /site/maintenance":               d.maintain,
		"POST /schedule/run":                   d.runSchedule,
		"POST /inbox/clear":                    d.clearInbox,
		"POST /inbox/{mail}/delete":            d.deleteMail,
		"POST /objects/{bucket}/object/delete": d.deleteObject,
	}
	for pattern, do := range actions {
		d.mux.Handle(pattern, d.action(do))
	}
	d.mux.HandleFunc("GET /inbox/{mail}/html", d.mailHTML)
	d.mux.HandleFunc("GET /inbox/{mail}/raw", d.mailRaw)
	d.mux.HandleFunc("GET /inbox/{mail}/part/{n}", d.mailPart)
	d.mux.HandleFunc("GET /objects/{bucket}/object/raw", d.objectRaw)
	d.mux.HandleFunc("GET /clicks.csv", d.clicksCSV)
	d.mux.HandleFunc("GET /events", d.events)
	if d.Metrics != nil {
		d.mux.Handle("GET /metrics", d.Metrics)
	}
	d.mux.Handle("GET /assets/", d.assets)
	return nil
}

// Close ends the event streams and waits until their handlers have returned.
// Requests after it are refused with 503.
func (d *Dash) Close() error {
	d.streams.close()
	return nil
}
