package edge

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// spools are the files that hold bodies for slow clients. They have no names:
// nothing of them is left when the process ends, however it does.
type spools struct {
	dir   string
	total atomic.Int64
	used  atomic.Int64
	full  atomic.Uint64 // bodies that found no room
	said  atomic.Int64  // when the log said so, Unix seconds
}

var errSpoolFull = errors.New("no room left for bodies of slow clients")

// A spool is one of the files. Room in it is reserved before it is written.
type spool struct {
	of       *spools
	f        *os.File
	reserved int64
	size     int64 // written
}

// open makes a spool with room for n bytes.
func (s *spools) open(n int64) (*spool, error) {
	p := &spool{of: s}
	if !p.reserve(n) {
		return nil, errSpoolFull
	}
	f, err := os.CreateTemp(s.dir, ".dayfly-body-*")
	if err == nil {
		if err = os.Remove(f.Name()); err != nil {
			f.Close()
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	p.f = f
	return p, nil
}

// reserve makes room for n bytes in all.
func (p *spool) reserve(n int64) bool {
	more := n - p.reserved
	if more <= 0 {
		return true
	}
	if p.of.used.Add(more) > p.of.total.Load() {
		p.of.used.Add(-more)
		return false
	}
	p.reserved = n
	return true
}

// Write appends. What is written of a piece that fails is not counted.
func (p *spool) Write(b []byte) (int, error) {
	n, err := p.f.WriteAt(b, p.size)
	if err == nil {
		p.size += int64(n)
	}
	return n, err
}

// reader reads what is written now, from the start.
func (p *spool) reader() io.Reader { return io.NewSectionReader(p.f, 0, p.size) }

// spoolFailed says, once a minute at most, that slow clients hold instances.
func (e *Edge) spoolFailed(err error) {
	e.spools.full.Add(1)
	now := time.Now().Unix()
	if last := e.spools.said.Load(); now-last >= 60 && e.spools.said.CompareAndSwap(last, now) {
		e.log.Warn("bodies go directly between clients and instances, which slow clients then hold", "error", err)
	}
}

// close gives the room back. It is for a nil spool too.
func (p *spool) close() {
	if p == nil {
		return
	}
	if p.f != nil {
		p.f.Close()
		p.f = nil
	}
	p.of.used.Add(-p.reserved)
	p.reserved = 0
}
