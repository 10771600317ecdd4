// Package queue keeps messages until they are done with: durable, delivered at
// least once, hidden while they are worked on, and set aside in a dead-letter
// queue when they fail too often. Its limits, defaults and rules are those of
// Amazon SQS, so that the same program runs on the embedded engine
// (queue/diskqueue) and on any SQS endpoint (queue/sqsqueue).
//
// Service is all queues of one engine or endpoint; Queue is one of them. Both
// check every argument before a driver sees it, so a driver only answers for
// state. A wrong argument is an *InvalidError; what depends on state is one of
// the sentinel errors below.
//
// What is durable, and when, is said in package driver: everything that
// returned nil survives the machine, except that a machine's death may undo
// the effect of a Receive.
package queue

import (
	"context"
	"io"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// The types of the contract, under the names users of queues need.
type (
	// Attributes of a queue; see CreateQueue for what zero values mean.
	Attributes = driver.Attributes
	// DeadLetter says where messages go that were received too often.
	DeadLetter = driver.DeadLetter
	// ListOptions bounds ListQueues.
	ListOptions = driver.ListOptions
	// ListPage is one page of queue names.
	ListPage = driver.ListPage
	// Description is what is known of a queue.
	Description = driver.Description
	// Attribute of a message.
	Attribute = driver.Attribute
	// Outgoing is a message to store.
	Outgoing = driver.Outgoing
	// Sent acknowledges a stored message.
	Sent = driver.Sent
	// ReceiveOptions of one Receive.
	ReceiveOptions = driver.ReceiveOptions
	// Message as received.
	Message = driver.Message
	// VisibilityChange of one message in flight.
	VisibilityChange = driver.VisibilityChange
	// Browsed is a message shown without being received.
	Browsed = driver.Browsed
	// State of a browsed message.
	State = driver.State
	// PartialError of a Send, some of whose messages are stored.
	PartialError = driver.PartialError
	// Move out of a dead-letter queue.
	Move = driver.Move
	// MoveTask is a move and what became of it.
	MoveTask = driver.MoveTask
	// MoveStatus says how far a move is.
	MoveStatus = driver.MoveStatus
)

// The states of a move.
const (
	MoveRunning    = driver.MoveRunning
	MoveCompleted  = driver.MoveCompleted
	MoveCancelling = driver.MoveCancelling
	MoveCancelled  = driver.MoveCancelled
	MoveFailed     = driver.MoveFailed
)

// The states of a browsed message.
const (
	StateVisible  = driver.StateVisible
	StateDelayed  = driver.StateDelayed
	StateInFlight = driver.StateInFlight
)

// Service is all queues of one driver. Its methods may be called from any
// number of goroutines.
type Service struct {
	d driver.Service
}

// New returns the service a driver provides. Closing the Service closes the driver.
func New(d driver.Service) *Service { return &Service{d: d} }

var (
	_ driver.Service = (*Service)(nil)
	_ driver.Browser = (*Service)(nil)
	_ driver.Mover   = (*Service)(nil)
	_ io.Closer      = (*Service)(nil)
)

// CreateQueue makes a queue, or does nothing when one with equal attributes
// exists; with other attributes it fails with ErrQueueExists.
//
// A zero Retention is 4 days and a zero MaxMessageSize 1 MiB. A zero
// Visibility is 30 seconds; a queue whose messages are visible again at once is
// asked for with a negative one. What the driver stores, and Describe returns,
// are the values themselves.
func (s *Service) CreateQueue(ctx context.Context, name string, a Attributes, tags map[string]string) error {
	a = withDefaults(a)
	if err := checkQueue(name, a); err != nil {
		return err
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	return s.d.CreateQueue(ctx, name, a, tags)
}

// DeleteQueue removes a queue and its messages.
func (s *Service) DeleteQueue(ctx context.Context, name string) error {
	if err := checkName("Name", name); err != nil {
		return err
	}
	return s.d.DeleteQueue(ctx, name)
}

// ListQueues returns names in ascending order, o.Max of them (0: 1,000).
func (s *Service) ListQueues(ctx context.Context, o ListOptions) (ListPage, error) {
	if o.Max == 0 {
		o.Max = maxListed
	}
	if o.Max < 0 || o.Max > maxListed {
		return ListPage{}, invalid("Max", o.Max, "must be 1 to 1000")
	}
	return s.d.ListQueues(ctx, o)
}

// Describe returns attributes, tags, times and counts.
func (s *Service) Describe(ctx context.Context, name string) (Description, error) {
	if err := checkName("Name", name); err != nil {
		return Description{}, err
	}
	return s.d.Describe(ctx, name)
}

// SetAttributes replaces the attributes whole and fills in no defaults: read
// them with Describe, change, write.
func (s *Service) SetAttributes(ctx context.Context, name string, a Attributes) error {
	if err := checkQueue(name, a); err != nil {
		return err
	}
	return s.d.SetAttributes(ctx, name, a)
}

// SetTags replaces the tags whole.
func (s *Service) SetTags(ctx context.Context, name string, tags map[string]string) error {
	if err := checkName("Name", name); err != nil {
		return err
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	return s.d.SetTags(ctx, name, tags)
}

// Purge removes every message, also those in flight and delayed; at most once
// in 60 seconds, else ErrPurgeInProgress.
func (s *Service) Purge(ctx context.Context, name string) error {
	if err := checkName("Name", name); err != nil {
		return err
	}
	return s.d.Purge(ctx, name)
}

// Send stores messages, all or none acknowledged; together at most 1 MiB of
// bodies and attributes. With none it does nothing. Where a service answered
// for each message by itself, and not the same, the error is a *PartialError.
func (s *Service) Send(ctx context.Context, name string, m []Outgoing) ([]Sent, error) {
	if err := checkName("Name", name); err != nil {
		return nil, err
	}
	if err := checkOutgoing(name, m); err != nil {
		return nil, err
	}
	if len(m) == 0 {
		return nil, nil
	}
	return s.d.Send(ctx, name, m)
}

// Receive hands out up to o.Max visible messages (0: one) and hides them; nil
// and no error when none came within the wait.
func (s *Service) Receive(ctx context.Context, name string, o ReceiveOptions) ([]Message, error) {
	if o.Max == 0 {
		o.Max = 1
	}
	if err := checkName("Name", name); err != nil {
		return nil, err
	}
	if err := checkReceive(o); err != nil {
		return nil, err
	}
	if !isFIFO(name) {
		o.AttemptID = "" // as SQS, which takes it and does not look at it
	}
	return s.d.Receive(ctx, name, o)
}

// Delete removes messages by receipt; errs[i] says why receipts[i] was not.
// Deleting a message that is gone succeeds.
func (s *Service) Delete(ctx context.Context, name string, receipts []string) (errs []error, err error) {
	if err := checkName("Name", name); err != nil {
		return nil, err
	}
	if len(receipts) == 0 {
		return nil, nil
	}
	return s.d.Delete(ctx, name, receipts)
}

// ChangeVisibility sets the time from now until messages in flight are visible
// again, 0 to 12 hours; errs[i] says why c[i] was not.
func (s *Service) ChangeVisibility(ctx context.Context, name string, c []VisibilityChange) (errs []error, err error) {
	if err := checkName("Name", name); err != nil {
		return nil, err
	}
	for i := range c {
		if err := checkDuration("Visibility", c[i].Visibility, 0, maxVisibility); err != nil {
			return nil, err
		}
	}
	if len(c) == 0 {
		return nil, nil
	}
	return s.d.ChangeVisibility(ctx, name, c)
}

// Remote reports whether each call is a request to another process, so that ten
// messages of one call cost little more than one.
func (s *Service) Remote() bool {
	_, remote := s.d.(driver.Remote)
	return remote
}

// BatchSize is how many messages a call of Send, Delete or ChangeVisibility best
// has where there are many: ten, or more where one request takes more. It may
// change with what the endpoint says.
func (s *Service) BatchSize() int {
	if b, ok := s.d.(driver.Batcher); ok {
		return b.BatchSize()
	}
	return maxReceiveBatch
}

// Browse shows up to max messages (1 to 1,000) after the given id, whatever
// their state. It fails with ErrUnsupported where the driver cannot.
func (s *Service) Browse(ctx context.Context, name, after string, max int) ([]Browsed, error) {
	if err := checkName("Name", name); err != nil {
		return nil, err
	}
	if max < 1 || max > maxListed {
		return nil, invalid("Max", max, "must be 1 to 1000")
	}
	b, ok := s.d.(driver.Browser)
	if !ok {
		return nil, ErrUnsupported
	}
	return b.Browse(ctx, name, after, max)
}

// DeleteID removes one message by id, whatever its state; false if there is
// none. It fails with ErrUnsupported where the driver cannot.
func (s *Service) DeleteID(ctx context.Context, name, id string) (bool, error) {
	if err := checkName("Name", name); err != nil {
		return false, err
	}
	b, ok := s.d.(driver.Browser)
	if !ok {
		return false, ErrUnsupported
	}
	return b.DeleteID(ctx, name, id)
}

// Replace stores m, visible at once, in the place of a message that Browse showed
// to wait for its time (Browsed.Waits), in one step. It fails with ErrNotWaiting
// or ErrMessageNotFound, and with ErrUnsupported on a FIFO queue and where the
// driver cannot. m.Delay is of no matter.
func (s *Service) Replace(ctx context.Context, name string, old Browsed, m Outgoing) (Sent, error) {
	if err := checkName("Name", name); err != nil {
		return Sent{}, err
	}
	r, ok := s.d.(driver.Replacer)
	if !ok || isFIFO(name) {
		return Sent{}, ErrUnsupported
	}
	m.Delay = 0
	if err := checkOutgoing(name, []Outgoing{m}); err != nil {
		return Sent{}, err
	}
	return r.Replace(ctx, name, old, m)
}

// StartMove moves the visible messages of m.Source to m.Destination ("": where
// each came from), m.Rate a second (0: no limit, at most 500). It fails with
// ErrUnsupported where the driver cannot.
func (s *Service) StartMove(ctx context.Context, m Move) (handle string, err error) {
	if err := checkName("Source", m.Source); err != nil {
		return "", err
	}
	if m.Destination != "" {
		if err := checkName("Destination", m.Destination); err != nil {
			return "", err
		}
		if m.Destination == m.Source {
			return "", invalid("Destination", m.Destination, "must not be the source itself")
		}
		if isFIFO(m.Destination) != isFIFO(m.Source) {
			return "", invalid("Destination", m.Destination, "must be FIFO exactly when the source is")
		}
	}
	if m.Rate < 0 || m.Rate > maxMoveRate {
		return "", invalid("Rate", m.Rate, "must be 1 to 500, or 0 for no limit")
	}
	d, ok := s.d.(driver.Mover)
	if !ok {
		return "", ErrUnsupported
	}
	return d.StartMove(ctx, m)
}

// CancelMove ends a move and returns how many messages it has moved.
func (s *Service) CancelMove(ctx context.Context, handle string) (moved int64, err error) {
	d, ok := s.d.(driver.Mover)
	if !ok {
		return 0, ErrUnsupported
	}
	return d.CancelMove(ctx, handle)
}

// ListMoves returns up to max (1 to 10) moves out of a queue, newest first.
func (s *Service) ListMoves(ctx context.Context, source string, max int) ([]MoveTask, error) {
	if err := checkName("Source", source); err != nil {
		return nil, err
	}
	if max < 1 || max > maxMovesListed {
		return nil, invalid("Max", max, "must be 1 to 10")
	}
	d, ok := s.d.(driver.Mover)
	if !ok {
		return nil, ErrUnsupported
	}
	return d.ListMoves(ctx, source, max)
}

// Close stops the driver and waits for it; waiting receivers return ErrClosed.
func (s *Service) Close() error { return s.d.Close() }

// Queue returns the queue of that name; whether it exists shows on first use.
func (s *Service) Queue(name string) *Queue { return &Queue{s: s, name: name} }

// Queue is one queue of a service. Its methods may be called from any number
// of goroutines.
type Queue struct {
	s    *Service
	name string
}

// Name of the queue.
func (q *Queue) Name() string { return q.name }

// Service the queue is of, through which its siblings are reached, such as its
// dead-letter queue.
func (q *Queue) Service() *Service { return q.s }

// Send is Service.Send for this queue.
func (q *Queue) Send(ctx context.Context, m ...Outgoing) ([]Sent, error) {
	return q.s.Send(ctx, q.name, m)
}

// Receive is Service.Receive for this queue.
func (q *Queue) Receive(ctx context.Context, o ReceiveOptions) ([]Message, error) {
	return q.s.Receive(ctx, q.name, o)
}

// Delete is Service.Delete for this queue.
func (q *Queue) Delete(ctx context.Context, receipts ...string) ([]error, error) {
	return q.s.Delete(ctx, q.name, receipts)
}

// ChangeVisibility is Service.ChangeVisibility for this queue.
func (q *Queue) ChangeVisibility(ctx context.Context, c ...VisibilityChange) ([]error, error) {
	return q.s.ChangeVisibility(ctx, q.name, c)
}

// Describe is Service.Describe for this queue.
func (q *Queue) Describe(ctx context.Context) (Description, error) {
	return q.s.Describe(ctx, q.name)
}
