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
	config := s.TLSConfig
	s.TLSConfig = nil // which net/http would change
	return &http1.Server{HTTP: s, TLS: config, Log: log, Keep: keep}
}
