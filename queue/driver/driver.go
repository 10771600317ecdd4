// Package driver is the contract between package queue and the engines that
// keep messages: the embedded disk engine and the client of an SQS endpoint.
//
// Users of queues import package queue. A driver implements Service and is
// judged by package drivertest.
//
// What the contract asks of every driver:
//
//   - Durable. When Send, Delete, ChangeVisibility, CreateQueue, DeleteQueue,
//     SetAttributes or Purge has returned nil, the effect survives the death of
//     the process and of the machine. Receive may lose its effect (visibility
//     and receive count) with the machine, never with the process alone.
//   - At least once. A message that was sent is delivered until it is deleted,
//     has expired by retention, was purged, or moved to its dead-letter queue.
//   - Validated before. Package queue checks names, limits and ranges; a driver
//     may rely on that and only answers for state (no such queue, stale
//     receipt, too many in flight).
//   - Concurrent. Every method may be called from any number of goroutines.
//   - No retries. A driver makes one attempt, except what its transport does by
//     itself; callers retry.
//   - Nothing retained. A driver copies what it keeps of its arguments, and the
//     caller owns what is returned.
//   - Contexts end waiting, not work already handed to the log: a Send whose
//     context ended may or may not have happened.
package driver

import (
	"context"
	"errors"
	"time"
)

// Errors a driver returns, wrapped with the operation and the queue's name;
// test with errors.Is.
var (
	// ErrQueueNotFound: there is no queue of that name.
	ErrQueueNotFound = errors.New("queue does not exist")
	// ErrQueueExists: CreateQueue names a queue that exists with other attributes.
	ErrQueueExists = errors.New("queue exists with other attributes")
	// ErrReceiptInvalid: the receipt was never issued by this queue, or is malformed.
	ErrReceiptInvalid = errors.New("receipt handle is invalid")
	// ErrNotInFlight: the message is not there any more or, on a FIFO queue, no
	// longer in flight under this receipt (visibility ended, or received again).
	ErrNotInFlight = errors.New("message is not in flight")
	// ErrVisibilityTooLong: the message would be hidden for more than 12 hours
	// since it was received.
	ErrVisibilityTooLong = errors.New("visibility would end more than 12 hours after the receive")
	// ErrOverLimit: the queue has as many messages in flight as it allows.
	ErrOverLimit = errors.New("too many messages in flight")
	// ErrReceiptExpired: the queue is FIFO and the visibility of the message
	// under this receipt is over. On standard queues such receipts still delete.
	ErrReceiptExpired = errors.New("receipt handle has expired")
	// ErrNoDedupID: a message for a FIFO queue has no DedupID, and the queue does
	// not make one of the content.
	ErrNoDedupID = errors.New("message has no deduplication id")
	// ErrQueueDeletedRecently: CreateQueue names a queue deleted less than 60 s ago.
	ErrQueueDeletedRecently = errors.New("queue was deleted in the last 60 seconds")
	// ErrMoveNotFound: there is no such move task, or it does not run any more.
	ErrMoveNotFound = errors.New("move task does not exist or is over")
	// ErrMoveActive: messages of that queue are being moved already, or too many
	// move tasks run.
	ErrMoveActive = errors.New("a move task is active")
	// ErrPurgeInProgress: the queue was purged less than 60 s ago.
	ErrPurgeInProgress = errors.New("queue was purged in the last 60 seconds")
	// ErrTooLarge: a message is larger than the queue's MaxMessageSize.
	ErrTooLarge = errors.New("message is larger than the queue takes")
	// ErrMessageNotFound: there is no message of that id, or it has expired.
	ErrMessageNotFound = errors.New("message does not exist")
	// ErrNotWaiting: the message is visible, or somebody received it and may be at
	// work on it, or it was received since it was looked at.
	ErrNotWaiting = errors.New("message does not wait for its time")
	// ErrUnsupported: the driver does not have this feature (browsing over SQS).
	ErrUnsupported = errors.New("not supported")
	// ErrFull: the disk had no room; nothing of the operation was acknowledged.
	ErrFull = errors.New("no room on disk")
	// ErrClosed: the service was closed, or refuses writes after a failed sync.
	ErrClosed = errors.New("queue service is closed")
)

// Service keeps queues by name. Names are 1–80 characters of [A-Za-z0-9_-],
// with the suffix ".fifo" for FIFO queues.
type Service interface {
	// CreateQueue makes a queue. If it exists with equal attributes nothing
	// happens; with others it fails with ErrQueueExists. Less than 60 s after a
	// queue of that name was deleted it fails with ErrQueueDeletedRecently.
	CreateQueue(ctx context.Context, name string, a Attributes, tags map[string]string) error
	// DeleteQueue removes a queue and its messages.
	DeleteQueue(ctx context.Context, name string) error
	// ListQueues returns names in ascending order.
	ListQueues(ctx context.Context, o ListOptions) (ListPage, error)
	// Describe returns attributes, tags, times and counts.
	Describe(ctx context.Context, name string) (Description, error)
	// SetAttributes replaces the attributes whole; callers read, change, write.
	SetAttributes(ctx context.Context, name string, a Attributes) error
	// SetTags replaces the tags whole.
	SetTags(ctx context.Context, name string, tags map[string]string) error
	// Purge removes every message, also those in flight and delayed.
	Purge(ctx context.Context, name string) error

	// Send stores messages, all acknowledged by one return. The results are in
	// the order of the arguments. On error none is acknowledged. On a FIFO queue
	// a message whose DedupID was sent in the last 5 minutes (in its group, with
	// GroupDedup) is not stored again: what is returned is what the first one got.
	Send(ctx context.Context, name string, m []Outgoing) ([]Sent, error)
	// Receive hands out visible messages, oldest first as far as it can, and
	// hides them for the visibility timeout. With Wait it blocks until one is
	// there, the wait is over (nil, nil) or ctx ends. With as many in flight as
	// allowed it fails with ErrOverLimit, or waits if it may wait; a FIFO queue
	// then has nothing to hand out.
	//
	// On a FIFO queue messages of a group come in the order they were sent, and
	// none while another receive has one sent before it; one receive may get
	// several. Groups take turns. A repeated AttemptID within 5 minutes gets the same messages and
	// receipts again, hidden anew, unless one of them was touched meanwhile.
	//
	// On a standard queue messages with a GroupID are handed out fairly: groups
	// with at least 30 messages in flight that are more than a tenth of all come
	// after the others.
	Receive(ctx context.Context, name string, o ReceiveOptions) ([]Message, error)
	// Delete removes messages by receipt; errs[i] is nil or why receipts[i]
	// was not. Deleting a message that is gone already succeeds, as SQS does. So
	// does, and deletes nothing, a receipt older than the last one issued for its
	// message; one whose visibility is over but that is the last still deletes. On
	// a FIFO queue either fails with ErrReceiptExpired while the message is there.
	Delete(ctx context.Context, name string, receipts []string) (errs []error, err error)
	// ChangeVisibility sets the time left, from now, until messages are visible
	// again; 0 makes them visible at once and wakes a waiting receiver. On a
	// standard queue any receipt of a message that is there does, as on SQS: one
	// that is visible again is hidden again. Else it fails with ErrNotInFlight.
	ChangeVisibility(ctx context.Context, name string, c []VisibilityChange) (errs []error, err error)

	// Close stops the driver and waits for its goroutines. Waiting receivers
	// return ErrClosed.
	Close() error
}

// Browser is implemented by drivers that can show messages without receiving
// them (the embedded engine). The SQS protocol has no such action.
type Browser interface {
	// Browse returns up to max messages after the given id ("" from the start),
	// oldest first, whatever their state, and counts nothing.
	Browse(ctx context.Context, name, after string, max int) ([]Browsed, error)
	// DeleteID removes one message by id, whatever its state; false if there is none.
	DeleteID(ctx context.Context, name, id string) (bool, error)
}

// Replacer is implemented by drivers that can have a message that waits for its
// time be there before it (the embedded engine). SQS has no such action.
type Replacer interface {
	// Replace stores m, visible at once, and removes the message that Browse showed
	// as old: with a new id, time of sending and receive count. It is one step, also
	// for a crash: one of the two is there, never both and never none. A message
	// that does not wait (Browsed.Waits), or was received since it was browsed, is
	// left as it is: ErrNotWaiting; one that is gone is ErrMessageNotFound. On a FIFO
	// queue, where a message has its place, it is ErrUnsupported.
	Replace(ctx context.Context, name string, old Browsed, m Outgoing) (Sent, error)
}

// Mover is implemented by drivers that move the messages of a dead-letter queue
// by themselves. A move survives a restart of the service.
type Mover interface {
	// StartMove moves the visible messages of a queue elsewhere, as new messages:
	// with a new id, time of sending and receive count. Each is in at least one
	// of the queues at any time. A queue has at most one move, a service 100.
	StartMove(ctx context.Context, m Move) (handle string, err error)
	// CancelMove ends a running move and returns how many messages it has moved.
	CancelMove(ctx context.Context, handle string) (moved int64, err error)
	// ListMoves returns up to max (1–10) moves out of a queue, newest first; those
	// that are over too, the last 10 of them.
	ListMoves(ctx context.Context, source string, max int) ([]MoveTask, error)
}

// Move is what StartMove does.
type Move struct {
	Source      string // queue
	Destination string // queue; "": each message to the queue it was dead-lettered from
	Rate        int    // messages a second, 1–500; 0: as fast as the service can
}

// MoveStatus says how far a move is.
type MoveStatus string

// The states of a move.
const (
	MoveRunning    MoveStatus = "RUNNING"
	MoveCompleted  MoveStatus = "COMPLETED"
	MoveCancelling MoveStatus = "CANCELLING"
	MoveCancelled  MoveStatus = "CANCELLED"
	MoveFailed     MoveStatus = "FAILED"
)

// MoveTask is a move and what became of it.
type MoveTask struct {
	Move
	Handle  string // "" when it is over
	Status  MoveStatus
	Moved   int64 // messages; after a restart approximate
	ToMove  int64 // messages visible in the source when it was started
	Started time.Time
	Failure string // of a failed one: why
}

// State of a message in a queue.
type State string

// The states a message passes through.
const (
	StateVisible  State = "visible"
	StateDelayed  State = "delayed"
	StateInFlight State = "in flight"
)

// Browsed is a message as Browse shows it.
type Browsed struct {
	Message
	State     State
	VisibleAt time.Time // when a delayed or in-flight message is next visible
	// Waits: nobody has it until then. It is delayed, or was given back with a
	// pause (VisibilityChange.GivenBack), and Replace takes it.
	Waits bool
}

// Attributes of a queue. Package queue fills in the defaults before a driver
// sees them, so that in a driver every value is meant as it stands.
type Attributes struct {
	Visibility     time.Duration // 0–12 h, default 30 s (queue.CreateQueue: negative for 0)
	Delay          time.Duration // 0–15 min, default 0
	Retention      time.Duration // 60 s–14 d, default 4 d
	ReceiveWait    time.Duration // 0–20 s, default 0
	MaxMessageSize int           // bytes, 1024–1048576, default 1048576
	DeadLetter     *DeadLetter   // nil: none
	FIFO           bool          // name ends in ".fifo"; fixed at creation
	ContentDedup   bool          // FIFO: deduplicate by SHA-256 of the body where no DedupID is given
	GroupDedup     bool          // FIFO: deduplicate within the message group (DeduplicationScope messageGroup)

	// Stored and returned as given; the service does not act on them.
	Extra map[string]string // Policy, KmsMasterKeyId, RedriveAllowPolicy, …
}

// DeadLetter says where a message goes when it was received more than
// MaxReceives times.
type DeadLetter struct {
	Queue       string // name, same service
	MaxReceives int    // 1–1000
}

// ListOptions bounds a listing.
type ListOptions struct {
	Prefix string
	After  string // names greater than this
	Max    int    // 1–1000
}

// ListPage is one page of names; Next is the last name when there is more, else "".
type ListPage struct {
	Names []string
	Next  string
}

// Description is what is known of a queue. Counts are exact in the embedded
// engine and approximate on SQS.
type Description struct {
	Name       string
	Attributes Attributes
	Tags       map[string]string
	Created    time.Time
	Modified   time.Time
	Visible    int64
	Delayed    int64
	InFlight   int64
	OldestAge  time.Duration // age of the oldest message not deleted; 0 when empty, -1 unknown
}

// Attribute is a user's attribute of a message.
type Attribute struct {
	DataType string // "String", "Number", "Binary", with an optional ".custom" suffix
	String   string // for String and Number
	Binary   []byte // for Binary
}

// Outgoing is a message to store.
type Outgoing struct {
	Body       string
	Attributes map[string]Attribute // at most 10
	System     map[string]Attribute // AWSTraceHeader
	Delay      time.Duration        // -1: the queue's
	GroupID    string               // FIFO: required; standard: the tenant, for fairness
	DedupID    string               // FIFO: required without ContentDedup
}

// Size in bytes of the message as SQS counts it against its limits: body, and
// name, type and value of each attribute; system attributes are free.
func (m *Outgoing) Size() int {
	n := len(m.Body)
	for name, a := range m.Attributes {
		n += len(name) + len(a.DataType) + len(a.String) + len(a.Binary)
	}
	return n
}

// Sent acknowledges one message.
type Sent struct {
	ID       string // UUID
	Sequence string // FIFO: 20 digits, increasing
}

// ReceiveOptions of one call.
type ReceiveOptions struct {
	Max        int           // 1–10
	Visibility time.Duration // -1: the queue's
	Wait       time.Duration // -1: the queue's; at most 20 s
	AttemptID  string        // FIFO: repeat of a call whose reply was lost
}

// Message as received.
type Message struct {
	ID            string
	Receipt       string // "" when browsed
	Body          string
	Attributes    map[string]Attribute
	System        map[string]Attribute
	Sent          time.Time
	FirstReceived time.Time // zero when browsed before any receive
	Receives      int       // this one included
	GroupID       string
	DedupID       string
	Sequence      string
	Source        string // name of the queue it was dead-lettered from, or ""
}

// VisibilityChange of one message.
type VisibilityChange struct {
	Receipt    string
	Visibility time.Duration // from now, 0–12 h
	// GivenBack: who received the message has done with it, and it only waits. A
	// driver may forget that, and SQS is not told.
	GivenBack bool
}
