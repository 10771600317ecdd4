package dash

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// openSite is a site whose maintenance the dashboard turns on and off.
type openSite struct{ is Maintenance }

func (s *openSite) Maintenance() *Maintenance { return &s.is }

func (s *openSite) Maintain(_ context.Context, on bool, message string) error {
	s.is = Maintenance{On: on, Message: message, Since: time.Now(), By: "the dashboard"}
	return nil
}

func TestMaintenance(t *testing.T) {
	s := &openSite{}
	d, err := New(Options{App: &fakeApp{}, Site: s})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method string, form url.Values) (int, string) {
		r := httptest.NewRequest(method, "http://localhost/", strings.NewReader(form.Encode()))
		if method == "POST" {
			r.URL.Path = "/site/maintenance"
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	if _, body := ask("GET", nil); !strings.Contains(body, "Begin maintenance") || strings.Contains(body, "End maintenance") {
		t.Errorf("an open site: %s", body)
	}
	if code, body := ask("POST", url.Values{"on": {"true"}, "message": {"Until noon <b>"}}); code != http.StatusSeeOther || !s.is.On || s.is.Message != "Until noon <b>" {
		t.Fatalf("begun: %d %s, %+v", code, body, s.is)
	}
	if _, body := ask("GET", nil); !strings.Contains(body, "End maintenance") || !strings.Contains(body, "Until noon &lt;b&gt;") || strings.Contains(body, "Begin maintenance") {
		t.Errorf("in maintenance: %s", body)
	}
	if code, _ := ask("POST", url.Values{"on": {"false"}}); code != http.StatusSeeOther || s.is.On {
		t.Errorf("ended: %d, %+v", code, s.is)
	}
	d.Site = nil
	if code, _ := ask("POST", url.Values{"on": {"true"}}); code != http.StatusNotFound {
		t.Errorf("without a site: %d", code)
	}
}
