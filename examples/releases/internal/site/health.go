package site

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// health proves what the site stands on: a row from the database, the queue's
// attributes, an object written and read back, a value written and read back.
// The proof is kept for some seconds, so that a balancer may ask as often as
// it likes; requests that come while it is made wait for the same one.
type health struct {
	checks []healthCheck
	keep   time.Duration

	mu   sync.Mutex
	made time.Time
	last []healthResult
}

type healthCheck struct {
	name  string
	needs bool // the site cannot do its work without
	prove func(context.Context) error
}

type healthResult struct {
	healthCheck
	err error
}

const (
	healthKeep    = 10 * time.Second
	healthTimeout = 1500 * time.Millisecond // a balancer asks with 2 s
)

func newHealth(o Options) *health {
	h := &health{keep: healthKeep}
	if o.DB != nil {
		h.checks = append(h.checks, healthCheck{"database", true, o.DB.Prove})
	}
	if o.Queue != nil {
		h.checks = append(h.checks, healthCheck{"queue", true, func(ctx context.Context) error {
			_, err := o.Queue.Describe(ctx)
			return err
		}})
	}
	if o.Bucket != nil {
		key := "health/" + strings.Map(keyRune, o.Process)
		h.checks = append(h.checks, healthCheck{"bucket", true, func(ctx context.Context) error { return proveBucket(ctx, o, key) }})
	}
	if o.Cache != nil {
		// Without the cache registries are asked more often, and all else works.
		h.checks = append(h.checks, healthCheck{"cache", false, o.Cache.Prove})
	}
	return h
}

func keyRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
		return r
	}
	return '-'
}

func proveBucket(ctx context.Context, o Options, key string) error {
	wrote := []byte(rand.Text())
	if err := o.Bucket.WriteAll(ctx, key, wrote, nil); err != nil {
		return err
	}
	read, err := o.Bucket.ReadAll(ctx, key)
	if err != nil {
		return err
	}
	if !bytes.Equal(wrote, read) {
		return fmt.Errorf("an object was acknowledged and came back changed")
	}
	return nil
}

// results are those kept, or new ones.
func (h *health) results(ctx context.Context) []healthResult {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.made) < h.keep {
		return h.last
	}
	// Others wait for this proof: it must not end with the one who asked.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	results := make([]healthResult, len(h.checks))
	var wg sync.WaitGroup
	for i, c := range h.checks {
		wg.Go(func() { results[i] = healthResult{c, c.prove(ctx)} })
	}
	wg.Wait()
	h.made, h.last = time.Now(), results
	if slices.ContainsFunc(results, func(r healthResult) bool { return r.err != nil }) {
		h.made = h.made.Add(-h.keep + time.Second) // soon again
	}
	return results
}

// serve answers 200 when the site can do its work, and names what cannot.
func (h *health) serve(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	var b strings.Builder
	for _, res := range h.results(r.Context()) {
		switch {
		case res.err == nil:
			fmt.Fprintf(&b, "%s: ok\n", res.name)
		case res.needs:
			status = http.StatusServiceUnavailable
			fmt.Fprintf(&b, "%s: FAILED: %v\n", res.name, res.err)
		default:
			fmt.Fprintf(&b, "%s: degraded: %v\n", res.name, res.err)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(b.String()))
}
