//go:build !unix

package edge

import (
	"log/slog"
	"net/http"
)

func newListening(s *http.Server, _ *slog.Logger, _ func() bool) listening { return s }
