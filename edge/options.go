package edge

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/edge/traffic"
	"github.com/dayfly-dev/dayfly/edge/versions/archive"
)

// Options configure an Edge. The zero value is a balancer without static
// files, click tracking, host redirect and access log.
type Options struct {
	// Host is the site's public name, such as "www.example.com", without port.
	// A request for its apex ("example.com") is redirected to it, and health
	// checks carry it as their Host. Default: none, no redirect.
	Host string

	// Trusted are the networks whose X-Forwarded-*, Forwarded and X-Request-Id
	// headers are believed; from every other peer they are removed.
	// Default: none.
	Trusted []netip.Prefix

	// HTTPS keeps the site to https. Default: nothing is redirected to it.
	HTTPS HTTPS

	// Protocol is what targets speak: "" is HTTP/1.1, H2C is HTTP/2 with prior
	// knowledge, which gRPC needs.
	Protocol string

	// HealthPath is asked with GET on each target; 200–399 is healthy.
	// Default "": a TCP connection that is accepted is healthy.
	HealthPath string
	// HealthInterval is the time between checks of a target in rotation.
	// A target that is out is asked each quarter of a second, or at this
	// interval if it is shorter. Default 2 s; at least 1 ms.
	HealthInterval time.Duration
	// HealthTimeout bounds one check. Default 2 s.
	HealthTimeout time.Duration
	// HealthFall is how many checks in a row must fail before a target goes
	// out, HealthRise how many must pass before it comes back after that. A new
	// target, and one that refused a connection, needs one. Defaults 3 and 2.
	HealthFall, HealthRise int

	// FilesOnly says that there are no targets and will be none: what is not the
	// edge's own is answered with 404 at once, not held. Default false.
	FilesOnly bool
	// HoldMax bounds how many requests wait while no target is healthy, and
	// HoldTimeout how long each does. Defaults 256 and 10 s. HoldMax below zero
	// holds none.
	HoldMax     int
	HoldTimeout time.Duration

	// Balance says how requests are shared out. The zero value has defaults.
	Balance Balance

	// Limits refuse requests beyond a rate or a concurrency. Default: none.
	Limits []Limit

	// Pages are shown where the application did not answer. Default: plain ones.
	Pages Pages

	// DialTimeout bounds connecting to a target. Default 2 s.
	DialTimeout time.Duration
	// ResponseTimeout bounds the time from the end of the request to the first
	// byte of the answer, and each write of a request's body. Default 60 s.
	ResponseTimeout time.Duration
	// IdleTimeout closes connections to targets that were unused for that long.
	// Default 30 s. Requests that may not be repeated only use connections that
	// were unused for less than a second.
	IdleTimeout time.Duration
	// IdlePerTarget bounds the unused connections kept to one target.
	// Default 256.
	IdlePerTarget int
	// MaxBody bounds a request's body in bytes. Default 1 GiB.
	MaxBody int64
	// Bodies bounds what slow clients can hold. The zero value has defaults.
	Bodies Bodies

	// Answers says what becomes of the application's answers on their way out.
	// Default: nothing.
	Answers Answers

	// Cache has answers of the application kept that it marks cacheable; its Site,
	// Field and Told are set by the edge. Default nil: no cache.
	Cache *respcache.Options

	// Publish has pages be answered from the release that is live. Default nil:
	// nothing is published. Reload does not look at it.
	Publish *Publishing

	// AccessLog receives one line a request. A writer that is slow or
	// fails costs lines, never requests. Default nil: no access log.
	AccessLog io.Writer
	// AccessLogFormat is LogJSON (default) or LogCombined.
	AccessLogFormat string

	// Routes are measured each by itself: see Routes. What belongs to none is grouped
	// by its address. Default: none.
	Routes []traffic.Pattern

	// Static serves files. Default: none.
	Static Static

	// Clicks are the counted redirects by name: Clicks["daily"] answers
	// /daily/?/path. Default: none.
	Clicks map[string]Campaign
	// ClickFile is where clicks are kept. It must be set if Clicks is.
	ClickFile string

	// Log receives events that are not requests. Default: discarded.
	Log *slog.Logger
}

// Static says which files are served and where.
type Static struct {
	// Dir is the folder with the files; "" serves none.
	Dir string
	// Prefix is the path they are served under; it begins and ends with a
	// slash. Default "/static/".
	Prefix string
	// ManifestFile, if set, is written with StaticManifest as JSON at start and
	// after each change, atomically.
	ManifestFile string
	// Rescan is the time between looks at Dir for changes; a folder that takes
	// long to walk is looked at less often. Default 1 s; below zero never.
	Rescan time.Duration
	// MaxFiles and MaxBytes bound what is served: files beyond are left out,
	// with a line in the log. Defaults 20,000 files and 512 MiB.
	MaxFiles int
	MaxBytes int64
	// Archive keeps versions for other nodes and for later: what is not in Dir
	// is looked for there. Default nil: the latest 64 MiB of what this process
	// has replaced stay served.
	Archive *archive.Archive
}

// Campaign is what a click's redirect adds to the address: utm_source,
// utm_medium and utm_campaign. Each is 1–100 characters of [A-Za-z0-9_.-].
type Campaign struct {
	Source, Medium, Campaign string
}

// Target is one instance of the application.
type Target struct {
	// Name tells targets apart, such as "web.1".
	Name string
	// URL is http://host:port, without a path.
	URL string
}

const (
	recheckInterval = 250 * time.Millisecond
	// freshIdle is how long a connection may have been unused for a request
	// that may not be repeated. Servers in use close idle connections after 2 s
	// (gunicorn) and more; the closing races with the next request.
	freshIdle = time.Second
	// bufferedBody is the largest request body that is read whole before a
	// target is chosen: a slow client then holds no target, and the request can
	// be sent again.
	bufferedBody = 64 << 10
)

var (
	hostForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	campaignName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)
	utmValue     = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
)

// normalize returns a copy with defaults filled in, or what is wrong.
func (o Options) normalize() (Options, error) {
	o.Host = strings.ToLower(o.Host)
	if o.Host != "" && !hostForm.MatchString(o.Host) {
		return o, fmt.Errorf("edge: host %q is not a host name; write it like www.example.com, without scheme, port or path", o.Host)
	}
	if o.Protocol != "" && o.Protocol != H2C {
		return o, fmt.Errorf("edge: protocol %q of the targets must be \"\" (HTTP/1.1) or %q", o.Protocol, H2C)
	}
	if o.HealthPath != "" && (!strings.HasPrefix(o.HealthPath, "/") || strings.ContainsFunc(o.HealthPath, func(r rune) bool { return r <= ' ' || r >= 0x7f })) {
		return o, fmt.Errorf("edge: health path %q must begin with / and hold printable ASCII only", o.HealthPath)
	}
	if err := o.HTTPS.normalize(o.Host); err != nil {
		return o, err
	}
	if o.AccessLogFormat != "" && o.AccessLogFormat != LogJSON && o.AccessLogFormat != LogCombined {
		return o, fmt.Errorf("edge: access log format %q must be %q or %q", o.AccessLogFormat, LogJSON, LogCombined)
	}
	if err := o.defaults(); err != nil {
		return o, err
	}
	if err := o.Balance.normalize(); err != nil {
		return o, err
	}
	if err := o.Bodies.normalize(); err != nil {
		return o, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := o.Static.normalize(); err != nil {
		return o, err
	}
	if err := traffic.Check(o.Routes); err != nil {
		return o, fmt.Errorf("edge: %w", err)
	}
	return o, o.checkClicks()
}

// defaults fills in numbers and durations, and checks those that were given.
func (o *Options) defaults() error {
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"HealthInterval", &o.HealthInterval, 2 * time.Second},
		{"HealthTimeout", &o.HealthTimeout, 2 * time.Second},
		{"HoldTimeout", &o.HoldTimeout, 10 * time.Second},
		{"DialTimeout", &o.DialTimeout, 2 * time.Second},
		{"ResponseTimeout", &o.ResponseTimeout, 60 * time.Second},
		{"IdleTimeout", &o.IdleTimeout, 30 * time.Second},
	} {
		if *d.v == 0 {
			*d.v = d.def
		}
		if *d.v < time.Millisecond {
			return fmt.Errorf("edge: %s is %v; it must be at least 1ms", d.name, *d.v)
		}
	}
	for _, n := range []struct {
		name string
		v    *int
		def  int
	}{
		{"HealthFall", &o.HealthFall, 3},
		{"HealthRise", &o.HealthRise, 2},
		{"IdlePerTarget", &o.IdlePerTarget, 256},
	} {
		if *n.v == 0 {
			*n.v = n.def
		}
		if *n.v < 1 {
			return fmt.Errorf("edge: %s is %d; it must be at least 1", n.name, *n.v)
		}
	}
	if o.HoldMax == 0 {
		o.HoldMax = 256
	}
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 30
	}
	if o.MaxBody < 0 {
		return fmt.Errorf("edge: MaxBody is %d; it must be positive", o.MaxBody)
	}
	return nil
}

func (s *Static) normalize() error {
	if s.Prefix == "" {
		s.Prefix = "/static/"
	}
	if !strings.HasPrefix(s.Prefix, "/") || !strings.HasSuffix(s.Prefix, "/") || len(s.Prefix) < 3 {
		return fmt.Errorf("edge: static prefix %q must begin and end with a slash, such as /static/", s.Prefix)
	}
	if s.Rescan == 0 {
		s.Rescan = time.Second
	}
	if s.MaxFiles == 0 {
		s.MaxFiles = 20_000
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = 512 << 20
	}
	if s.MaxFiles < 0 || s.MaxBytes < 0 {
		return fmt.Errorf("edge: static MaxFiles and MaxBytes must be positive")
	}
	return nil
}

func (o *Options) checkClicks() error {
	if len(o.Clicks) > 0 && o.ClickFile == "" {
		return fmt.Errorf("edge: ClickFile must name the file clicks are kept in")
	}
	for name, c := range o.Clicks {
		if !campaignName.MatchString(name) {
			return fmt.Errorf("edge: click name %q must be 1–63 characters of A–Z, a–z, 0–9, _ and -", name)
		}
		for key, v := range map[string]string{"source": c.Source, "medium": c.Medium, "campaign": c.Campaign} {
			if !utmValue.MatchString(v) {
				return fmt.Errorf("edge: click %q: utm %s %q must be 1–100 characters of A–Z, a–z, 0–9, _, . and -", name, key, v)
			}
		}
	}
	return nil
}
