package respcache

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEncodings(t *testing.T) {
	same := [][]string{
		{"gzip, br", "br,gzip", "GZIP ,Br", "x-gzip, br", "br;q=1.0, gzip;q=1"},
		{"gzip;q=0.5, br", "br, gzip;q=0.5", "br;q=1.000,gzip;q=0.500"},
		{"", " ", ","},
		{"gzip;q=0", "gzip; q=0.000"},
	}
	seen := map[string]int{}
	for i, class := range same {
		for _, v := range class {
			got := string(appendEncodings(nil, []string{v}))
			if j, ok := seen[got]; ok && j != i {
				t.Errorf("%q is as one of class %d: %q", v, j, got)
			}
			seen[got] = i
		}
	}
	if len(seen) != len(same) {
		t.Errorf("%d forms of %d classes: %v", len(seen), len(same), seen)
	}
}

func TestTargeted(t *testing.T) {
	for _, c := range []struct {
		in string
		ok bool
	}{
		{"max-age=60", true}, {"max-age=60, no-store", true}, {"max-age=60;a=1;b, x=?0", true}, {`a="x, no-store", max-age=1`, true},
		{"", false}, {"Max-Age=60", false}, {"max-age=60,", false}, {"max-age 60", false}, {"max-age=", false}, {`a="x`, false}, {"=1", false},
	} {
		d, ok := parseTargeted([]string{c.in})
		if ok != c.ok {
			t.Errorf("%q: %v", c.in, ok)
		}
		if strings.HasPrefix(c.in, `a=`) && d.noStore {
			t.Errorf("%q: a string's content is a directive", c.in)
		}
	}
	if d, _ := parseTargeted([]string{"max-age=60", "max-age=30"}); d.maxAge.Seconds() != 30 {
		t.Errorf("of a key given twice %v counts", d.maxAge)
	}
	if d, _ := parseTargeted([]string{`max-age="60"`}); d.maxAge != unset {
		t.Errorf("a string is no number of seconds, but %v", d.maxAge)
	}
}

// FuzzDirectives: no input is read as more than its bound, reading the same
// twice says the same, and what says no-store by itself always says it.
func FuzzDirectives(f *testing.F) {
	for _, s := range []string{"max-age=60", `no-cache="a, b", s-maxage="1"`, `x="\"",private`, "max-age =1", ",,;=", `a="`} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		d := parseDirectives([]string{a, b})
		if d != parseDirectives([]string{a, b}) {
			t.Fatal("read twice, it says two things")
		}
		for _, v := range []int64{int64(d.maxAge), int64(d.sMaxAge), int64(d.staleIfError)} {
			if v < int64(unset) || v > int64(maxDelta) {
				t.Fatalf("%d is out of bounds", v)
			}
		}
		if !parseDirectives([]string{"no-store", a}).noStore || !parseDirectives([]string{"private", a}).private {
			t.Fatal("what follows a prohibition lifts it")
		}
		parseTargeted([]string{a, b})
	})
}

// FuzzVary: two requests with the same fields are one, and one that lacks a
// field is not one that has it.
func FuzzVary(f *testing.F) {
	f.Add("Accept, accept-encoding", "gzip, br;q=0.5", "a")
	f.Add("X-A,,Y", `"a,b" ,c`, "")
	f.Fuzz(func(t *testing.T, vary, value, other string) {
		names, ok := varyNames([]string{vary})
		if !ok {
			return
		}
		if len(names) > maxVary {
			t.Fatalf("%d names", len(names))
		}
		c := &Cache{}
		c.opt.Store(&Options{})
		request := func(v string) *http.Request {
			r := httptest.NewRequest("GET", "/", nil)
			for _, name := range names {
				r.Header[name] = []string{v}
			}
			return r
		}
		a, ok := c.selecting(nil, request(value), names)
		if len(a) > maxVaryValues+len(value)+16 && ok {
			t.Fatalf("%d bytes", len(a))
		}
		if b, _ := c.selecting(nil, request(value), names); string(a) != string(b) {
			t.Fatal("the same request twice is two")
		}
		if b, ok2 := c.selecting(nil, httptest.NewRequest("GET", "/", nil), names); ok && ok2 && string(a) == string(b) && len(names) > 0 && names[0] != "Host" {
			t.Fatal("without the fields is as with them")
		}
		if b, ok2 := c.selecting(nil, request(other), names); ok && ok2 && len(names) > 0 && string(a) == string(b) &&
			isToken(value) && isToken(other) && !strings.EqualFold(value, other) && names[0] != "Accept-Encoding" && names[0] != "Host" {
			t.Fatalf("%q is as %q", value, other)
		}
	})
}
