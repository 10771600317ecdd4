package task

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// teller says on record what a worker runs, to those who ask (see Runs).
type teller struct {
	key     string
	version string    // of the record; "": it is not there, or it is not known
	said    string    // what it says, its time apart
	at      time.Time // when it was said
}

// tell answers, if somebody asks. An answer that cannot be written is one that
// comes later: nothing but a page depends on it.
func (s *shift) tell(ctx context.Context, asked bool) {
	if !asked {
		return
	}
	t := &s.teller
	if t.key == "" {
		t.key = runsPrefix + s.q.Name() + "/" + rand.Text()
	}
	e := s.leases.runs()
	e.Host, _ = os.Hostname() // "" is shown as unknown
	e.PID = os.Getpid()
	said, err := e.encode()
	if err != nil || string(said) == t.said && time.Since(t.at) < runsRepeat {
		return
	}
	e.At = stamp(time.Now())
	value, err := e.encode()
	if err != nil {
		return
	}
	r := records.Record{Key: t.key, Value: value, Version: t.version, Mark: runsMark, Expires: time.Now().Add(runsLast)}
	if t.version, err = s.o.Records.Put(ctx, r); err != nil {
		if t.version = ""; errors.Is(err, records.ErrConflict) { // the answer to an earlier write was lost
			if have, err := s.o.Records.Get(ctx, t.key); err == nil {
				t.version = have.Version
			}
		}
		s.log.Debug("cannot say what runs", "error", err)
		return
	}
	t.said, t.at = string(said), time.Now()
}

// tellNothing takes the answer back when the worker ends.
func (s *shift) tellNothing() {
	if s.teller.version == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	if err := s.o.Records.Delete(ctx, s.teller.key, s.teller.version); err != nil {
		s.log.Debug("cannot take back what was said to run", "error", err) // it expires
	}
}

// runs are those under way, the newest by name.
func (l *leases) runs() runsEntry {
	e := runsEntry{V: runsVersion, Runs: []runEntry{}}
	var ds []*delivery
	l.mu.Lock()
	for d := range l.held {
		if d.state == running && !d.begun.IsZero() {
			ds = append(ds, d)
		}
	}
	slices.SortFunc(ds, func(a, b *delivery) int { return b.begun.Compare(a.begun) })
	if e.Total = len(ds); e.Total > 0 {
		e.Oldest = stamp(ds[e.Total-1].begun)
	}
	ds = ds[:min(len(ds), MaxRuns)]
	for _, d := range ds {
		e.Runs = append(e.Runs, d.entry())
	}
	l.mu.Unlock()
	for i, d := range ds { // apart, as keepers have locks of their own
		e.Runs[i].Done, e.Runs[i].Text = d.trail.progress()
	}
	return e
}

// entry describes a run that began; leases.mu is held.
func (d *delivery) entry() runEntry {
	x := runEntry{ID: d.run.ID, Task: d.run.Task, Attempt: d.run.Attempt, Began: stamp(d.begun)}
	if d.event != nil {
		x.Key = clipped(keyOf(d.event, d.msg.GroupID), maxRunText)
	}
	if d.ctx != nil && d.ctx.Err() != nil {
		x.Ending = clipped(context.Cause(d.ctx).Error(), maxRunText)
	}
	return x
}

// keyOf is what a task is known by beside its name: the key by which it is unique
// or, pushed, done once, else its group.
func keyOf(e *Event, group string) string {
	if key, ok := strings.CutPrefix(e.Extensions[uniqueExtension], " "); ok {
		return key
	}
	if key := e.Extensions["oncekey"]; key != "" || group == e.Type {
		return key
	}
	return group
}

// progress is what the task told, if it keeps that.
func (t *trail) progress() (done float64, text string) {
	if t == nil || t.keeper == nil {
		return 0, ""
	}
	t.keeper.mu.Lock()
	defer t.keeper.mu.Unlock()
	return t.keeper.entry.Done, clipped(t.keeper.entry.Text, maxRunText)
}
