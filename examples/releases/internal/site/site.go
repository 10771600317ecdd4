// Package site is the release watcher's web site: pages rendered on the
// server, readable without scripts; a feed; an API; a health check that proves
// what the site stands on.
package site

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"gocloud.dev/blob"

	"github.com/dayfly-dev/dayfly/cache"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/jobs"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/queue"
)

// Options of a Site. All are needed but those that say otherwise.
type Options struct {
	DB             *store.DB
	Jobs           *jobs.Jobs   // to enqueue
	Queue          *queue.Queue // for the health check
	Bucket         *blob.Bucket
	Cache          *cache.Cache // nil: none
	BucketURL      string       // where browsers load the bucket's objects from, without slash at its end
	SiteURL        string       // without slash at its end
	Static         fs.FS        // style.css and the rest
	StaticManifest string       // a JSON file: name → address; "" when the files are served from /static/
	Process        string       // this process's name, for the health check's object
	Log            *slog.Logger
	Now            func() time.Time // default time.Now
}

// Site is an http.Handler.
type Site struct {
	o       Options
	pages   *pages
	static  *staticFiles
	health  *health
	policy  string
	handler http.Handler
}

// New prepares the pages; a template or a static file that is missing is an error.
func New(o Options) (*Site, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Site{o: o, health: newHealth(o)}
	var err error
	if s.static, err = newStatic(o.Static, o.StaticManifest, o.Log); err != nil {
		return nil, err
	}
	if s.pages, err = newPages(s); err != nil {
		return nil, err
	}
	if s.policy, err = policy(o.BucketURL); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /packages/{rest...}", s.packagePage)
	mux.HandleFunc("GET /updates/{rest...}", s.updatePage)
	mux.HandleFunc("POST /updates/{rest...}", s.compareNow)
	mux.HandleFunc("GET /import", s.importForm)
	mux.HandleFunc("POST /import", s.importFile)
	mux.HandleFunc("POST /check", s.checkNow)
	mux.HandleFunc("POST /projects/delete", s.deleteProject)
	mux.HandleFunc("GET /feed.atom", s.feed)
	mux.HandleFunc("GET /api/packages", s.apiPackages)
	mux.HandleFunc("GET /healthz", s.health.serve)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.Handle("GET /static/", s.static)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.problem(w, r, http.StatusNotFound, "There is no such page", "The address may have been mistyped, or the page is gone.")
	})
	// Forms are only taken from our own pages: browsers say where a request
	// comes from (Sec-Fetch-Site, Origin).
	guard := http.NewCrossOriginProtection()
	if err := trust(guard, o.SiteURL); err != nil {
		return nil, err
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.problem(w, r, http.StatusForbidden, "This form came from another site", "Nothing was changed. Use the form on this site.")
	}))
	s.handler = s.outer(guard.Handler(mux))
	return s, nil
}

// trust lets forms come from the site's public address, which a balancer may
// not hand on as Host.
func trust(guard *http.CrossOriginProtection, site string) error {
	if site == "" {
		return nil
	}
	origin, err := originOf(site)
	if err != nil {
		return fmt.Errorf("SITE_URL: %w", err)
	}
	return guard.AddTrustedOrigin(origin)
}

func originOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return "", errors.New("it is not an address such as https://www.example.com")
	}
	return u.Scheme + "://" + u.Host, nil
}

// policy allows what the pages need and nothing else: our own files, and the
// bucket for the script of the advisory page.
func policy(bucket string) (string, error) {
	connect := "'self'"
	if bucket != "" {
		origin, err := originOf(bucket)
		if err != nil {
			return "", fmt.Errorf("BUCKET_ADVISORIES_URL: %w", err)
		}
		connect += " " + origin
	}
	return "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src " + connect +
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", nil
}

// ServeHTTP answers a request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// outer sets what every answer has and turns a panic into a page.
func (s *Site) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", s.policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v)
				}
				s.o.Log.Error("panic", "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
				s.problem(w, r, http.StatusInternalServerError, "Something went wrong here", "It was logged. Trying again may help.")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// failed answers for an error that is ours.
func (s *Site) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, store.ErrNotFound) {
		s.problem(w, r, http.StatusNotFound, "This is not known here", "No project requires it, or it was never found upstream.")
		return
	}
	if r.Context().Err() != nil {
		return // nobody waits for the answer
	}
	s.o.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	s.problem(w, r, http.StatusServiceUnavailable, "This cannot be shown now", "A service it needs did not answer. It was logged; trying again may help.")
}

// tag is an entity tag of content.
func tag(b []byte) string {
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// unchanged answers 304 when the client has the content of this tag.
func unchanged(w http.ResponseWriter, r *http.Request, etag string) bool {
	w.Header().Set("ETag", etag)
	for t := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == etag || t == "*" {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}
