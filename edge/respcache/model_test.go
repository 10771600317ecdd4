package respcache

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A page of the model's application: how long it may be used, and how.
type page struct {
	path             string
	maxAge, swr, sie int // seconds
	validator, vary  bool
	secret           bool // not to be stored
}

var modelPages = []page{
	{path: "/short", maxAge: 5}, {path: "/long", maxAge: 50, validator: true}, {path: "/swr", maxAge: 5, swr: 20},
	{path: "/sie", maxAge: 5, sie: 40, validator: true}, {path: "/both", maxAge: 3, swr: 5, sie: 60, vary: true},
	{path: "/vary", maxAge: 30, vary: true, validator: true}, {path: "/secret", maxAge: 100, secret: true}, {path: "/blog/1", maxAge: 40}, {path: "/blog/2", maxAge: 40, swr: 40},
}

// A model is what the application said and when: the reference by which each
// answer is judged. Its order of events is a number that grows.
type model struct {
	mu      sync.Mutex
	rnd     *rand.Rand
	now     int
	version map[string]int
	said    map[string]event        // of each body: when the application last said or confirmed it
	purged  map[string]map[bool]int // by path: when the last purge that has ended began, by whether it was soft
	softAt  map[string]time.Time
	posted  int // when the last POST reached the application
	failing bool
	changed time.Time // of failing
}

type event struct {
	n  int
	at time.Time
}

func (m *model) tick() int {
	m.now++
	return m.now
}

// answer is the application.
func (m *model) answer(w http.ResponseWriter, r *http.Request) {
	var p page
	for _, p = range modelPages {
		if p.path == r.URL.Path {
			break
		}
	}
	lang := ""
	if p.vary {
		lang = r.Header.Get("Accept-Language")
		w.Header().Set("Vary", "Accept-Language")
	}
	m.mu.Lock()
	if r.Method == "POST" {
		m.version[p.path]++
		m.posted = m.tick()
		m.mu.Unlock()
		return
	}
	began := event{m.tick(), time.Now()}
	failing, delay := m.failing, time.Duration(m.rnd.IntN(900))*time.Millisecond
	body := fmt.Sprintf("%s|%s|%d|", p.path, lang, m.version[p.path])
	if p.secret {
		body += r.Header.Get("Cookie")
	}
	m.mu.Unlock()
	time.Sleep(delay)
	if failing {
		w.WriteHeader(503)
		return
	}
	m.mu.Lock()
	if began.n > m.said[body].n {
		m.said[body] = began
	}
	m.mu.Unlock()
	control := fmt.Sprintf("max-age=%d, stale-while-revalidate=%d, stale-if-error=%d", p.maxAge, p.swr, p.sie)
	if p.secret {
		control = "private, " + control
	} else {
		control = "public, " + control // requests have a cookie
	}
	w.Header().Set("Cache-Control", control)
	w.Header().Set("Surrogate-Key", "all "+strings.Trim(p.path, "/"))
	if p.validator {
		etag := fmt.Sprintf("%q", body)
		w.Header().Set("Etag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(304)
			return
		}
	}
	io.WriteString(w, body)
}

// request asks and judges the answer.
func (m *model) request(t *testing.T, s *site, p page, lang, who string) {
	m.mu.Lock()
	began, at := m.tick(), time.Now()
	hard, soft, softAt := m.purged[p.path][false], m.purged[p.path][true], m.softAt[p.path]
	m.mu.Unlock()
	troubled := m.troubled()
	a := s.get(p.path, "Accept-Language", lang, "Cookie", "who="+who)
	if a.StatusCode == 503 {
		if !troubled && !m.troubled() {
			t.Errorf("%s failed, and the application did not", p.path)
		}
		return
	}
	parts := strings.Split(a.body, "|")
	if len(parts) != 4 || parts[0] != p.path || p.vary && parts[1] != lang {
		t.Errorf("%s in %s got %q (%s)", p.path, lang, a.body, a.status())
		return
	}
	if p.secret && parts[3] != "who="+who {
		t.Errorf("%s got the secret of %s", who, parts[3])
	}
	m.mu.Lock()
	said := m.said[a.body]
	m.mu.Unlock()
	troubled = troubled || m.troubled()
	if said.n > began {
		return // it is newer than the request
	}
	if said.n < hard {
		t.Errorf("%s got %q, from before a purge (%s)", p.path, a.body, a.status())
	}
	allowed := p.swr
	if troubled {
		allowed = max(p.swr, p.sie)
	}
	limit := time.Duration(p.maxAge+allowed+1) * time.Second // the head came up to a second after the request for it
	if old := at.Sub(said.at); old > limit {
		t.Errorf("%s got %q, %v old; at most %v (%s)", p.path, a.body, old, limit, a.status())
	}
	if said.n < soft && at.Sub(softAt) > time.Duration(allowed)*time.Second {
		t.Errorf("%s got %q, purged softly %v ago (%s)", p.path, a.body, at.Sub(softAt), a.status())
	}
}

// troubled reports whether the application fails, or did lately.
func (m *model) troubled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failing || time.Since(m.changed) < 2*patience
}

// purge purges a page in one of the ways there are, and notes it.
func (m *model) purge(t *testing.T, s *site, p page, way int, soft bool) {
	x := Purge{Soft: soft}
	matches := func(q page) bool { return q.path == p.path }
	switch way {
	case 0:
		x.Keys = []string{strings.Trim(p.path, "/")}
	case 1:
		x.Paths = []string{p.path}
	case 2:
		x.Prefixes = []string{"/blog"}
		matches = func(q page) bool { return strings.HasPrefix(q.path, "/blog") }
	default:
		x.All = true
		matches = func(page) bool { return true }
	}
	m.mu.Lock()
	n := m.tick()
	m.mu.Unlock()
	if _, err := s.Purge(x); err != nil {
		t.Error(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range modelPages {
		if matches(q) {
			m.purged[q.path][soft] = n
			if soft {
				m.softAt[q.path] = time.Now()
			}
		}
	}
}

// TestHistories runs random histories of requests, changes, faults, purges and
// time against the model: no answer is another's, older than it may be, or from
// before a purge.
func TestHistories(t *testing.T) {
	for run := range 30 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { history(t, seed, run) })
		})
	}
}

func history(t *testing.T, seed uint64, run int) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	m := &model{rnd: rand.New(rand.NewPCG(seed, 4)), version: map[string]int{}, said: map[string]event{}, purged: map[string]map[bool]int{},
		softAt: map[string]time.Time{}, changed: time.Now().Add(-time.Hour)}
	for _, p := range modelPages {
		m.purged[p.path] = map[bool]int{}
	}
	o := Options{}
	if run%3 == 1 {
		o.Size, o.MaxBody = 1<<20, 1000
	}
	s := newSite(t, o, m.answer)
	var wg sync.WaitGroup
	for range 400 {
		p := modelPages[rnd.IntN(len(modelPages))]
		switch n := rnd.IntN(100); {
		case n < 70:
			lang, who := []string{"en", "de", "fr"}[rnd.IntN(3)], fmt.Sprint(rnd.IntN(3))
			for range 1 + rnd.IntN(3) {
				wg.Go(func() { m.request(t, s, p, lang, who) })
			}
		case n < 75:
			m.mu.Lock()
			m.version[p.path]++
			m.mu.Unlock()
		case n < 80:
			m.purge(t, s, p, rnd.IntN(4), rnd.IntN(2) == 0)
		case n < 83:
			s.do("POST", p.path)
			m.mu.Lock()
			m.purged[p.path][false] = m.posted
			m.mu.Unlock()
		case n < 86:
			m.mu.Lock()
			m.failing, m.changed = !m.failing, time.Now()
			m.mu.Unlock()
		default:
			time.Sleep(time.Duration(rnd.IntN(8000)) * time.Millisecond)
		}
	}
	wg.Wait()
	if n := s.Stats(); n.Hits == 0 || n.Misses == 0 || n.Passes == 0 {
		t.Errorf("the history shows nothing: %+v", n)
	}
	s.Close()
}
