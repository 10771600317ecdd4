package main

import (
	"fmt"
	"io"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// work is a row of a table: what is asked of whom.
type work struct {
	name   string
	path   string
	header []string
	only   []string // subjects that do such work; nil: all
	aims   []turns.Aim
}

func runPlain(o *options, out io.Writer) error {
	aims := func() []turns.Aim { return []turns.Aim{turns.AtLeast(1, nginx), turns.AtLeast(2, caddy)} }
	servers := []string{dayfly, nginx, caddy}
	return o.table(out, "Files, and requests passed on", setup{kind: "plain"}, o.wanted(nginx, caddy, kamal), []work{
		{name: "file of 1 KiB", path: "/static/" + smallFile, only: servers, aims: aims()},
		{name: "file of 100 KiB", path: "/static/" + largeFile, only: servers, aims: aims()},
		{name: "proxy, 1 KiB", path: "/", aims: append(aims(), turns.AtLeast(0, kamal))},
	})
}

func runCached(o *options, out io.Writer) error {
	return o.table(out, "Answers kept", setup{kind: "cached"}, o.wanted(varnish, nginx), []work{
		{name: "kept answer of 1 KiB", path: "/cached", aims: []turns.Aim{turns.AtLeast(1, varnish), turns.AtLeast(0, nginx)}},
	})
}

// runTLS: wrk makes a full handshake for each connection, and a connection for
// each request where the answer closes it.
func runTLS(o *options, out io.Writer) error {
	aims := func() []turns.Aim { return []turns.Aim{turns.AtLeast(1, caddy), turns.AtLeast(0, nginx)} }
	return o.table(out, "TLS 1.3, a key of P-256", setup{kind: "tls"}, o.wanted(nginx, caddy), []work{
		{name: "full handshake and a file of 1 KiB", path: "/static/" + smallFile, header: []string{"Connection: close"}, aims: aims()},
		{name: "file of 1 KiB", path: "/static/" + smallFile, aims: aims()},
		{name: "file of 100 KiB", path: "/static/" + largeFile, aims: aims()},
	})
}

// table starts the subjects, measures the works in turns, and prints rates,
// processor times, and how long the slowest hundredth took.
func (o *options) table(out io.Writer, title string, s setup, subjects []string, works []work) error {
	b, address, err := o.startBackend()
	if err != nil {
		return err
	}
	defer b.Kill()
	s.backend = address
	running, stop, err := o.startAll(subjects, s)
	if err != nil {
		return err
	}
	defer stop()
	late := latencies{}
	var rows []turns.Work
	for _, w := range works {
		rows = append(rows, turns.Work{Name: w.name, Aims: w.aims, Run: func(subject string) (turns.Sample, error) {
			if !w.does(subject) {
				return turns.Sample{}, turns.ErrSkip
			}
			r := running[subject]
			if _, err := get(r.url + w.path); err != nil {
				return turns.Sample{}, err
			}
			found, p99, err := o.load(r, r.url+w.path, w.header...)
			if err == nil {
				late.add(w.name, subject, p99)
			}
			return found, err
		}})
	}
	settle := []*process.Process{b}
	for _, r := range running {
		settle = append(settle, r.p)
	}
	board := turns.NewBoard(fmt.Sprintf("%s, %d connections", title, o.connections), "request", subjects, rows)
	board.Measure(o.rounds, func() { process.Settle(settle) })
	board.Write(out)
	late.write(out, subjects, works)
	return board.Failed()
}

func (w work) does(subject string) bool {
	for _, s := range w.only {
		if s == subject {
			return true
		}
	}
	return w.only == nil
}

// latencies are the 99th percentiles, in ms, by work and subject.
type latencies map[string]map[string][]float64

func (l latencies) add(work, subject string, p99 time.Duration) {
	if l[work] == nil {
		l[work] = map[string][]float64{}
	}
	l[work][subject] = append(l[work][subject], float64(p99.Microseconds())/1000)
}

func (l latencies) write(out io.Writer, subjects []string, works []work) {
	fmt.Fprintln(out)
	turns.Row(out, append([]string{"99 % within, ms"}, subjects...)...)
	turns.Rule(out, len(subjects)+1)
	for _, w := range works {
		cells := []string{w.name}
		for _, s := range subjects {
			cells = append(cells, turns.SpreadOf(l[w.name][s]).String())
		}
		turns.Row(out, cells...)
	}
}
