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
	"log/slog"
	"net/http"
	"time"
)

// Options of a Dash.
type Options struct {
	App App // required

	// Queues shows the queues; nil: the page says there are none here.
	Queues Queues
	// Browser shows messages; nil: the page says that the service cannot.
	Browser Browser
	// QueueService names the service when it is not the embedded one, e.g.
	// "Amazon SQS, eu-west-1"; "" is the embedded one.
	QueueService string

	// Inbox shows mails; nil: the page says that mail leaves by MailService.
	Inbox       Inbox
	MailService string

	// Buckets shows objects; nil: the page says there is no object store.
	Buckets       Buckets
	ObjectService string

	// Hosts are host names (no port) the dashboard may be asked under besides
	// loopback addresses, localhost and *.localhost. Default none.
	Hosts []string
	// Refresh is how often an open page is rendered again, 100 ms–1 min.
	// Default 2 s.
	Refresh time.Duration
	// MaxStreams is how many pages may follow at once, 1–10,000. Default 64.
	MaxStreams int
	// Log takes failures of sources. Default: discarded.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Dash serves the dashboard. It is an http.Handler.
type Dash struct {
	o Options
}

// New makes a dashboard; it starts nothing.
func New(o Options) (*Dash, error) {
	if o.App == nil {
		return nil, errors.New("dash: Options.App is required")
	}
	return &Dash{o: o}, nil
}

// ServeHTTP answers one request.
func (d *Dash) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "being built", http.StatusServiceUnavailable)
}

// Close ends the event streams and waits until their handlers have returned.
// Requests after it are refused with 503.
func (d *Dash) Close() error { return nil }
