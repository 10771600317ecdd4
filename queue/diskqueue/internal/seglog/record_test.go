package seglog

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestSkipZeros: a search that skips zeros finds every record that one at each
// place finds, wherever they are.
func TestSkipZeros(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		data := make([]byte, headerSize+align*random.IntN(4*len(zeros)/align))
		size := uint32(len(data))
		for range random.IntN(6) { // at the beginning, the end and between, alone and side by side
			off := headerSize + align*uint32(random.IntN(int(size)/align))
			if r := appendRecord(nil, 7, off, headerSize, make([]byte, random.IntN(40))); uint64(off)+uint64(len(r)) <= uint64(size) {
				copy(data[off:], r)
			}
		}
		var want, got []uint32
		for off := uint32(headerSize); off+recordHead <= size; off += align {
			if _, _, ok := parseRecord(data[off:], 7, off, size); ok {
				want = append(want, off)
			}
		}
		for off := skipZeros(data, headerSize); off+recordHead <= size; off = skipZeros(data, off+align) {
			if _, _, ok := parseRecord(data[off:], 7, off, size); ok {
				got = append(got, off)
			}
		}
		if len(want) != len(got) {
			t.Fatalf("%d bytes: found at %v, want %v", size, got, want)
		}
		for i := range want {
			if want[i] != got[i] {
				t.Fatalf("%d bytes: found at %v, want %v", size, got, want)
			}
		}
	}
}
