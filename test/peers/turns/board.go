// Package turns measures subjects beside each other: in one run, in turns, a
// board for each table, with medians, how far the rounds lie apart, and what
// became of the aims.
package turns

import (
	"fmt"
	"log"
)

// Aim is a claim of the project: that a subject does at least Factor times as
// much a second as the fastest of some others.
type Aim struct {
	Of      string  // subject; "": the first
	Factor  float64 // 0: nothing is claimed, the ratio is only shown
	Against []string
}

// Work is one row of a table, measured for each subject.
type Work struct {
	Name string
	Aims []Aim
	// Run measures a subject once. It returns ErrSkip where the subject does
	// not do such work.
	Run func(subject string) (Sample, error)
	// Slices of a measurement: the subjects take turns for each; 0 is one.
	Slices int
}

// Board collects the samples of some works by subject.
type Board struct {
	title    string
	unit     string   // what is counted, such as message
	subjects []string // the first is the one that the aims are about
	works    []Work
	samples  map[string]map[string][]Sample // by work, then subject; in order of rounds
	trouble  map[string]map[string]error    // likewise
}

// ErrSkip is what a Run returns for a subject that does not do such work.
var ErrSkip = fmt.Errorf("does not apply")

// NewBoard compares subjects by what they do of each work a second. The aims are
// about the first of them; unit is what is counted, in the singular.
func NewBoard(title, unit string, subjects []string, works []Work) *Board {
	b := &Board{title: title, unit: unit, subjects: subjects, works: works,
		samples: map[string]map[string][]Sample{}, trouble: map[string]map[string]error{}}
	for _, w := range works {
		b.samples[w.Name], b.trouble[w.Name] = map[string][]Sample{}, map[string]error{}
	}
	return b
}

// Measure runs every work for every subject, round after round. Within a work
// the subjects take turns, and begin with another one each round, so that what
// else the machine does hits all alike.
func (b *Board) Measure(rounds int, settle func()) {
	for round := range rounds {
		for _, w := range b.works {
			sum := map[string]Sample{}
			for range max(w.Slices, 1) {
				for i := range b.subjects {
					subject := b.subjects[(i+round)%len(b.subjects)]
					if b.trouble[w.Name][subject] != nil {
						continue
					}
					settle()
					s, err := w.Run(subject)
					if err != nil {
						b.fail(w, subject, err)
						continue
					}
					sum[subject] = sum[subject].Plus(s)
				}
			}
			b.enter(round, w, sum)
		}
	}
}

func (b *Board) fail(w Work, subject string, err error) {
	b.trouble[w.Name][subject] = err
	if err != ErrSkip {
		log.Printf("%s: %s, %s: %v", b.title, w.Name, subject, err)
	}
}

// enter keeps what a round found.
func (b *Board) enter(round int, w Work, found map[string]Sample) {
	for _, subject := range b.subjects {
		s, ok := found[subject]
		if !ok {
			continue
		}
		b.samples[w.Name][subject] = append(b.samples[w.Name][subject], s)
		log.Printf("%s, round %d: %s, %s: %s/s (%d in %.1fs; cpu-µs %.1f client, %.1f server)", b.title, round+1, w.Name, subject,
			Short(s.Rate()), s.Messages, s.Elapsed.Seconds(), s.Each(s.Client), s.Each(s.Server))
	}
}

// rates of a subject, over the rounds.
func (b *Board) rates(work, subject string) Spread {
	var v []float64
	for _, s := range b.samples[work][subject] {
		v = append(v, s.Rate())
	}
	return SpreadOf(v)
}

// fastest of some subjects by the median, "" when none was measured.
func (b *Board) fastest(work string, of []string) (name string) {
	for _, s := range of {
		if r := b.rates(work, s); r.N > 0 && (name == "" || r.Median > b.rates(work, name).Median) {
			name = s
		}
	}
	return name
}

// ratio of a subject's rate to another's, round by round.
func (b *Board) ratio(work, of, to string) Spread {
	own, other := b.samples[work][of], b.samples[work][to]
	var v []float64
	for i := range min(len(own), len(other)) {
		if r := other[i].Rate(); r > 0 {
			v = append(v, own[i].Rate()/r)
		}
	}
	return SpreadOf(v)
}

// Failed reports what could not be measured of the first subject.
func (b *Board) Failed() error {
	for _, w := range b.works {
		if err := b.trouble[w.Name][b.subjects[0]]; err != nil && err != ErrSkip {
			return fmt.Errorf("%s: %s, %s: %w", b.title, w.Name, b.subjects[0], err)
		}
	}
	return nil
}

// AtLeast is the aim that the first subject does factor times as much as the
// fastest of others; 0 has the ratio shown and claims nothing.
func AtLeast(factor float64, against ...string) Aim { return Aim{Factor: factor, Against: against} }
