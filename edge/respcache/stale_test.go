package respcache

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestStaleWhileRevalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		application := numbered("Cache-Control", "max-age=10, stale-while-revalidate=20")
		s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			application(w, r)
		})
		s.get("/")
		time.Sleep(15 * time.Second)
		began := time.Now()
		for range 3 {
			if a := s.get("/"); a.body != "1" || a.status() != "dayfly; hit; ttl=-5" {
				t.Errorf("got %s, %s", a.body, a.status())
			}
		}
		if time.Since(began) != 0 {
			t.Error("they waited")
		}
		time.Sleep(2 * time.Second)
		if a := s.get("/"); a.body != "2" || s.fetches() != 2 {
			t.Errorf("after the renewal: %s, %s", a.body, a.status())
		}
		time.Sleep(time.Minute)
		if a := s.get("/"); a.body != "3" {
			t.Errorf("after the time for it: %s, %s", a.body, a.status())
		}
		s.Close()
	})
}

func TestStaleIfError(t *testing.T) {
	for _, c := range []struct {
		name, control string
		stale         bool
	}{
		{"allowed", "max-age=10, stale-if-error=100", true},
		{"with s-maxage", "s-maxage=10, stale-if-error=100", true},
		{"not said", "max-age=10", false},
		{"forbidden", "max-age=10, stale-if-error=100, must-revalidate", false},
		{"forbidden to proxies", "max-age=10, stale-if-error=100, proxy-revalidate", false},
		{"no-cache", "max-age=10, stale-if-error=100, no-cache", false},
	} {
		for _, fault := range []string{"503", "500", "broken", "slow"} {
			t.Run(c.name+" "+fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var bad atomic.Bool
					s := newSite(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Etag", `"a"`)
						if bad.Load() {
							switch fault {
							case "503":
								w.WriteHeader(503)
								return
							case "500":
								w.WriteHeader(500)
								return
							case "broken":
								panic(http.ErrAbortHandler)
							default:
								time.Sleep(10 * time.Second)
								w.WriteHeader(504)
								return
							}
						}
						w.Header().Set("Cache-Control", c.control)
						io.WriteString(w, "hello")
					})
					s.get("/")
					time.Sleep(50 * time.Second)
					bad.Store(true)
					got := func() (a answer, broken bool) {
						defer func() { broken = recover() != nil }()
						return s.get("/"), false
					}
					began := time.Now()
					a, broken := got()
					if c.stale && (broken || a.StatusCode != 200 || a.body != "hello") {
						t.Errorf("%v %v", a, broken)
					}
					if !c.stale && !broken && a.StatusCode == 200 {
						t.Errorf("stale was served: %s", a.status())
					}
					if c.stale && fault == "slow" && time.Since(began) != patience {
						t.Errorf("after %v", time.Since(began))
					}
					time.Sleep(100 * time.Second)
					if a, broken := got(); !broken && a.StatusCode == 200 {
						t.Errorf("too stale was served: %s", a.status())
					}
					s.Close()
				})
			})
		}
	}
}

// TestRevalidate: a 304 renews what is stored.
func TestRevalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"a"`)
			w.Header().Set("Cache-Control", "max-age=10")
			if r.Header.Get("If-None-Match") == `"a"` {
				w.Header().Set("X-Round", "2")
				w.Header().Set("Content-Type", "text/wrong")
				w.WriteHeader(304)
				return
			}
			w.Header().Set("X-Round", "1")
			w.Header().Set("Content-Type", "text/right")
			io.WriteString(w, "hello")
		})
		s.get("/")
		time.Sleep(20 * time.Second)
		for _, status := range []string{"dayfly; fwd=stale; fwd-status=304; ttl=10", "dayfly; hit; ttl=10"} {
			a := s.get("/")
			if a.StatusCode != 200 || a.body != "hello" || a.status() != status || a.Header.Get("X-Round") != "2" || a.Header.Get("Content-Type") != "text/right" {
				t.Errorf("%d %s %v", a.StatusCode, a.body, a.Header)
			}
		}
		time.Sleep(20 * time.Second)
		if a := s.get("/", "If-None-Match", `"a"`); a.StatusCode != 304 || a.body != "" {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
		if n := s.fetches(); n != 3 {
			t.Errorf("%d requests", n)
		}
		s.Close()
	})
}

// TestConfirmsAnother: a 304 for another representation is not taken.
func TestConfirmsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header().Set("Cache-Control", "max-age=10")
			if r.Header.Get("If-None-Match") != "" {
				w.Header().Set("Etag", `"b"`)
				w.WriteHeader(304)
				return
			}
			w.Header().Set("Etag", `"a"`)
			io.WriteString(w, []string{"old", "new", "new"}[n-1])
		})
		s.get("/")
		time.Sleep(20 * time.Second)
		if a := s.get("/"); a.StatusCode != 200 || a.body != "new" {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
		s.Close()
	})
}
