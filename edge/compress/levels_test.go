package compress

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// samples are what applications answer: prose, a list in JSON, a table in HTML.
func samples(b *testing.B) map[string][]byte {
	var prose []byte
	for _, name := range []string{"tasks.md", "bench.md"} {
		text, err := os.ReadFile("../../doc/" + name)
		if err != nil {
			b.Fatal(err)
		}
		prose = append(prose, text...)
	}
	var list, table strings.Builder
	for i := range 400 {
		fmt.Fprintf(&list, `{"id":%d,"name":"package-%x","version":"%d.%d.%d","status":"ready","updated":"2026-11-%02dT10:%02d:%02dZ","score":%d},`,
			i*7919, i*2654435761, i%7, i%13, i%5, i%28+1, i%60, i*7%60, i*i%1000)
		fmt.Fprintf(&table, "<tr class=\"row\"><td><a href=\"/packages/go/%x\">pkg %x</a></td><td>%d.%d</td><td class=\"num\">%d</td></tr>\n",
			i*2654435761, i*40503, i%9, i%11, i*i)
	}
	return map[string][]byte{"prose": prose, "json": []byte(list.String()), "html": []byte(table.String()), "json4k": []byte(list.String()[:4<<10])}
}

// BenchmarkLevels is what levels and windows are chosen by: µs a KiB, and what
// is left of it.
func BenchmarkLevels(b *testing.B) {
	all := map[string]func() coder{}
	for _, level := range []int{1, 3, 5, 6} {
		all[fmt.Sprintf("gzip-%d", level)] = func() coder { return newGzip(level) }
	}
	for _, quality := range []int{2, 3, 4, 5} {
		all[fmt.Sprintf("br-%d", quality)] = func() coder { return newBrotli(quality, brotliWindow) }
	}
	for _, level := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression} {
		all["zstd-"+level.String()] = func() coder { return newZstd(level, zstdWindow) }
	}
	for of, data := range samples(b) {
		for name, make := range all {
			b.Run(of+"/"+name, func(b *testing.B) {
				c := make()
				var out bytes.Buffer
				for b.Loop() {
					out.Reset()
					c.Reset(&out)
					c.Write(data)
					c.Close()
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/(float64(len(data))/1024), "µs/KiB")
				b.ReportMetric(float64(out.Len())/float64(len(data)), "left")
			})
		}
	}
}
