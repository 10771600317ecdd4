package respcache

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestCoalesce has many ask at once: the application is asked once.
func TestCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second)
			w.Header().Set("Cache-Control", "max-age=60")
			io.WriteString(w, "hello")
		})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if a := s.get("/"); a.body != "hello" {
					t.Errorf("got %q", a.body)
				}
			})
		}
		wg.Wait()
		if n := s.fetches(); n != 1 {
			t.Errorf("the application was asked %d times", n)
		}
		if st := s.Stats(); st.Misses != 1 || st.Collapsed != 99 {
			t.Errorf("%+v", st)
		}
		s.Close()
	})
}

// TestPassesDoNotWait: answers that are not stored hold nobody up but those who
// came before the first was known.
func TestPassesDoNotWait(t *testing.T) {
	for name, control := range map[string]string{"private": "private", "for cookies": "max-age=60"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(time.Second)
					w.Header().Set("Cache-Control", control)
					io.WriteString(w, "hello")
				})
				began := time.Now()
				var wg sync.WaitGroup
				for range 50 {
					wg.Go(func() { s.get("/", "Cookie", "a=b") })
				}
				wg.Wait()
				if took := time.Since(began); took != 2*time.Second {
					t.Errorf("the first ones took %v", took)
				}
				began = time.Now()
				for range 50 {
					wg.Go(func() { s.get("/", "Cookie", "a=b") })
				}
				wg.Wait()
				if took := time.Since(began); took != time.Second {
					t.Errorf("the later ones took %v", took)
				}
				s.Close()
			})
		})
	}
}

// TestPassEnds: what becomes cacheable is cached again.
func TestPassEnds(t *testing.T) {
	control := "private"
	s := newSite(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", control)
		io.WriteString(w, "hello")
	})
	s.get("/")
	s.get("/")
	control = "max-age=60"
	s.get("/") // shows that it is cacheable
	s.get("/") // is stored
	n := s.fetches()
	if a := s.get("/"); s.fetches() != n {
		t.Errorf("not cached: %s", a.status())
	}
}

// TestLeave: the one who asked first leaves, and those who wait get the answer;
// when all leave, the request ends.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(10 * time.Second): // of the bubble: who waits does for waitFor at most
				w.Header().Set("Cache-Control", "max-age=60")
				io.WriteString(w, "hello")
			case <-r.Context().Done():
				ended <- r.Context().Err()
				panic(http.ErrAbortHandler)
			}
		})
		for _, waits := range []bool{true, false} {
			ctx, cancel := context.WithCancel(t.Context())
			path := fmt.Sprintf("/%v", waits)
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() { _ = recover() }()
				s.as(ctx, "GET", path)
			})
			synctest.Wait()
			if waits {
				wg.Go(func() {
					if a := s.get(path); a.body != "hello" {
						t.Errorf("who waited got %q", a.body)
					}
				})
				synctest.Wait()
			}
			time.Sleep(5 * time.Second)
			cancel()
			wg.Wait()
			select {
			case <-ended:
				if waits {
					t.Error("the request was ended though somebody waited")
				}
			default:
				if !waits {
					t.Error("the request went on though nobody waited")
				}
			}
		}
		s.Close()
	})
}

// TestStream: the first client and those who wait get bytes before the answer
// is whole.
func TestStream(t *testing.T) {
	proceed := make(chan bool)
	server := newServer(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "first ")
		http.NewResponseController(w).Flush()
		<-proceed
		io.WriteString(w, "second")
	})
	open := func() io.ReadCloser {
		res, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 6)
		if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != "first " {
			t.Fatalf("%q, %v", b, err)
		}
		return res.Body
	}
	one, two := open(), open()
	close(proceed)
	for _, body := range []io.ReadCloser{one, two} {
		if b, err := io.ReadAll(body); err != nil || string(b) != "second" {
			t.Errorf("%q, %v", b, err)
		}
		body.Close()
	}
}

func newServer(t *testing.T, o Options, application http.HandlerFunc) *httptest.Server {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c.Handler(application))
	t.Cleanup(func() {
		server.Close()
		c.Close()
	})
	return server
}

// TestTooLarge: a body beyond the bound passes through whole to all that got its
// beginning, and is not stored.
func TestTooLarge(t *testing.T) {
	piece := bytes.Repeat([]byte("x"), 10_000)
	for _, length := range []bool{false, true} {
		var n atomic.Int64
		server := newServer(t, Options{MaxBody: 25_000}, func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			w.Header().Set("Cache-Control", "max-age=60")
			if length {
				w.Header().Set("Content-Length", "200000")
			}
			for range 20 {
				w.Write(piece)
			}
		})
		for range 2 {
			res, err := http.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || len(b) != 200_000 {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		}
		if n := n.Load(); n != 2 {
			t.Errorf("length told: %v: the application was asked %d times", length, n)
		}
	}
}

// TestBrokenOff: an answer that breaks off breaks off for the client, and is not
// stored.
func TestBrokenOff(t *testing.T) {
	for name, application := range map[string]http.HandlerFunc{
		"aborted": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			server := newServer(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				application(w, r)
			})
			for range 2 {
				res, err := http.Get(server.URL)
				if err != nil {
					continue
				}
				if b, err := io.ReadAll(res.Body); err == nil {
					t.Errorf("a broken answer arrived as a whole one: %q", b)
				}
				res.Body.Close()
			}
			if n := n.Load(); n != 2 {
				t.Errorf("the application was asked %d times", n)
			}
		})
	}
}

// TestVariants: each language is an answer of its own; many make room.
func TestVariants(t *testing.T) {
	s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "Accept-Language")
		io.WriteString(w, "in "+r.Header.Get("Accept-Language"))
	})
	for range 2 {
		for i := range maxVariants + 10 {
			lang := fmt.Sprintf("l%d", i)
			if a := s.get("/", "Accept-Language", lang); a.body != "in "+lang {
				t.Fatalf("%s got %q", lang, a.body)
			}
		}
	}
	if a := s.get("/"); a.body != "in " || !strings.Contains(a.status(), "fwd=vary-miss") {
		t.Errorf("without: %q, %s", a.body, a.status())
	}
	if n := s.Stats().Objects; n != maxVariants {
		t.Errorf("%d variants are kept", n)
	}
}

// TestHeaderBomb: a request with very long fields that answers vary by is
// answered, and nothing of it is kept.
func TestHeaderBomb(t *testing.T) {
	s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "Accept-Language")
		io.WriteString(w, "hello")
	})
	for i := range 50 {
		s.get("/", "Accept-Language", strings.Repeat(fmt.Sprintf("x%d,", i), 10_000))
	}
	s.get("/" + strings.Repeat("x", maxKey))
	if st := s.Stats(); st.Objects != 0 {
		t.Errorf("%+v", st)
	}
}
