package diskqueue

import (
	"testing"
	"time"
)

// TestNextBlock finds the block behind some whose lengths are damaged, and its
// number, of which it is told no more than that it is greater.
func TestNextBlock(t *testing.T) {
	rng := seededRand(t)
	for damaged := 1; damaged <= 5; damaged++ {
		w := &checkpointWriter{block: uint32(rng.IntN(1000))}
		first := w.block
		var data []byte
		for range damaged {
			at := len(data)
			b := make([]byte, 1+rng.IntN(300))
			b[0] = blockMessages
			data = append(data, w.frame(b)...)
			data[at+3] = 0xff // more than 4 MiB
		}
		want := len(data)
		data = append(data, w.frame([]byte{blockQueue, 1, 2, 3})...)
		data = append(data, w.frame([]byte{blockEnd, 0})...)
		if at, n := nextBlock(data, 0, first); at != want || n != first+uint32(damaged) {
			t.Errorf("block %d was found at %d, want %d at %d", n, at, first+uint32(damaged), want)
		}
	}
}

// TestNextBlockOfMany looks through what seems to be blocks everywhere, of which
// none is whole. Before, every number was tried for each of them.
func TestNextBlockOfMany(t *testing.T) {
	data := make([]byte, 16<<20)
	for at := 0; at+9 < len(data); at += 2048 {
		data[at+1] = 4 // 1 KiB
		data[at+8] = blockMessages
	}
	begun := time.Now()
	if at, n := nextBlock(data, 0, 0); at != 0 {
		t.Errorf("block %d was found at %d", n, at)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}
