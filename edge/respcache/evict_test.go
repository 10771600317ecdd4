package respcache

import (
	"container/list"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// trace is n requests for pages by a Zipf distribution, and between them
// crawls: long runs of pages that nobody else asks for.
func trace(seed uint64, n int) []int {
	rnd := rand.New(rand.NewPCG(seed, 1))
	zipf := rand.NewZipf(rnd, 1.05, 10, 50_000)
	out := make([]int, 0, n)
	crawled := 1_000_000
	for len(out) < n {
		if rnd.IntN(2000) == 0 {
			for range 1000 {
				crawled++
				out = append(out, crawled)
			}
		}
		out = append(out, int(zipf.Uint64()))
	}
	return out
}

// hitsOfLRU is how often a least-recently-used cache of so many objects has
// what is asked for.
func hitsOfLRU(trace []int, room int) (hits int) {
	l, at := list.New(), map[int]*list.Element{}
	for _, page := range trace {
		if e := at[page]; e != nil {
			hits++
			l.MoveToFront(e)
			continue
		}
		at[page] = l.PushFront(page)
		if l.Len() > room {
			delete(at, l.Remove(l.Back()).(int))
		}
	}
	return hits
}

// TestEviction compares the hits of the eviction with those of the usual one
// with the same room, on a trace with crawlers.
func TestEviction(t *testing.T) {
	const room, seed = 1000, 1
	requests := trace(seed, 300_000)
	e := &eviction{}
	at := map[int]*object{}
	name := map[*object]int{}
	hits := 0
	for _, page := range requests {
		if o := at[page]; o != nil {
			hits++
			o.used()
			continue
		}
		o := &object{cost: 1}
		at[page], name[o] = o, page
		e.add(o, uint64(page))
		for e.bytes() > room {
			v := e.victim(room, func(o *object) uint64 { return uint64(name[o]) })
			delete(at, name[v])
			delete(name, v)
		}
		if len(at) != e.small.count+e.main.count || len(e.ghosts.ids) > 2*room {
			t.Fatalf("%d objects, %d in the queues, %d ghosts", len(at), e.small.count+e.main.count, len(e.ghosts.ids))
		}
	}
	lru := hitsOfLRU(requests, room)
	t.Logf("of %d requests: %.1f %% hits; least recently used: %.1f %% (seed %d)", len(requests), 100*float64(hits)/float64(len(requests)),
		100*float64(lru)/float64(len(requests)), seed)
	if hits < lru*115/100 {
		t.Errorf("%d hits, of least recently used %d", hits, lru)
	}
}

// TestMemory: what is counted stays within the bound whatever sizes come, also
// when everything is purged.
func TestMemory(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 2))
	t.Logf("seed %d", seed)
	s := newSite(t, Options{Size: 1 << 20, MaxBody: 100_000}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Surrogate-Key", "a b c")
		io.WriteString(w, strings.Repeat("x", rnd.IntN(120_000)))
	})
	for range 2000 {
		s.get(fmt.Sprintf("/%d", rnd.IntN(300)))
		if st := s.Stats(); st.Memory > 1<<20 || st.Memory < 0 || s.filling.Load() != 0 {
			t.Fatalf("%+v, %d being received", st, s.filling.Load())
		}
	}
	if _, err := s.Purge(Purge{All: true}); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Memory != 0 || st.Objects != 0 || len(s.tags) != 0 {
		t.Errorf("%+v, %d keys", st, len(s.tags))
	}
}
