package backsum

import (
	"hash/crc32"
	"testing"
)

func FuzzStart(f *testing.F) {
	f.Add(uint32(0), []byte(nil))
	f.Add(uint32(0xdeadbeef), []byte("some bytes"))
	f.Add(^uint32(0), make([]byte, 300))
	f.Fuzz(func(t *testing.T, start uint32, b []byte) {
		sum := crc32.Update(start, table, b)
		if got := Start(sum, b); got != start {
			t.Errorf("start of %#x over %d bytes is %#x, want %#x", sum, len(b), got, start)
		}
	})
}
