package main

import (
	"fmt"
	"log"
)

// aim is a claim of the project: that a subject does at least factor times as
// many messages a second as the fastest of some others.
type aim struct {
	of      string  // subject; "": the first
	factor  float64 // 0: nothing is claimed, the ratio is only shown
	against []string
}

// work is one row of a table, measured for each subject.
type work struct {
	name string
	aims []aim
	// run measures a subject once. It returns errSkip where the subject does
	// not do such work.
	run func(subject string) (sample, error)
	// slices of a measurement: the subjects take turns for each; 0 is one.
	slices int
}

// board collects the samples of some works by subject.
type board struct {
	title    string
	subjects []string // the first is the one that the aims are about
	works    []work
	samples  map[string]map[string][]sample // by work, then subject; in order of rounds
	trouble  map[string]map[string]error    // likewise
}

var errSkip = fmt.Errorf("does not apply")

func newBoard(title string, subjects []string, works []work) *board {
	b := &board{title: title, subjects: subjects, works: works,
		samples: map[string]map[string][]sample{}, trouble: map[string]map[string]error{}}
	for _, w := range works {
		b.samples[w.name], b.trouble[w.name] = map[string][]sample{}, map[string]error{}
	}
	return b
}

// measure runs every work for every subject, round after round. Within a work
// the subjects take turns, and begin with another one each round, so that what
// else the machine does hits all alike.
func (b *board) measure(rounds int, settle func()) {
	for round := range rounds {
		for _, w := range b.works {
			sum := map[string]sample{}
			for range max(w.slices, 1) {
				for i := range b.subjects {
					subject := b.subjects[(i+round)%len(b.subjects)]
					if b.trouble[w.name][subject] != nil {
						continue
					}
					settle()
					s, err := w.run(subject)
					if err != nil {
						b.fail(w, subject, err)
						continue
					}
					sum[subject] = sum[subject].plus(s)
				}
			}
			b.enter(round, w, sum)
		}
	}
}

func (b *board) fail(w work, subject string, err error) {
	b.trouble[w.name][subject] = err
	if err != errSkip {
		log.Printf("%s: %s, %s: %v", b.title, w.name, subject, err)
	}
}

// enter keeps what a round found.
func (b *board) enter(round int, w work, found map[string]sample) {
	for _, subject := range b.subjects {
		s, ok := found[subject]
		if !ok {
			continue
		}
		b.samples[w.name][subject] = append(b.samples[w.name][subject], s)
		log.Printf("%s, round %d: %s, %s: %s/s (%d in %.1fs; cpu-µs %.1f client, %.1f server)", b.title, round+1, w.name, subject,
			short(s.rate()), s.Messages, s.Elapsed.Seconds(), s.each(s.Client), s.each(s.Server))
	}
}

// rates of a subject, over the rounds.
func (b *board) rates(work, subject string) spread {
	var v []float64
	for _, s := range b.samples[work][subject] {
		v = append(v, s.rate())
	}
	return spreadOf(v)
}

// fastest of some subjects by the median, "" when none was measured.
func (b *board) fastest(work string, of []string) (name string) {
	for _, s := range of {
		if r := b.rates(work, s); r.n > 0 && (name == "" || r.median > b.rates(work, name).median) {
			name = s
		}
	}
	return name
}

// ratio of a subject's rate to another's, round by round.
func (b *board) ratio(work, of, to string) spread {
	own, other := b.samples[work][of], b.samples[work][to]
	var v []float64
	for i := range min(len(own), len(other)) {
		if r := other[i].rate(); r > 0 {
			v = append(v, own[i].rate()/r)
		}
	}
	return spreadOf(v)
}

// failed reports what could not be measured of the first subject.
func (b *board) failed() error {
	for _, w := range b.works {
		if err := b.trouble[w.name][b.subjects[0]]; err != nil && err != errSkip {
			return fmt.Errorf("%s: %s, %s: %w", b.title, w.name, b.subjects[0], err)
		}
	}
	return nil
}
