//go:build unix

package edge

import (
	"log/slog"
	"net/http"

	"github.com/dayfly-dev/dayfly/internal/http1"
)

// newListening serves with the loop. With keep the handler may hold on to
// requests, as layers that ask on behalf of several clients do.
func newListening(s *http.Server, log *slog.Logger, keep func() bool) listening {
	h := &http1.Server{HTTP: s, TLS: s.TLSConfig, Log: log, Keep: keep}
	s.TLSConfig = nil // which net/http would change
	if e, ok := s.Handler.(*Edge); ok {
		quick := e.quick
		h.Quick = func() http1.Answerer {
			if s := e.setup(); s.cache == nil && s.static == nil {
				return nil
			}
			return quick
		}
	}
	return h
}
