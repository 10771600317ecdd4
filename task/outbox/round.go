package outbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// round reads a batch of rows, sends them, deletes what was acknowledged and
// sets aside what can never be sent.
func (s *shift) round(ctx context.Context) (pause time.Duration, err error) {
	var resting []string
	for _, l := range s.lanes {
		if time.Now().Before(l.rests) {
			resting = append(resting, l.names...)
		}
	}
	rows, err := s.dialect.read(ctx, s.db, s.o.Batch, resting)
	if err != nil {
		return 0, err
	}
	if len(rows) == 0 {
		return s.o.Poll, nil
	}
	broken := s.deal(rows)
	s.send(ctx)
	failed := 0
	for _, l := range s.lanes {
		s.sent = append(s.sent, l.sent...)
		broken = append(broken, l.broken...)
		failed += len(l.failed)
	}
	for _, b := range broken {
		s.log.Error("outbox: a row can never be sent and is set aside in dayfly_outbox_dead", "seq", b.seq, "error", b.why)
		if err := s.dialect.bury(ctx, s.db, b.seq, shortened(b.why.Error())); err != nil {
			return 0, fmt.Errorf("set row %d aside: %w", b.seq, err)
		}
	}
	progress := len(s.sent) > 0 || len(broken) > 0
	if err := s.remove(ctx); err != nil {
		return 0, err
	}
	if failed == 0 || progress {
		return 0, nil
	}
	for _, l := range s.lanes {
		if len(l.failed) > 0 && l.failures%8 == 0 {
			// Perhaps it is only from here that the queue cannot be reached:
			// long enough for another to ask for the lease.
			return s.o.Lease / 3, s.yield(ctx)
		}
	}
	return s.o.Poll, nil // the other queues' rows next, as this one rests
}

// deal gives each lane its rows, and returns those that no queue takes.
func (s *shift) deal(rows []row) (broken []brokenRow) {
	for _, l := range s.lanes {
		l.begin()
	}
	for i := range rows {
		r := &rows[i]
		l := s.byName[r.queue]
		if l == nil {
			broken = append(broken, brokenRow{r.seq, fmt.Errorf("there is no queue %.80q here; known are %s", r.queue, s.known())})
			continue
		}
		m, err := r.outgoing(l.q)
		if err != nil {
			broken = append(broken, brokenRow{r.seq, err})
			continue
		}
		l.letters = append(l.letters, letter{seq: r.seq, m: m})
	}
	return broken
}

func (s *shift) known() string {
	var names []string
	for name := range s.byName {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// send has all lanes send at once, within the lease: a request that could
// outlast it might be answered after another relay has sent what follows.
func (s *shift) send(ctx context.Context) {
	limited, cancel := context.WithDeadline(ctx, s.until)
	defer cancel()
	done := make(chan struct{}, len(s.lanes))
	for _, l := range s.lanes {
		go func() {
			defer func() { done <- struct{}{} }()
			if len(l.letters) > 0 {
				l.send(limited)
				l.rest(s.log)
			}
		}()
	}
	for range s.lanes {
		<-done
	}
}

// shortened to what a column takes: 4 KiB of text.
func shortened(text string) string {
	const most = 4 << 10
	return strings.ToValidUTF8(strings.ReplaceAll(text[:min(len(text), most)], "\x00", "�"), "�")
}
