package respcache

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var purgePages = []string{"http://a.example/", "http://a.example/blog/1", "http://a.example/blog/1?x", "http://a.example/blog/2", "http://b.example/blog/1",
	"https://a.example:8443/blog/1"}

func TestPurge(t *testing.T) {
	for _, c := range []struct {
		name  string
		purge Purge
		gone  string // indices into purgePages
	}{
		{"key", Purge{Keys: []string{"all"}}, "012345"},
		{"another key", Purge{Keys: []string{"/blog/1", "nothing"}}, "1245"},
		{"a key of Cache-Tag", Purge{Keys: []string{"tag of /blog/2"}}, "3"},
		{"key of a host", Purge{Keys: []string{"all"}, Host: "B.example"}, "4"},
		{"path with any query", Purge{Paths: []string{"/blog/1"}}, "1245"},
		{"path with its query", Purge{Paths: []string{"/blog/1?x"}}, "2"},
		{"address", Purge{Paths: []string{"http://a.example/blog/1"}}, "125"},
		{"prefix", Purge{Prefixes: []string{"/blog/"}}, "12345"},
		{"prefix of a host", Purge{Prefixes: []string{"https://b.example/"}}, "4"},
		{"path and key", Purge{Paths: []string{"/"}, Keys: []string{"/blog/2"}}, "03"},
		{"all", Purge{All: true}, "012345"},
		{"all of a host", Purge{All: true, Host: "a.example"}, "01235"},
		{"nothing", Purge{Paths: []string{"/blog"}}, ""},
	} {
		for _, soft := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s soft %v", c.name, soft), func(t *testing.T) {
				s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cache-Control", "max-age=60")
					w.Header().Set("Surrogate-Key", "all "+r.URL.Path)
					w.Header().Set("Cache-Tag", "tag of "+r.URL.Path+", other")
					io.WriteString(w, "hello")
				})
				for _, p := range purgePages {
					s.get(p)
				}
				c.purge.Soft = soft
				n, err := s.Purge(c.purge)
				if err != nil || n != len(c.gone) {
					t.Errorf("%d were purged, %v", n, err)
				}
				var gone strings.Builder
				for i, p := range purgePages {
					before := s.fetches()
					s.get(p)
					if s.fetches() > before {
						fmt.Fprint(&gone, i)
					}
				}
				if gone.String() != c.gone {
					t.Errorf("gone are %s, not %s", gone.String(), c.gone)
				}
			})
		}
	}
}

func TestPurgeRefused(t *testing.T) {
	s := newSite(t, Options{}, numbered())
	for _, p := range []Purge{{}, {Host: "a"}, {All: true, Keys: []string{"a"}}, {Keys: []string{""}}, {Paths: []string{"a"}}, {Prefixes: []string{"ftp://a/b"}},
		{Keys: make([]string, maxSelectors+1)}} {
		if _, err := s.Purge(p); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

// TestPurgeUnderway: what was being fetched when the purge came is not served
// to anybody who asks after it.
func TestPurgeUnderway(t *testing.T) {
	for _, p := range []Purge{{Keys: []string{"k"}}, {Paths: []string{"/"}}, {Prefixes: []string{"/"}}, {All: true}, {Keys: []string{"k"}, Soft: true}} {
		for _, headFirst := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				content := "old"
				s := newSite(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
					body := content
					w.Header().Set("Cache-Control", "max-age=60")
					w.Header().Set("Surrogate-Key", "k")
					if headFirst {
						w.WriteHeader(200)
					}
					time.Sleep(time.Second)
					io.WriteString(w, body)
				})
				var wg sync.WaitGroup
				wg.Go(func() { s.get("/") })
				synctest.Wait()
				content = "new"
				if _, err := s.Purge(p); err != nil {
					t.Error(err)
				}
				for range 2 {
					wg.Go(func() {
						if a := s.get("/"); a.body != "new" {
							t.Errorf("%+v: got %s (%s)", p, a.body, a.status())
						}
					})
				}
				wg.Wait()
				if a := s.get("/"); a.body != "new" {
					t.Errorf("%+v: later got %s (%s)", p, a.body, a.status())
				}
				s.Close()
			})
		}
	}
}

// TestSoftPurge: what is purged softly is served stale while it is renewed, and
// confirmed by its validator.
func TestSoftPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60, stale-while-revalidate=60")
			w.Header().Set("Etag", `"a"`)
			if r.Header["If-None-Match"] != nil {
				w.WriteHeader(304)
				return
			}
			io.WriteString(w, "hello")
		})
		s.get("/")
		if n, err := s.Purge(Purge{All: true, Soft: true}); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		var got []string
		for range 2 {
			got = append(got, s.get("/").status())
			synctest.Wait()
		}
		if want := []string{"dayfly; hit; ttl=0", "dayfly; hit; ttl=60"}; !slices.Equal(got, want) || s.fetches() != 2 {
			t.Errorf("%q, %d requests", got, s.fetches())
		}
		s.Close()
	})
}
