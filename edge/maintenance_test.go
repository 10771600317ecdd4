package edge

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestMaintenance(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "app.css", css)
	s := newSite(t, Options{HealthPath: "/healthz", Static: Static{Dir: dir}, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the site") })
	m := &Maintenance{Message: "Until noon <b>", Key: []byte("0123456789abcdef"), Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	s.SetMaintenance(m)
	if !s.Stats().Maintenance {
		t.Error("Stats do not say it")
	}
	res, body := s.get(t, "/", "Accept", "text/html")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") != "60" || res.Header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(body, "Until noon &lt;b&gt;") || strings.Contains(body, "the site") {
		t.Errorf("answered %d %v %s", res.StatusCode, res.Header, body)
	}
	for path, header := range map[string]string{"/static/app.css": "192.0.9.1", "/healthz": "192.0.9.1", "/": "192.0.2.77", "/x": "::ffff:192.0.2.1"} {
		if res, _ := s.get(t, path, "X-Forwarded-For", header); res.StatusCode != 200 {
			t.Errorf("%s from %s answered %d", path, header, res.StatusCode)
		}
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.client.Jar = jar
	res, _ = s.get(t, m.Pass(time.Now().Add(time.Hour)))
	if res.StatusCode != 303 || res.Header.Get("Location") != "/" || res.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("the pass answered %d %v", res.StatusCode, res.Header)
	}
	if c := res.Cookies()[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 86400 {
		t.Errorf("%+v", c)
	}
	if _, body := s.get(t, "/"); body != "the site" {
		t.Errorf("with the cookie: %q", body)
	}
	value := res.Cookies()[0].Value
	s.client.Jar = nil
	other := &Maintenance{Key: []byte("another key, made elsewhere")}
	for name, cookie := range map[string]string{
		"a longer time":    "9" + value,
		"cut off":          value[:len(value)-1],
		"a pass":           m.sign("pass", time.Now().Add(time.Hour)),
		"over":             m.sign("cookie", time.Now().Add(-time.Second)),
		"of another":       other.sign("cookie", time.Now().Add(time.Hour)),
		"without its time": ".",
	} {
		if res, _ := s.get(t, "/", "Cookie", passCookie+"="+cookie); res.StatusCode != 503 {
			t.Errorf("a cookie %s answered %d", name, res.StatusCode)
		}
	}
	for _, path := range []string{PassPath, PassPath + "?pass=x", other.Pass(time.Now().Add(time.Hour)), m.Pass(time.Now().Add(-time.Hour))} {
		if res, _ := s.get(t, path); res.StatusCode != 403 || res.Header["Set-Cookie"] != nil {
			t.Errorf("%s answered %d %v", path, res.StatusCode, res.Header)
		}
	}
	s.SetMaintenance(nil)
	if _, body := s.get(t, "/"); body != "the site" {
		t.Errorf("afterwards: %q", body)
	}
	if res, _ := s.get(t, m.Pass(time.Now().Add(time.Hour))); res.StatusCode != 303 || res.Header["Set-Cookie"] != nil {
		t.Errorf("a pass afterwards answered %d %v", res.StatusCode, res.Header)
	}
}

// Without a key nobody gets in by a signature of none.
func TestMaintenanceWithoutKey(t *testing.T) {
	s := newSite(t, Options{HoldMax: -1})
	m := &Maintenance{}
	s.SetMaintenance(m)
	if res, _ := s.get(t, m.Pass(time.Now().Add(time.Hour))); res.StatusCode != 403 {
		t.Errorf("answered %d", res.StatusCode)
	}
	if res, _ := s.get(t, "/", "Cookie", passCookie+"="+m.sign("cookie", time.Now().Add(time.Hour))); !strings.Contains(res.Header.Get("Retry-After"), "60") {
		t.Errorf("answered %d %v", res.StatusCode, res.Header)
	}
}
