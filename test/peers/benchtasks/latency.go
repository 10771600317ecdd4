package main

import (
	"fmt"
	"io"
	"log"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

const paceRate = 1000 // tasks a second

// waits are the latencies of one round, in microseconds.
type waits struct{ p50, p99 float64 }

// runLatency measures the time from when a task was to be enqueued to its
// start. Tasks come at their times however long those before them take, so a
// library that falls behind is not asked less.
func runLatency(o *options, out io.Writer) error {
	found := map[string][]waits{}
	failed := map[string]error{}
	names := o.names()
	for round := range o.rounds {
		for i := range names {
			name := names[(i+round)%len(names)]
			if failed[name] != nil {
				continue
			}
			w, err := o.latency(name)
			if err != nil {
				failed[name] = err
				log.Printf("latency: %s: %v", name, err)
				continue
			}
			log.Printf("latency, round %d: %s: p50 %.0f µs, p99 %.0f µs", round+1, name, w.p50, w.p99)
			found[name] = append(found[name], w)
		}
	}
	writeLatency(out, names, found, failed)
	return failed[dayfly]
}

func (o *options) latency(name string) (w waits, err error) {
	st, err := subjectOf(name).open(o, true)
	if err != nil {
		return w, err
	}
	defer st.close()
	work := order{Do: "pace", Rate: paceRate, Max: endless, Lasts: o.lasts / 2}
	if _, _, err = st.tell(work); err == nil { // warm up
		err = st.rest()
	}
	if err != nil {
		return w, err
	}
	work.Lasts = 2 * o.lasts
	a, first, err := st.tell(work)
	if err == nil {
		err = st.rest()
	}
	if err != nil {
		return w, err
	}
	all := make([]float64, a.Tasks)
	for i := range all {
		due := a.Begun + int64(i)*int64(time.Second)/paceRate
		all[i] = float64(st.register.at(first+i)-due) / 1000
	}
	if len(all) == 0 {
		return w, fmt.Errorf("no task was enqueued in %s", work.Lasts)
	}
	slices.Sort(all)
	return waits{all[len(all)/2], all[len(all)*99/100]}, nil
}

// writeLatency prints the table; the aim is to be below every peer.
func writeLatency(out io.Writer, names []string, found map[string][]waits, failed map[string]error) {
	fmt.Fprintf(out, "\n### From enqueue to start, %d tasks a second\n\n", paceRate)
	turns.Row(out, append(append([]string{"µs"}, names...), "aim, and what was reached")...)
	turns.Rule(out, len(names)+2)
	for _, p := range []struct {
		name string
		of   func(waits) float64
	}{{"p50", func(w waits) float64 { return w.p50 }}, {"p99", func(w waits) float64 { return w.p99 }}} {
		cells := []string{p.name}
		best, peer := 0.0, ""
		for _, name := range names {
			if failed[name] != nil {
				cells = append(cells, "failed")
				continue
			}
			var v []float64
			for _, w := range found[name] {
				v = append(v, p.of(w))
			}
			s := turns.SpreadOf(v)
			cells = append(cells, s.String())
			if name != dayfly && name != embedded && (peer == "" || s.Median < best) {
				best, peer = s.Median, name
			}
		}
		turns.Row(out, append(cells, latencyVerdict(found[dayfly], p.of, peer, best))...)
	}
}

func latencyVerdict(own []waits, of func(waits) float64, peer string, best float64) string {
	if peer == "" || len(own) == 0 {
		return "–"
	}
	var v []float64
	for _, w := range own {
		v = append(v, of(w))
	}
	verdict := "**missed**"
	if turns.SpreadOf(v).Median < best {
		verdict = "**met**"
	}
	return fmt.Sprintf("< every peer, the least of which is %s: %s of it, %s", peer, turns.Figure(turns.SpreadOf(v).Median/best), verdict)
}
