package edge

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestPlainAnswerCounts: an answer that is passed on as it is on the wire is
// counted and logged as any, and what the application tells the edge stays here.
func TestPlainAnswerCounts(t *testing.T) {
	var log buffer
	s := newSite(t, Options{AccessLog: &log})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(RouteHeader, "things#show")
		w.Header().Set("Content-Encoding", "zstd")
		io.WriteString(w, "x")
	})
	res, body := s.get(t, "/named")
	if body != "x" || res.Header.Get("Content-Encoding") != "zstd" || res.Header[RouteHeader] != nil {
		t.Errorf("the client has %q with %v", body, res.Header)
	}
	eventually(t, "it is counted", func() bool { return countedAll(s.Edge) == 1 })
	eventually(t, "it is logged", func() bool { return strings.HasSuffix(log.String(), "\n") })
	var line struct{ Route, Encoding string }
	if err := json.Unmarshal([]byte(log.String()), &line); err != nil {
		t.Fatal(err)
	}
	if line.Route != "things#show" || line.Encoding != "zstd" {
		t.Errorf("logged: %+v", line)
	}
}
