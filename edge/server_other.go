//go:build !unix

package edge

import (
	"log/slog"
	"net"
	"net/http"
)

func newListening(s *http.Server, _ *slog.Logger, _ func() bool) listening {
	if s.TLSConfig != nil {
		return overTLS{s}
	}
	return s
}

// overTLS serves with TLS.
type overTLS struct{ *http.Server }

// Serve implements listening.
func (s overTLS) Serve(l net.Listener) error { return s.ServeTLS(l, "", "") }
