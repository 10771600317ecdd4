package edge

import (
	"bytes"
	"compress/gzip"
	"maps"
	"slices"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/dayfly-dev/dayfly/edge/accept"
)

// bestBelow is the size in bytes up to which a file is compressed as small as
// can be; beyond that takes seconds a file.
const bestBelow = 1 << 20

// compressor compresses what scans find, one file after the other, so that it
// takes one core at most from serving.
func (s *staticFiles) compressor() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.compress:
		}
		for _, f := range slices.AppendSeq(s.past.all(), maps.Values(s.table.Load().byName)) {
			if s.ctx.Err() != nil {
				return
			}
			if f.compressible && !f.compressed.Load() {
				f.compressAll()
			}
		}
	}
}

// compressAll adds the variants that are smaller than the file itself.
func (f *staticFile) compressAll() {
	plain := f.variants[identity].Load()
	hash := plain.etag[0][1 : len(plain.etag[0])-1]
	for e, compress := range [encodings]func([]byte) []byte{gzipped: toGzip, zstandard: toZstd, brotlied: toBrotli} {
		if compress == nil {
			continue
		}
		if data := compress(plain.data); len(data) < len(plain.data) {
			f.variants[e].Store(newVariant(data, hash, encoding(e)))
		}
	}
	f.compressed.Store(true)
}

// choose returns the encoding with the highest weight of those there are; of
// equals, the smallest.
func (f *staticFile) choose(a accept.Weights) encoding {
	best, weight, size := identity, 0, 0
	for e := range f.variants {
		v := f.variants[e].Load()
		if v == nil || a[e] == 0 {
			continue
		}
		if a[e] > weight || a[e] == weight && len(v.data) < size {
			best, weight, size = encoding(e), a[e], len(v.data)
		}
	}
	return best // identity also if nothing is acceptable: better than no file
}

func toGzip(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	w.Write(data) //nolint:errcheck // a buffer takes everything
	w.Close()
	return bytes.Clone(b.Bytes())
}

func toBrotli(data []byte) []byte {
	level := brotli.BestCompression
	if len(data) > bestBelow {
		level = 6
	}
	var b bytes.Buffer
	w := brotli.NewWriterLevel(&b, level)
	w.Write(data) //nolint:errcheck // a buffer takes everything
	w.Close()
	return bytes.Clone(b.Bytes())
}

func toZstd(data []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(8<<20)) // browsers refuse larger windows (RFC 9659)
	if err != nil {
		return data
	}
	defer w.Close()
	return w.EncodeAll(data, nil)
}
