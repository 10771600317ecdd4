package edge

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/dayfly-dev/dayfly/edge/cors"
	"github.com/dayfly-dev/dayfly/edge/respcache"
)

// A setup is what follows from Options. It is replaced as a whole, never
// changed; a request keeps to the one it began with.
type setup struct {
	Options
	apex   string
	hsts   []string // header; nil: none
	pages  ownPages
	limits []*limiter
	static *staticFiles     // nil: none
	clicks *clickStore      // nil: there never were any
	layers http.Handler     // nil: none
	cache  *respcache.Cache // nil: none
	cors   *cors.Policy     // nil: the application's own
}

func (e *Edge) setup() *setup { return e.current.Load() }

// newSetup makes what follows from options that are normalized, with what is not
// changed of the setup before. On an error nothing is left of it.
func (e *Edge) newSetup(o Options, was *setup) (s *setup, err error) {
	made := &setup{Options: o, apex: apexOf(o.Host)}
	s = made
	if h := o.HTTPS.HSTS.Header(); h != "" {
		s.hsts = []string{h}
	}
	if s.pages, err = o.Pages.read(); err != nil {
		return nil, err
	}
	if s.limits, err = limiters(o.Limits, was.limits); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			made.discard(e, was)
		}
	}()
	if s.static = was.static; o.Static != was.Static {
		s.static = nil
		if o.Static.Dir != "" {
			if s.static, err = openStatic(o.Static, e.log); err != nil {
				return nil, err
			}
		}
	}
	if s.clicks = was.clicks; s.clicks == nil && len(o.Clicks) > 0 {
		if s.clicks, err = openClicks(o.ClickFile, e.log); err != nil {
			return nil, err
		}
	}
	if err = s.putStamps(e); err == nil { // the innermost layer, which the cache heeds
		err = s.putCache(e)
	}
	if err == nil {
		err = s.putAnswers(e)
	}
	if err == nil {
		err = s.putTeacher(e) // the outermost layer, which sees what is sent
	}
	if err == nil && s.cache != nil { // the last thing that can fail: it is in use
		err = s.cache.Set(e.cacheOptions(s.Cache))
	}
	return s, err
}

// discard closes what a setup does not have from the one before.
func (s *setup) discard(e *Edge, was *setup) {
	if s.static != nil && s.static != was.static {
		s.static.close()
	}
	if s.clicks != nil && s.clicks != was.clicks {
		s.clicks.close()
	}
	if s.cache != nil && s.cache != e.kept {
		s.cache.Close()
	}
}

// use has the requests from now on be handled by a setup.
func (e *Edge) use(s *setup) {
	if s.cache != nil {
		e.kept = s.cache
	}
	if s.cache != nil || s.Protocol == H2C {
		// What the cache shares among clients, and HTTP/2 sends beside us, outlives the handler.
		e.keeps.Store(true)
	}
	e.spools.total.Store(s.Bodies.Total)
	_ = e.traffic.Declare(s.Routes) // they were checked
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current.Store(s)
	if s.Balance.SlowStart <= 0 {
		e.allWarm()
	}
	for _, t := range e.targets {
		t.adopt(s.Options)
	}
	e.wakeHeld()
}

// adopt has a target go on with other options, but for its health check: what it
// runs was started with that.
func (t *target) adopt(o Options) {
	was := t.opt.Load()
	o.HealthPath, o.HealthTimeout, o.Host = was.HealthPath, was.HealthTimeout, was.Host
	t.opt.Store(&o)
}

// ErrFixed: an option that is for as long as an Edge lives.
var ErrFixed = errors.New("edge: it cannot be changed while the edge runs")

// Reload has the edge go on with other options: requests that come from now on
// are handled by them, those under way as they began. On an error nothing is
// changed. No request fails, and no connection is closed. What is kept and counted stays: targets,
// cached answers (unless other rules hold for them, see respcache.Cache.Set),
// clicks, statistics, and the counts of limits that are as they were.
//
// Targets keep the health check they were added with. Protocol, ClickFile,
// AccessLogFormat and Bodies.Dir are fixed (ErrFixed), and so is whether the
// cache has a folder (respcache.ErrDir). AccessLog, Log and Trusted are not
// looked at: see Trust.
func (e *Edge) Reload(o Options) error {
	o, err := o.normalize()
	if err != nil {
		return err
	}
	e.reloadMu.Lock()
	defer e.reloadMu.Unlock()
	if e.ctx.Err() != nil {
		return ErrClosed
	}
	was := e.setup()
	for name, same := range map[string]bool{"Protocol": o.Protocol == was.Protocol, "ClickFile": o.ClickFile == was.ClickFile || was.clicks == nil,
		"AccessLogFormat": o.AccessLogFormat == was.AccessLogFormat, "Bodies.Dir": o.Bodies.Dir == was.Bodies.Dir} {
		if !same {
			return fmt.Errorf("%s: %w", name, ErrFixed)
		}
	}
	s, err := e.newSetup(o, was)
	if err != nil {
		return err
	}
	if s.cache != nil && was.cache == nil {
		e.emptyCache(s.cache) // of what requests left that were under way when it ended
	}
	e.use(s)
	if was.cache != nil && s.cache == nil {
		e.emptyCache(was.cache)
	}
	if was.static != nil && s.static != was.static {
		was.static.close()
		if s.static != nil { // both may have written it
			if err := s.static.writeManifest(); err != nil {
				e.log.Warn("static manifest not written", "error", err)
			}
		}
	}
	return nil
}

func (e *Edge) emptyCache(c *respcache.Cache) {
	if _, err := c.Purge(respcache.Purge{All: true}); err != nil {
		e.log.Error("the response cache was not emptied", "error", err)
	}
}
