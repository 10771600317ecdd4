package dash

import (
	"context"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// Tasks is what dayfly knows of tasks, and does about them, beyond the messages
// in their queues. Package app implements it.
type Tasks interface {
	// Activity is what goes through a queue, by its name in the service; the
	// zero Activity of a queue that nothing is known of.
	Activity(queue string) Activity

	// Unknown lists at most max effects of which nobody knows whether they
	// happened. ErrNotFound: there is no ledger here.
	Unknown(ctx context.Context, max int) ([]Effect, error)
	// Resolve puts a person's word about such an effect on record, that it
	// happened or that it is to happen again, sends the dead letters that wait
	// for it back, and says what became of it. An effect that is not unknown
	// any more is an error that says what it is.
	Resolve(ctx context.Context, key string, sent bool) (text string, err error)

	// Pauses lists the queues that are paused. ErrNotFound: queues cannot be
	// paused here, as there is no store of records.
	Pauses(ctx context.Context) ([]Pause, error)
	// Pause has workers begin no task of a queue, which may be paused already,
	// until Resume; why may be empty.
	Pause(ctx context.Context, queue, why string) (text string, err error)
	Resume(ctx context.Context, queue string) (text string, err error)

	// Task is what is on record of the task of an id; ErrNotFound: nothing is.
	Task(ctx context.Context, id string) (TaskStatus, error)
	// Cancel has the task of an id not run, or no longer; whether there is one
	// is not known. why may be empty.
	Cancel(ctx context.Context, id, why string) (text string, err error)

	// Limits lists limits of rate and concurrency, and Keys the unique keys that
	// are held, both a part at a time. ErrNotFound: there is no store of records.
	Limits(ctx context.Context, ask Ask) (LimitList, error)
	Keys(ctx context.Context, ask Ask) (KeyList, error)
	// ReleaseKey frees a key that the task of that id holds; that task is left alone.
	ReleaseKey(ctx context.Context, key, id string) (text string, err error)
	// RunNow has a message that waits for its time (Browsed.Waits) begin now.
	RunNow(ctx context.Context, queue string, b queue.Browsed) (text string, err error)

	// Runs asks the workers of a queue what they run, and returns what they said
	// last: all of it a second or two after it was first asked for. ErrNotFound:
	// they cannot say it here, as there is no store of records.
	Runs(ctx context.Context, queue string) ([]Worker, error)

	// Outboxes are the databases whose rows become tasks, by name. A database
	// that does not answer says so in its Outbox, soon.
	Outboxes(ctx context.Context) []Outbox
}

// Activity of a queue.
type Activity struct {
	// Samples are oldest first and evenly spaced, at most 360; none where the
	// queues are not embedded, as each look costs there.
	Samples []Sample `json:"samples"`
	Push    *Push    `json:"push,omitempty"` // nil: its tasks are not pushed
	// Pausable: its workers can be told to pause.
	Pausable bool `json:"pausable"`
}

// Sample is a queue at one moment.
type Sample struct {
	Time     time.Time `json:"time"`
	Visible  int64     `json:"visible"`
	Delayed  int64     `json:"delayed"`
	InFlight int64     `json:"in_flight"`
	Sent     int64     `json:"sent"`    // messages stored, since dayfly's start as all that follow
	Deleted  int64     `json:"deleted"` // after they were received
	Outcomes Outcomes  `json:"outcomes"`
}

// Outcomes are runs of tasks that were pushed, since dayfly's start.
type Outcomes struct {
	Done      int64 `json:"done"`
	Retried   int64 `json:"retried"`
	Dead      int64 `json:"dead"`
	Postponed int64 `json:"postponed"` // not now, said the endpoint or a limit; no attempt was used up
	Cancelled int64 `json:"cancelled"` // somebody cancelled the task
	Duplicate int64 `json:"duplicate"` // removed, as one of its unique key had begun
	Other     int64 `json:"other"`     // the lease was lost, or dayfly stopped
}

func (o Outcomes) minus(p Outcomes) Outcomes {
	return Outcomes{o.Done - p.Done, o.Retried - p.Retried, o.Dead - p.Dead, o.Postponed - p.Postponed, o.Cancelled - p.Cancelled, o.Duplicate - p.Duplicate, o.Other - p.Other}
}

// Total is the number of runs.
func (o Outcomes) Total() int64 {
	return o.Done + o.Retried + o.Dead + o.Postponed + o.Cancelled + o.Duplicate + o.Other
}

// Push says where a queue's tasks are pushed, and how that goes.
type Push struct {
	URL      string    `json:"url"` // without query, which may hold a secret
	Outcomes Outcomes  `json:"outcomes"`
	Down     bool      `json:"down"`  // tasks wait, and one at a time goes to see
	Since    time.Time `json:"since"` // it is down
	Next     time.Time `json:"next"`  // of the next look, when a task waits
	Error    string    `json:"error"` // what the latest look ran into
}

// Effect is one of which nobody knows whether it happened.
type Effect struct {
	Key     string    `json:"key"`
	State   string    `json:"state"` // "unknown", or "sending" by a worker that says nothing any more
	Policy  string    `json:"policy"`
	Attempt int       `json:"attempt"` // effects begun, from 1
	At      time.Time `json:"at"`      // it began, or its end was given up
	Worker  string    `json:"worker"`
	Task    string    `json:"task"`
	Run     string    `json:"run"` // id of the task
	Queue   string    `json:"queue"`
	Error   string    `json:"error"`
}

// Pause of a queue.
type Pause struct {
	Queue string    `json:"queue"`
	At    time.Time `json:"at"` // since when
	By    string    `json:"by"` // may be empty, as may Why
	Why   string    `json:"why"`
}

// TaskStatus is what is on record of one task: of its runs where it keeps its
// state, and of its cancellation.
type TaskStatus struct {
	ID      string    `json:"id"`
	State   string    `json:"state"` // "running", "waiting" for its next run, "done", "failed", "cancelled"; "" of no run anything is kept
	Task    string    `json:"task"`
	Queue   string    `json:"queue"`
	Attempt int       `json:"attempt"`  // of the latest run, from 1
	Started time.Time `json:"started"`  // that run
	At      time.Time `json:"at"`       // of the latest word
	Done    float64   `json:"progress"` // a number of the task's own choice
	Text    string    `json:"text"`     // what goes with it
	Error   string    `json:"error"`
	Result  string    `json:"result"` // JSON

	Cancelled *Cancellation `json:"cancelled,omitempty"` // nil: nobody did
	Batch     *Batch        `json:"batch,omitempty"`     // nil: the id is none of a batch
}

// Cancellation is the order to cancel a task, and what became of it.
type Cancellation struct {
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Why      string    `json:"why"`
	Applied  time.Time `json:"applied"`  // a worker met the task and removed it; zero: not yet
	Running  bool      `json:"running"`  // it was running then
	Finished bool      `json:"finished"` // it finished all the same
	Task     string    `json:"task"`     // its name, known once it was met, as is
	Queue    string    `json:"queue"`    // where
}

// Outbox is a database whose rows become tasks.
type Outbox struct {
	Database string `json:"database"`
	Queue    string `json:"queue"`    // of the rows that name none
	Waiting  int    `json:"waiting"`  // rows that are not sent yet
	SetAside int    `json:"setaside"` // rows that cannot be sent
	Most     int    `json:"most"`     // as far as rows are counted
	Problem  string `json:"problem"`  // why they could not be counted; "" they were
}
