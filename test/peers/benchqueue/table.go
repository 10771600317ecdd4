package main

import (
	"fmt"
	"io"
	"strings"
)

// write prints the board as Markdown: messages a second with the aims, then
// the processor time of server and client apart.
func (b *board) write(out io.Writer) {
	fmt.Fprintf(out, "\n### %s\n\n", b.title)
	row(out, append(append([]string{"messages/s"}, b.subjects...), "aim, and what was reached")...)
	rule(out, len(b.subjects)+2)
	for _, w := range b.works {
		cells := []string{w.name}
		for _, s := range b.subjects {
			cells = append(cells, b.cell(w.name, s))
		}
		row(out, append(cells, b.verdicts(w))...)
	}
	b.writeCPU(out)
}

func (b *board) cell(work, subject string) string {
	switch err := b.trouble[work][subject]; {
	case err == errSkip:
		return "–"
	case err != nil:
		return "failed"
	}
	return b.rates(work, subject).String()
}

// verdicts says of each aim what was reached.
func (b *board) verdicts(w work) string {
	var said []string
	for _, a := range w.aims {
		of, about := a.of, ""
		if of == "" {
			of = b.subjects[0]
		} else {
			about = of + " "
		}
		peer := b.fastest(w.name, a.against)
		r := b.ratio(w.name, of, peer)
		if r.n == 0 {
			continue
		}
		wanted, verdict := fmt.Sprintf("≥ %.3g × ", a.factor), ", **missed**"
		switch {
		case a.factor == 0:
			wanted, verdict = "× ", ""
		case r.median >= a.factor:
			verdict = ", **met**"
		}
		said = append(said, fmt.Sprintf("%s%s%s: %.2f (%.2f–%.2f)%s", about, wanted, peer, r.median, r.low, r.high, verdict))
	}
	if len(said) == 0 {
		return "–"
	}
	return strings.Join(said, "; ")
}

// writeCPU prints what a message costs the server and the client.
func (b *board) writeCPU(out io.Writer) {
	var lines [][]string
	for _, w := range b.works {
		cells, any := []string{w.name}, false
		for _, subject := range b.subjects {
			var server, client []float64
			for _, s := range b.samples[w.name][subject] {
				server, client = append(server, s.each(s.Server)), append(client, s.each(s.Client))
			}
			switch {
			case len(server) == 0:
				cells = append(cells, "–")
			case spreadOf(server).high == 0:
				cells = append(cells, figure(spreadOf(client).median))
			default:
				any = true
				cells = append(cells, figure(spreadOf(server).median)+" / "+figure(spreadOf(client).median))
			}
		}
		lines = append(lines, append(cells, fmt.Sprint(any)))
	}
	title := "cpu-µs/message"
	if len(lines) > 0 && lines[0][len(lines[0])-1] == "true" {
		title += ", server / client"
	}
	fmt.Fprintln(out)
	row(out, append([]string{title}, b.subjects...)...)
	rule(out, len(b.subjects)+1)
	for _, l := range lines {
		row(out, l[:len(l)-1]...)
	}
}

func row(out io.Writer, cells ...string) { fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | ")) }
func rule(out io.Writer, columns int)    { fmt.Fprintln(out, "|"+strings.Repeat("---|", columns)) }

func (s spread) String() string {
	if s.n == 0 {
		return "–"
	}
	if s.n == 1 {
		return short(s.median)
	}
	return short(s.median) + " (" + short(s.low) + "–" + short(s.high) + ")"
}

// short is a number of three digits or so, thousands as k.
func short(x float64) string {
	switch {
	case x >= 9.95e5:
		return fmt.Sprintf("%.2fM", x/1e6)
	case x >= 1000:
		return fmt.Sprintf("%.1fk", x/1000)
	}
	return figure(x)
}

func figure(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}
