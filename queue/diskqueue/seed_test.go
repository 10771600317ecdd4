package diskqueue

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// histories runs one history after the other, each with a seed of its own, until
// the time is over or one is wrong, and returns how many; at least one. Environment variables:
//
//	DAYFLY_SOAK  how long instead, such as 20m; make soak-queue, doc/soak.md
//	DAYFLY_SEED  the one seed to use, 20 times: a seed decides what clients do and
//	             when a crash comes, and the scheduler in which order they get to it
func histories(t *testing.T, budget time.Duration, run func(t *testing.T, seed uint64)) (n int) {
	t.Helper()
	if s := os.Getenv("DAYFLY_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			t.Fatalf("DAYFLY_SEED: %v", err)
		}
		for ; n < 20 && !t.Failed(); n++ {
			run(t, seed)
		}
		return n
	}
	if s := os.Getenv("DAYFLY_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("DAYFLY_SOAK: %v", err)
		}
		budget = d
		t.Parallel() // with the other histories, for as long as they
	}
	first := rand.Uint64()
	t.Logf("seeds from %#x", first)
	for end := time.Now().Add(budget); (n == 0 || time.Now().Before(end)) && !t.Failed(); n++ {
		if run(t, first+uint64(n)); t.Failed() {
			t.Logf("again: DAYFLY_SEED=%#x go test -run '^%s$' ./queue/diskqueue", first+uint64(n), t.Name())
		}
	}
	return n
}
