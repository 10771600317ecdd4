package diskqueue

import (
	"context"
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Damage is one place of a store that is not as it was written, and what that
// costs.
type Damage struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes,omitempty"` // 0: unknown
	Reason string `json:"reason"`
	Cost   string `json:"cost"`
	Lost   []Lost `json:"lost,omitempty"`
}

// Lost is a message that cannot be read any more.
type Lost struct {
	Queue  string    `json:"queue,omitempty"` // "": unknown
	Number uint64    `json:"number"`          // counts all messages ever sent to the store
	ID     string    `json:"id,omitempty"`    // "": unknown
	Sent   time.Time `json:"sent,omitzero"`   // to the second; zero: unknown
}

// QueueReport is what of a queue is there. Messages are those that can be read.
type QueueReport struct {
	Name     string `json:"name"`
	Messages int64  `json:"messages"`
	Visible  int64  `json:"visible"`
	Delayed  int64  `json:"delayed"`
	InFlight int64  `json:"in_flight"`
	Doubtful int64  `json:"doubtful,omitempty"` // of Messages: may have been deleted
	Lost     int64  `json:"lost,omitempty"`     // cannot be read, beside Messages
	Bytes    int64  `json:"bytes"`              // of records
}

// Report is what Verify found.
type Report struct {
	Queues   []QueueReport `json:"queues"`
	Messages int64         `json:"messages"`
	Lost     int64         `json:"lost"` // messages, those of unknown queues too
	Damages  int           `json:"damages"`
	// Torn, if not empty, is where the log ends in a write that the machine did
	// not finish. That is no damage: nothing in it was acknowledged, and the next
	// opening cuts it off.
	Torn  string `json:"torn,omitempty"`
	Bytes int64  `json:"bytes"` // of the log
}

// Verify reads all of the store in a folder, changing nothing, and calls damage,
// which may be nil, for each damage, in order of file and place. It fails if it
// cannot judge: there is no store (ErrNoStore), another process has it
// (vfs.ErrLocked), it is of a newer version, or ctx ended. Others may verify and
// export at the same time. It takes the memory of an opened store.
func Verify(ctx context.Context, dir string, p Progress, damage func(Damage) error) (Report, error) {
	s, err := openSurvey(ctx, dir, p)
	if err != nil {
		return Report{}, err
	}
	defer s.close()
	return s.verify(damage)
}

func (s *survey) verify(damage func(Damage) error) (Report, error) {
	c := newCheck(s, damage)
	if err := c.run(); err != nil {
		return Report{}, err
	}
	r := Report{Queues: []QueueReport{}, Lost: c.lost, Damages: c.damages, Bytes: c.bytes}
	if s.end.Torn {
		r.Torn = s.end.End.String()
	}
	at := now()
	for _, q := range s.queues() {
		sum := QueueReport{Name: q.name, Lost: c.lostOf[q.name]}
		err := s.messages(q, func(x found) error {
			sum.Messages++
			sum.Bytes += int64(x.m.size())
			switch x.state(at) {
			case driver.StateDelayed:
				sum.Delayed++
			case driver.StateInFlight:
				sum.InFlight++
			default:
				sum.Visible++
			}
			if x.doubtful {
				sum.Doubtful++
			}
			return nil
		})
		if err != nil {
			return r, err
		}
		r.Messages += sum.Messages
		r.Queues = append(r.Queues, sum)
	}
	return r, nil
}
