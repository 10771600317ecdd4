package main

import (
	"fmt"
	"io"
	"time"
)

// progressEvery is how often a line of progress is written anew.
const progressEvery = 100 * time.Millisecond

// progress shows on a terminal how far long work is, in one line that is written
// over. Elsewhere it writes nothing. One goroutine at a time.
type progress struct {
	out   io.Writer // nil: no terminal
	verb  string
	text  func(int64) string // of an amount; of bytes if nothing else is said
	shown time.Time
	wrote bool
}

func newProgress(out io.Writer, verb string) *progress {
	p := &progress{verb: verb, text: memory, shown: time.Now()} // quick work shows nothing
	if isTerminal(out) {
		p.out = out
	}
	return p
}

// at is called with how much is done of about how much; total 0: unknown.
func (p *progress) at(done, total int64) {
	if p.out == nil || time.Since(p.shown) < progressEvery {
		return
	}
	p.shown, p.wrote = time.Now(), true
	text := p.text(done)
	if total > 0 {
		text = fmt.Sprintf("%d %% of %s", 100*done/total, p.text(total))
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s %s", p.verb, text)
}

// count is called with how many are done of how many.
func (p *progress) count(done, total int) {
	if p.out == nil || time.Since(p.shown) < progressEvery {
		return
	}
	p.shown, p.wrote = time.Now(), true
	fmt.Fprintf(p.out, "\r\x1b[K%s %d of %d", p.verb, done, total)
}

// end wipes the line.
func (p *progress) end() {
	if p.wrote {
		io.WriteString(p.out, "\r\x1b[K") //nolint:errcheck // it is for the eye
		p.wrote = false
	}
}

// reader tells of what is read through it.
type progressReader struct {
	io.Reader
	p           *progress
	done, total int64
}

func (r *progressReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.done += int64(n)
	r.p.at(r.done, r.total)
	return n, err
}
