package respcache

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestVaryFlood: 10,000 values of a field that an answer varies by, and answers
// that vary by ever other fields, are bounded in number and memory.
func TestVaryFlood(t *testing.T) {
	s := newSite(t, Options{Size: 1 << 20, MaxBody: 100 << 10}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", r.Header.Get("By"))
		io.WriteString(w, r.Header.Get("By")+" "+r.Header.Get("X-Value"))
	})
	for i := range 10_000 {
		by := "X-Value"
		if i%2 == 1 {
			by = fmt.Sprintf("X-Value, X-%d", i)
		}
		if want, got := fmt.Sprintf("%s %d", by, i), s.get("/", "By", by, "X-Value", fmt.Sprint(i)).body; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if n := s.Stats(); n.Objects > maxVariants || n.Memory > n.MemoryMax {
		t.Errorf("%+v", n)
	}
}

// TestLargeUnderLoad: answers that are large for the memory there is, asked for by
// many at once, by stored and by passing ones, stay within the bound.
func TestLargeUnderLoad(t *testing.T) {
	s := newSite(t, Options{Size: 2 << 20, MaxBody: 1 << 20}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		for range 9 { // without a length
			io.WriteString(w, strings.Repeat(r.URL.Path, 50_000/len(r.URL.Path)))
		}
	})
	var wg sync.WaitGroup
	for who := range 8 {
		wg.Go(func() {
			for i := range 30 {
				path := fmt.Sprintf("/%d", (i*7+who)%20)
				if a := s.get(path); len(a.body) != 9*(50_000/len(path))*len(path) {
					t.Errorf("%s: %d bytes", path, len(a.body))
				}
				if n := s.Stats(); n.Memory > n.MemoryMax {
					t.Errorf("%d bytes of %d", n.Memory, n.MemoryMax)
				}
				if n := s.filling.Load(); n > 2*(2<<20) {
					t.Errorf("%d bytes are being received", n)
				}
			}
		})
	}
	wg.Wait()
	if n := s.filling.Load(); n != 0 {
		t.Errorf("%d bytes count as being received", n)
	}
}

// FuzzTags: no Surrogate-Key or Cache-Tag makes more keys, or larger ones, than
// there may be; each key is in the fields, and is found by a purge of it.
func FuzzTags(f *testing.F) {
	f.Add("a b  c", "d, e,,f")
	f.Add(strings.Repeat("a ", maxTags+1), "")
	f.Add("\ta\u00a0b", " , ")
	f.Fuzz(func(t *testing.T, surrogate, tag string) {
		tags, ok := tagsOf(http.Header{"Surrogate-Key": {surrogate}, "Cache-Tag": {tag}})
		if !ok {
			return
		}
		size := 0
		for i, k := range tags {
			size += len(k)
			if k == "" || i > 0 && tags[i-1] >= k || !strings.Contains(surrogate, k) && !strings.Contains(tag, k) {
				t.Fatalf("%q among %q", k, tags)
			}
			if p := (Purge{Keys: []string{k}}); p.Check() != nil || !p.matches("http://a/", tags) {
				t.Fatalf("%q is not found", k)
			}
		}
		if len(tags) > maxTags || size > maxTagBytes {
			t.Fatalf("%d keys of %d bytes", len(tags), size)
		}
	})
}

var fuzzNow = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// FuzzAge: an Age is a time from 0 to the largest there is, and what is no number
// counts as none.
func FuzzAge(f *testing.F) {
	for _, s := range []string{"0", "12", "12, 13", "-1", "1.5", "99999999999999999999", " 7 ", "abc", ""} {
		f.Add(s, "")
	}
	f.Add("5", "Mon, 02 Jan 2006 15:04:05 GMT")
	f.Fuzz(func(t *testing.T, age, date string) {
		h := http.Header{"Age": {age}}
		now := fuzzNow
		got := initialAge(h, now, now)
		if got < 0 || got > maxDelta {
			t.Fatalf("%q is %v", age, got)
		}
		first, _, _ := strings.Cut(age, ",")
		if digits := strings.TrimSpace(first); (digits == "" || strings.Trim(digits, "0123456789") != "") && got != 0 {
			t.Fatalf("%q is %v", age, got)
		}
		h["Date"] = []string{date}
		if got := initialAge(h, now, now); got < 0 {
			t.Fatalf("%q at %q is %v", age, date, got)
		}
	})
}

// FuzzTargeted: what is read of a targeted field is bounded, and reading it twice
// as two lines is reading it as one.
func FuzzTargeted(f *testing.F) {
	for _, s := range []string{"max-age=60", "max-age=60, no-store", `private="a, b";x=1`, "max-age=?0", "a=1,", "*a=:b:, s-maxage=-1", "max-age=1.5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseTargeted([]string{s})
		for _, v := range []int64{int64(d.maxAge), int64(d.sMaxAge), int64(d.staleWhileRevalidate), int64(d.staleIfError)} {
			if v < int64(unset) || v > int64(maxDelta) {
				t.Fatalf("%q: %+v", s, d)
			}
		}
		if before, after, cut := strings.Cut(s, ","); cut && ok {
			if two, ok := parseTargeted([]string{before, after}); !ok || two != d {
				t.Fatalf("%q in two lines: %+v, in one %+v", s, two, d)
			}
		}
	})
}
