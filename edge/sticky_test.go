package edge

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"testing"
)

func TestSticky(t *testing.T) {
	s := newSite(t, Options{Balance: Balance{Sticky: "at", PerTarget: 100}})
	app := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/public" {
				w.Header().Set("Cache-Control", "max-age=5, Public")
			}
			io.WriteString(w, name)
		}
	}
	for _, name := range []string{"web.1", "web.2", "web.3"} {
		s.add(t, name, app(name))
	}
	if res, _ := s.get(t, "/public"); res.Header["Set-Cookie"] != nil {
		t.Errorf("an answer for everybody carries %q", res.Header["Set-Cookie"])
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.client.Jar = jar
	res, home := s.get(t, "/")
	cookies := res.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	if c := cookies[0]; c.Name != "at" || len(c.Value) < 26 || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Errorf("%+v", c)
	}
	for range 20 {
		res, body := s.get(t, "/")
		if body != home || res.Header["Set-Cookie"] != nil {
			t.Fatalf("answered by %s, at home at %s, cookies %q", body, home, res.Header["Set-Cookie"])
		}
	}

	// Its own is drained, as in a rolling restart: another answers, and keeps it.
	if err := s.Drain(t.Context(), home); err != nil {
		t.Fatal(err)
	}
	res, next := s.get(t, "/")
	if next == home || len(res.Cookies()) != 1 {
		t.Fatalf("answered by %s with %d cookies", next, len(res.Cookies()))
	}
	s.Remove(home)
	s.add(t, home, app(home))
	for range 20 {
		if _, body := s.get(t, "/"); body != next {
			t.Fatalf("answered by %s, now at home at %s", body, next)
		}
	}

	// Full, it answers one request by another and stays at home.
	s.mu.Lock()
	s.find(next).outstanding += 100
	s.mu.Unlock()
	if res, body := s.get(t, "/"); body == next || res.Header["Set-Cookie"] != nil {
		t.Errorf("answered by %s, cookies %q", body, res.Header["Set-Cookie"])
	}
	s.mu.Lock()
	s.find(next).outstanding -= 100
	s.mu.Unlock()
	if _, body := s.get(t, "/"); body != next {
		t.Errorf("answered by %s, at home at %s", body, next)
	}

	s.client.Jar = nil
	if res, _ := s.get(t, "/", "Cookie", "at=made-up; at=\"; x"); len(res.Cookies()) != 1 {
		t.Errorf("one who made his cookie up got %q", res.Header["Set-Cookie"])
	}
}
