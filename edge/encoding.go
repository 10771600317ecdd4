package edge

import "github.com/dayfly-dev/dayfly/edge/accept"

// An encoding is a way a static file is stored and sent.
type encoding = accept.Encoding

const (
	identity  = accept.Identity
	gzipped   = accept.Gzip
	zstandard = accept.Zstd
	brotlied  = accept.Brotli
	encodings = accept.Encodings
)
