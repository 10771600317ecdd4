package task

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	// MaxMembers of a batch.
	MaxMembers = 10_000

	batchExtension   = "dayflybatch"
	batchPrefix      = "task/batch/"
	shardPrefix      = "task/shard/"
	batchMark        = "task-batch" // of the heads of those that are not complete
	batchVersion     = 1
	batchRetention   = 30 * 24 * time.Hour
	maxBatchID       = MaxID - len("/10000")
	maxThen          = 128 << 10 // bytes of the message of a completion task, on record
	maxFailureText   = 200       // bytes kept of why a member failed
	enqueuedEach     = 500       // members between two notes of how many are enqueued
	thenSuffix       = "/then"
	thenDeadLettered = "dead-letter"
)

// Batch of calls that run at once, in whatever order, and a call that runs when
// all of them are settled: done, dead letters, or cancelled.
type Batch struct {
	members []Step
	then    Step
	strict  bool
}

// NewBatch makes a batch of 1–10,000 members and its completion task. That is
// run when the last of them is settled, also where some failed: it asks
// BatchFailures for them.
func NewBatch(then Step, members ...Step) Batch { return Batch{members: members, then: then} }

// Strict has the completion task dead-lettered, and not run, if any member
// failed or was cancelled.
func (b Batch) Strict() Batch {
	b.strict = true
	return b
}

// head is the record of a batch.
type head struct {
	V        int    `json:"v"`
	N        int    `json:"n"`               // members
	Sum      string `json:"sum"`             // of what the members and the completion are
	Then     string `json:"then"`            // the message of the completion task
	Policy   string `json:"policy"`          // "run", or "dead-letter" where a member failed
	Queue    string `json:"queue,omitempty"` // where the members are
	At       string `json:"at"`
	Until    int64  `json:"until"`    // seconds since 1970: when the records end
	Enqueued int    `json:"enqueued"` // members known to be
	Full     []byte `json:"full"`     // a bit for each shard whose members are settled
	Complete string `json:"complete,omitempty"`
}

// Enqueue stores the batch on record and its members in the queue, and returns
// its id, by default a random one. Members have that id, a slash and their
// number from 0; the completion task has it with "/then". Other options hold for
// the members.
//
// When it fails or dies in the middle, the same call with the same ID goes on
// where it was: members that are there twice are counted once. A batch that
// never gets all its members never completes.
//
// Workers need WorkerOptions.Records. A member costs two reads or writes of a
// record more; of n members about √n share a record, so that many may end at
// once. Records end 30 days after the first Enqueue; a member that ends later
// is not counted any more.
func (b Batch) Enqueue(ctx context.Context, c *Client, s *records.Store, options ...EnqueueOption) (id string, err error) {
	if s == nil {
		return "", ErrNoRecords
	}
	if err := checkSteps(b.members, MaxMembers); err != nil {
		return "", fmt.Errorf("task: batch: %w", err)
	}
	if err := checkSteps([]Step{b.then}, 1); err != nil {
		return "", fmt.Errorf("task: batch: completion: %w", err)
	}
	var e enqueue
	for _, o := range options {
		if err := o(&e); err != nil {
			return "", fmt.Errorf("task: batch: %w", err)
		}
	}
	if id = e.id; id == "" {
		id = uuid.NewString()
	}
	if len(id) > maxBatchID {
		return "", fmt.Errorf("task: batch: id of %d bytes, more than %d: members have it with their number", len(id), maxBatchID)
	}
	h, err := b.open(ctx, c, s, id, e.group)
	if err != nil {
		return "", err
	}
	for from := h.Enqueued; from < len(b.members); {
		to := min(from+enqueuedEach, len(b.members))
		if err := b.send(ctx, c, id, h, from, to, options); err != nil {
			return id, fmt.Errorf("task: batch %s: some of its members %d–%d are not enqueued: enqueue it again with this ID: %w", id, from, to-1, err)
		}
		from = to
		if err := noteEnqueued(ctx, s, id, to); err != nil {
			return id, fmt.Errorf("task: batch %s: enqueue it again with this ID: %w", id, err)
		}
	}
	return id, nil
}

// open puts the batch on record, or finds it there.
func (b Batch) open(ctx context.Context, c *Client, s *records.Store, id, group string) (head, error) {
	then, err := b.completion(ctx, c, id, group)
	if err != nil {
		return head{}, err
	}
	now := time.Now()
	h := head{V: batchVersion, N: len(b.members), Sum: b.sum(), Then: then, Policy: "run", Queue: c.q.Name(), At: stamp(now),
		Until: now.Add(batchRetention).Unix(), Full: make([]byte, (shardsOf(len(b.members))+7)/8)}
	if b.strict {
		h.Policy = thenDeadLettered
	}
	r, err := s.Update(ctx, batchPrefix+id, func(old *records.Record) (records.Record, error) {
		if old != nil {
			return *old, records.ErrUnchanged
		}
		return h.record()
	})
	if err != nil {
		return head{}, fmt.Errorf("task: batch %s: %w", id, err)
	}
	there, err := decodeHead(r)
	if err == nil && there.Sum != h.Sum {
		err = fmt.Errorf("task: batch %s is on record with other members: give this one another ID", id)
	}
	return there, err
}

// completion is the message of the completion task, stored as far as it is large.
func (b Batch) completion(ctx context.Context, c *Client, id, group string) (string, error) {
	d, err := c.draft(ctx, b.then.name, b.then.data, []EnqueueOption{ID(id + thenSuffix), Group(group)})
	if err != nil {
		return "", err
	}
	m, err := c.seal(d)
	if err != nil {
		return "", err
	}
	if len(m.Body) > maxThen {
		return "", fmt.Errorf("task %s: a completion of %d bytes, more than %d: give the client Payloads and a smaller Threshold", b.then.name, len(m.Body), maxThen)
	}
	if m.ref != nil {
		err = c.o.Payloads.Put(ctx, *m.ref, m.data)
	}
	return m.Body, err
}

// sum is the same for the same batch.
func (b Batch) sum() string {
	h := sha256.New()
	for _, s := range append([]Step{b.then}, b.members...) {
		fmt.Fprintf(h, "%s %d\n%s\n", s.name, len(s.data), s.data)
	}
	fmt.Fprint(h, b.strict)
	return hex.EncodeToString(h.Sum(nil))
}

// send stores the messages of some members.
func (b Batch) send(ctx context.Context, c *Client, id string, h head, from, to int, options []EnqueueOption) error {
	drafts, ids := make([]draft, to-from), make([]string, to-from)
	for i := range drafts {
		step := b.members[from+i]
		own := append(append([]EnqueueOption{}, options...), ID(memberID(id, from+i)))
		d, err := c.draft(ctx, step.name, step.data, own)
		if err == nil {
			d.event.Extensions, err = extend(d.event.Extensions, batchExtension,
				ofMember{ID: id, Member: &batchMember{Index: from + i, N: h.N, Until: h.Until}})
		}
		if err != nil {
			return err
		}
		drafts[i] = d
	}
	return c.many(ctx, drafts, ids)
}

func memberID(batch string, i int) string { return batch + "/" + strconv.Itoa(i) }

// noteEnqueued puts on record that members are in the queue.
func noteEnqueued(ctx context.Context, s *records.Store, id string, n int) error {
	_, err := changeHead(ctx, s, id, func(h *head) error {
		if h.Enqueued >= n {
			return records.ErrUnchanged
		}
		h.Enqueued = n
		return nil
	})
	if errors.Is(err, errNoBatch) { // it ended before this was noted, and expired
		return nil
	}
	return err
}

// errNoBatch: the records of a batch expired, or were never written.
var errNoBatch = errors.New("task: the batch is not on record")

// changeHead changes the record of a batch and returns it as it then is.
func changeHead(ctx context.Context, s *records.Store, id string, change func(*head) error) (head, error) {
	var h head
	_, err := s.Update(ctx, batchPrefix+id, func(old *records.Record) (r records.Record, err error) {
		if old == nil {
			return r, errNoBatch
		}
		if h, err = decodeHead(*old); err != nil {
			return r, err
		}
		if err := change(&h); err != nil {
			return r, err
		}
		return h.record()
	})
	return h, err
}

func (h head) record() (records.Record, error) {
	value, err := json.Marshal(h)
	r := records.Record{Value: value, Expires: time.Unix(h.Until, 0)}
	if h.Complete == "" {
		r.Mark = batchMark
	}
	return r, err
}

func decodeHead(r records.Record) (h head, err error) {
	if err = json.Unmarshal(r.Value, &h); err == nil {
		switch {
		case h.V != batchVersion:
			err = fmt.Errorf("it has version %d, this program knows %d", h.V, batchVersion)
		case h.N < 1 || h.N > MaxMembers || len(h.Full) != (shardsOf(h.N)+7)/8:
			err = fmt.Errorf("it has %d members and %d bytes of bits", h.N, len(h.Full))
		}
	}
	if err != nil {
		return h, fmt.Errorf("task: record %q cannot be read: %w", r.Key, err)
	}
	return h, nil
}
