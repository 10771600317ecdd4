package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestFilesOnly: where no instance will ever come nobody waits for one.
func TestFilesOnly(t *testing.T) {
	s := newSite(t, Options{FilesOnly: true, HoldTimeout: time.Hour})
	for _, method := range []string{"GET", "POST"} {
		res, body := s.do(t, method, "/", strings.NewReader(""), "Accept", "text/html")
		if res.StatusCode != http.StatusNotFound || !strings.Contains(body, "There is nothing at this address") {
			t.Errorf("%s: %d %s", method, res.StatusCode, body)
		}
		if !strings.Contains(body, "Request id: "+res.Header.Get("X-Request-Id")) {
			t.Errorf("the page does not tell the id: %s", body)
		}
	}
}
