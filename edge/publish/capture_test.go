package publish

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var site = &url.URL{Scheme: "https", Host: "www.example.com"}

// answers is an application that answers targets.
func answers(of map[string]*Answer) func(context.Context, string) (*Answer, error) {
	return func(_ context.Context, target string) (*Answer, error) {
		if a := of[target]; a != nil {
			return a, nil
		}
		return &Answer{Status: 404, Header: header()}, nil
	}
}

func TestCaptured(t *testing.T) {
	s := newStores(t).open(t, 10)
	ask := answers(map[string]*Answer{
		"/": {200, header("Content-Type", "text/html", "Cache-Control", "private, max-age=0", "Date", "x", "Link", "</a>", "Link", "</b>",
			"Connection", "X-Hop", "X-Hop", "1", "ETag", `"e"`, "X-Request-Id", "1"), []byte("home\x00")},
		"/%C3%BC?a=1&b=%20": {200, header("Content-Type", "text/plain", "Cache-Control", "public, max-age=60"), []byte("ü")},
		"/moved":            {301, header("Location", "/"), nil},
	})
	o := CaptureOptions{Site: site, Names: []string{"127.0.0.1:8080"}, Ask: ask, Redirects: true}
	r, err := s.Stage(t.Context(), Staging{Source: Captured([]string{"/", "https://www.example.com/ü?a=1&b=%20", "http://127.0.0.1:8080/moved", "/"}, o)})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Pages(t.Context(), r.Entry)
	if err != nil {
		t.Fatal(err)
	}
	want := []Page{
		{Path: "/", Status: 200, Hash: hashOf([]byte("home\x00")), Size: 5, Type: "text/html", Header: map[string]string{"Link": "</a>, </b>"}},
		{Path: "/moved", Status: 301, Hash: hashOf(nil), Header: map[string]string{"Location": "/"}},
		{Path: "/ü", Query: "a=1&b=%20", Status: 200, Hash: hashOf([]byte("ü")), Size: 2, Type: "text/plain", Header: map[string]string{"Cache-Control": "public, max-age=60"}},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
}

// TestCaptureRefused tells why, for all addresses together, and stages nothing.
func TestCaptureRefused(t *testing.T) {
	s := newStores(t).open(t, 10)
	ask := answers(map[string]*Answer{
		"/cookie": {200, header("Set-Cookie", "a=b"), nil},
		"/gzip":   {200, header("Content-Encoding", "gzip"), nil},
		"/moved":  {302, header("Location", "/x"), nil},
		"/good":   {200, header(), nil},
	})
	refused := map[string]string{"/cookie": "sets a cookie", "/gzip": "Accept-Encoding", "/moved": "--redirects", "/missing": "404",
		"https://other.example/": "not of this site", "x": "begins with /", "/_dayfly/preview/": "own", "/a%2fb": "%2F", "/../x": ". and ..", "//x": "not of this site",
		"/a\nb": "no address", "/%00": "control"}
	addresses := append(keysOf(refused), "/good")
	_, err := s.Stage(t.Context(), Staging{Source: Captured(addresses, CaptureOptions{Site: site, Ask: ask})})
	var failed *CaptureError
	if !errors.As(err, &failed) || len(failed.Failed) != len(refused) {
		t.Fatal(err)
	}
	for i, address := range addresses[:len(refused)] {
		if !strings.HasPrefix(failed.Failed[i], address+": ") || !strings.Contains(failed.Failed[i], refused[address]) {
			t.Errorf("%q: %s", address, failed.Failed[i])
		}
	}
	if len(state(t, s).Releases) != 0 {
		t.Error("a release was made")
	}
	broken := errors.New("it broke off")
	_, err = s.Stage(t.Context(), Staging{Source: Captured(make([]string, 30), CaptureOptions{Site: site, Ask: func(context.Context, string) (*Answer, error) { return nil, broken }})})
	if !errors.As(err, &failed) || failed.More != 10 || !strings.Contains(err.Error(), "and 10 more") {
		t.Error(err)
	}
}

func keysOf(m map[string]string) []string { return sortedNames(m) }
