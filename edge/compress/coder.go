package compress

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/dayfly-dev/dayfly/edge/accept"
)

// A coder compresses a stream.
type coder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// Levels and windows are chosen by BenchmarkLevels: what takes twice the time
// has to save a tenth. Windows bound the memory a stream takes here and at the
// client; 256 KiB hold most pages whole.
const (
	gzipLevel     = 5
	brotliQuality = 3
	brotliWindow  = 18 // as a power of two
	zstdLevel     = zstd.SpeedFastest
	zstdWindow    = 256 << 10
)

// coders are used again: making one costs more than most answers.
var coders = [accept.Encodings]sync.Pool{
	accept.Gzip:   {New: func() any { return newGzip(gzipLevel) }},
	accept.Brotli: {New: func() any { return newBrotli(brotliQuality, brotliWindow) }},
	accept.Zstd:   {New: func() any { return newZstd(zstdLevel, zstdWindow) }},
}

func newGzip(level int) coder {
	w, err := gzip.NewWriterLevel(io.Discard, level)
	if err != nil {
		panic(err) // a level that is not there
	}
	return w
}

func newBrotli(quality, window int) coder {
	return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{Quality: quality, LGWin: window})
}

func newZstd(level zstd.EncoderLevel, window int) coder {
	w, err := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(level), zstd.WithWindowSize(window),
		zstd.WithEncoderConcurrency(1), // no goroutine
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // options that cannot be
	}
	return w
}
