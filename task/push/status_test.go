package push

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestStatus: why tasks wait and since when is told while they do, of an endpoint
// that is not reached and of one that only fails.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		r := newRig(t, "default", 100, func(w http.ResponseWriter, _ *http.Request) {
			if broken.Load() {
				w.WriteHeader(502)
			}
		})
		p, err := New(r.o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		for what, breaks := range map[string]func(bool){
			errRefused.Error(): func(on bool) { r.setDown(map[bool]error{true: errRefused}[on]) },
			"502":              broken.Store,
		} {
			if s := p.Status(); s != (Status{}) {
				t.Errorf("of an endpoint that works: %+v", s)
			}
			breaks(true)
			r.enqueue(what)
			time.Sleep(time.Minute)
			s := p.Status()
			if since := time.Since(s.Since); !s.Down || since < 50*time.Second || since > time.Minute || !strings.Contains(s.Error, what) {
				t.Errorf("after a minute of %s: %+v", what, s)
			}
			if next := time.Until(s.Next); next > maxPause {
				t.Errorf("next look in %v", next)
			}
			breaks(false)
			time.Sleep(time.Minute)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
