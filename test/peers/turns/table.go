package turns

import (
	"fmt"
	"io"
	"strings"
)

// Write prints the board as Markdown: what is done a second with the aims, then
// the processor time of server and client apart.
func (b *Board) Write(out io.Writer) {
	fmt.Fprintf(out, "\n### %s\n\n", b.title)
	Row(out, append(append([]string{b.unit + "s/s"}, b.subjects...), "aim, and what was reached")...)
	Rule(out, len(b.subjects)+2)
	for _, w := range b.works {
		cells := []string{w.Name}
		for _, s := range b.subjects {
			cells = append(cells, b.cell(w.Name, s))
		}
		Row(out, append(cells, b.verdicts(w))...)
	}
	b.writeCPU(out)
}

func (b *Board) cell(work, subject string) string {
	switch err := b.trouble[work][subject]; {
	case err == ErrSkip:
		return "–"
	case err != nil:
		return "failed"
	}
	return b.rates(work, subject).String()
}

// verdicts says of each aim what was reached.
func (b *Board) verdicts(w Work) string {
	var said []string
	for _, a := range w.Aims {
		of, about := a.Of, ""
		if of == "" {
			of = b.subjects[0]
		} else {
			about = of + " "
		}
		peer := b.fastest(w.Name, a.Against)
		r := b.ratio(w.Name, of, peer)
		if r.N == 0 {
			continue
		}
		wanted, verdict := fmt.Sprintf("≥ %.3g × ", a.Factor), ", **missed**"
		switch {
		case a.Factor == 0:
			wanted, verdict = "× ", ""
		case r.Median >= a.Factor:
			verdict = ", **met**"
		}
		said = append(said, fmt.Sprintf("%s%s%s: %.2f (%.2f–%.2f)%s", about, wanted, peer, r.Median, r.Low, r.High, verdict))
	}
	if len(said) == 0 {
		return "–"
	}
	return strings.Join(said, "; ")
}

// writeCPU prints what a message costs the server and the client.
func (b *Board) writeCPU(out io.Writer) {
	var lines [][]string
	for _, w := range b.works {
		cells, any := []string{w.Name}, false
		for _, subject := range b.subjects {
			var server, client []float64
			for _, s := range b.samples[w.Name][subject] {
				server, client = append(server, s.Each(s.Server)), append(client, s.Each(s.Client))
			}
			switch {
			case len(server) == 0:
				cells = append(cells, "–")
			case SpreadOf(server).High == 0:
				cells = append(cells, Figure(SpreadOf(client).Median))
			default:
				any = true
				cells = append(cells, Figure(SpreadOf(server).Median)+" / "+Figure(SpreadOf(client).Median))
			}
		}
		lines = append(lines, append(cells, fmt.Sprint(any)))
	}
	title := "cpu-µs/" + b.unit
	if len(lines) > 0 && lines[0][len(lines[0])-1] == "true" {
		title += ", server / client"
	}
	fmt.Fprintln(out)
	Row(out, append([]string{title}, b.subjects...)...)
	Rule(out, len(b.subjects)+1)
	for _, l := range lines {
		Row(out, l[:len(l)-1]...)
	}
}

// Row prints one row of a table, Rule what stands under its head.
func Row(out io.Writer, cells ...string) { fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | ")) }
func Rule(out io.Writer, columns int)    { fmt.Fprintln(out, "|"+strings.Repeat("---|", columns)) }

func (s Spread) String() string {
	if s.N == 0 {
		return "–"
	}
	if s.N == 1 {
		return Short(s.Median)
	}
	return Short(s.Median) + " (" + Short(s.Low) + "–" + Short(s.High) + ")"
}

// Short is a number of three digits or so, thousands as k.
func Short(x float64) string {
	switch {
	case x >= 9.95e5:
		return fmt.Sprintf("%.2fM", x/1e6)
	case x >= 1000:
		return fmt.Sprintf("%.1fk", x/1000)
	}
	return Figure(x)
}

// Figure is a number of three digits.
func Figure(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}
