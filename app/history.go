package app

import (
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/edge"
)

const (
	historyStep = 10 * time.Second
	historyKeep = 180 // half an hour
)

// history samples the edge for the dashboard's sparklines.
type history struct {
	edge *edge.Edge
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex
	samples []dash.EdgeSample
}

func startHistory(e *edge.Edge) *history {
	h := &history{edge: e, quit: make(chan struct{}), done: make(chan struct{})}
	go h.run()
	return h
}

func (h *history) run() {
	defer close(h.done)
	tick := time.NewTicker(historyStep)
	defer tick.Stop()
	before := h.edge.Stats()
	for {
		select {
		case now := <-tick.C:
			s := h.edge.Stats()
			h.mu.Lock()
			h.samples = append(h.samples, dash.EdgeSample{Time: now,
				Requests: float64(s.Requests-before.Requests) / historyStep.Seconds(),
				Errors:   float64(s.ByClass[5]-before.ByClass[5]) / historyStep.Seconds(),
				P50:      s.P50, P95: s.P95, P99: s.P99})
			if len(h.samples) > historyKeep {
				h.samples = h.samples[1:]
			}
			h.mu.Unlock()
			before = s
		case <-h.quit:
			return
		}
	}
}

func (h *history) stop() {
	close(h.quit)
	<-h.done
}

// stats is the edge as the dashboard shows it.
func (h *history) stats() dash.EdgeStats {
	s := h.edge.Stats()
	h.mu.Lock()
	defer h.mu.Unlock()
	out := dash.EdgeStats{Requests: int64(s.Requests), Errors: int64(s.ByClass[5]), Rate: s.PerSecond60, P50: s.P50, P95: s.P95, P99: s.P99,
		History: append([]dash.EdgeSample(nil), h.samples...), Cache: cacheShown(h.edge)}
	var requests, failed float64
	for _, x := range h.samples[max(0, len(h.samples)-6):] {
		requests, failed = requests+x.Requests, failed+x.Errors
	}
	if requests > 0 {
		out.ErrorRate = failed / requests
	}
	return out
}
