package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
)

// batchMember says, in a message, of which batch it is.
type batchMember struct {
	ID    string `json:"-"`
	Index int    `json:"i"`
	N     int    `json:"n"`
	Until int64  `json:"until"`
}

// completion says, in a message, of which batch it is the completion task.
type completion struct {
	ID     string `json:"-"`
	Failed int    `json:"failed"`
}

// ofMember is the extension: one of the two.
type ofMember struct {
	ID     string       `json:"id"`
	Member *batchMember `json:"member,omitempty"`
	Then   *completion  `json:"then,omitempty"`
}

// readBatch reads the extension of a message.
func readBatch(text string) (*batchMember, *completion, error) {
	fail := func(why string) (*batchMember, *completion, error) {
		return nil, nil, &FormatError{batchExtension + ": " + why}
	}
	var x ofMember
	if err := json.Unmarshal([]byte(text), &x); err != nil {
		return fail(err.Error())
	}
	if x.ID == "" || len(x.ID) > maxBatchID || hasControl(x.ID) {
		return fail("its id is not one of a batch")
	}
	switch m := x.Member; {
	case (m == nil) == (x.Then == nil):
		return fail("it is neither a member nor the completion")
	case m == nil:
		x.Then.ID = x.ID
		return nil, x.Then, nil
	case m.N < 1 || m.N > MaxMembers || m.Index < 0 || m.Index >= m.N:
		return fail(fmt.Sprintf("member %d of %d: a batch has 1–%d", m.Index, m.N, MaxMembers))
	case m.Until < 1 || m.Until > 1<<37:
		return fail("its records end at no time")
	}
	x.Member.ID = x.ID
	return x.Member, nil, nil
}

// shardsOf so many members: about as many as a shard has members, so that
// neither the shards nor the head, which is written once for each, are written
// by many at once.
func shardsOf(n int) int {
	k := 1
	for k*k < n {
		k++
	}
	return k
}

// shard is the record of every k-th member of a batch of k shards.
type shard struct {
	V       int            `json:"v"`
	Settled []byte         `json:"settled"`          // a bit for each of its members
	Failed  map[int]string `json:"failed,omitempty"` // why, by the member's number in the batch
}

func shardKey(batch string, i int) string { return batchPrefix + batch + "/" + strconv.Itoa(i) }

// sizeOf the i-th of k shards of n members.
func sizeOf(i, k, n int) int { return (n - i + k - 1) / k }

func decodeShard(r records.Record, size int) (x shard, err error) {
	if err = json.Unmarshal(r.Value, &x); err == nil {
		if x.V != batchVersion {
			err = fmt.Errorf("it has version %d, this program knows %d", x.V, batchVersion)
		} else if len(x.Settled) != (size+7)/8 {
			err = fmt.Errorf("it has %d bytes of bits for %d members", len(x.Settled), size)
		}
	}
	if err != nil {
		return x, fmt.Errorf("task: record %q cannot be read: %w", r.Key, err)
	}
	return x, nil
}

func has(bits []byte, i int) bool { return bits[i/8]&(1<<(i%8)) != 0 }

func all(bits []byte, n int) bool {
	for i := range n {
		if !has(bits, i) {
			return false
		}
	}
	return true
}

// tally counts a member as settled, and has the completion task enqueued when it
// was the last. Each step is done again, to the same end, by whoever comes after
// a crash: the message of the member is deleted only after this.
//
//	shard: the member's bit → if all of the shard: head: the shard's bit
//	→ if all of the head: send the completion, then head: complete
func (s *shift) tally(d *delivery, m *batchMember, failure error) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	full, err := settleMember(ctx, s.o.Records, m, failure)
	if err != nil || !full {
		return err
	}
	shard := m.Index % shardsOf(m.N)
	h, err := changeHead(ctx, s.o.Records, m.ID, func(h *head) error {
		if h.N != m.N {
			return fmt.Errorf("task: batch %s has %d members, the message says %d", m.ID, h.N, m.N)
		}
		if has(h.Full, shard) {
			return records.ErrUnchanged
		}
		h.Full[shard/8] |= 1 << (shard % 8)
		return nil
	})
	switch {
	case errors.Is(err, errNoBatch):
		s.about(d).Warn("a member of a batch that is no longer on record is settled", "batch", m.ID)
		return nil
	case err != nil || h.Complete != "" || !all(h.Full, shardsOf(h.N)):
		return err
	}
	return s.completeBatch(ctx, d, m.ID, h)
}

// settleMember sets the bit of a member; full says that its shard has all now. A
// member that failed and was redriven is done after all.
func settleMember(ctx context.Context, s *records.Store, m *batchMember, failure error) (full bool, err error) {
	k := shardsOf(m.N)
	i, bit := m.Index%k, m.Index/k
	size := sizeOf(i, k, m.N)
	_, err = s.Update(ctx, shardKey(m.ID, i), func(old *records.Record) (records.Record, error) {
		x := shard{V: batchVersion, Settled: make([]byte, (size+7)/8)}
		if old != nil {
			var err error
			if x, err = decodeShard(*old, size); err != nil {
				return *old, err
			}
		}
		was, failed := has(x.Settled, bit), x.Failed[m.Index]
		why := ""
		if failure != nil {
			why = clipped(failure.Error(), maxFailureText)
		}
		x.Settled[bit/8] |= 1 << (bit % 8)
		full = all(x.Settled, size)
		if was && (failed == "" || failed == why) { // what was done stays so
			return records.Record{}, records.ErrUnchanged
		}
		delete(x.Failed, m.Index)
		if failure != nil {
			if x.Failed == nil {
				x.Failed = map[int]string{}
			}
			x.Failed[m.Index] = why
		}
		value, err := json.Marshal(x)
		return records.Record{Value: value, Expires: time.Unix(m.Until, 0)}, err
	})
	return full, err
}

// completeBatch sends the completion task and then notes that. Two that do it at
// once, and a crash in between, send it twice, with one id.
func (s *shift) completeBatch(ctx context.Context, d *delivery, id string, h head) error {
	failures, err := readFailures(ctx, s.o.Records, id, h.N)
	if err != nil {
		return err
	}
	event, err := Decode(h.Then)
	if err != nil {
		return Permanent(err)
	}
	event.Time = time.Now()
	if event.Extensions, err = extend(event.Extensions, batchExtension, ofMember{ID: id, Then: &completion{Failed: len(failures)}}); err != nil {
		return err
	}
	if h.Policy == thenDeadLettered && len(failures) > 0 {
		err = s.deadLetterCompletion(ctx, event, d.msg.GroupID, h.N, failures)
	} else {
		err = s.enqueueEvent(event, d.msg.GroupID)
	}
	if err != nil {
		return err
	}
	_, err = changeHead(ctx, s.o.Records, id, func(h *head) error {
		if h.Complete != "" {
			return records.ErrUnchanged
		}
		h.Complete = stamp(time.Now())
		return nil
	})
	return err
}

func (s *shift) deadLetterCompletion(ctx context.Context, event *Event, group string, n int, failures []Failure) error {
	body, err := event.Encode()
	if err != nil {
		return Permanent(err)
	}
	why := fmt.Sprintf("task: %d of the %d members of the batch failed; the first is %s: %s", len(failures), n, failures[0].ID, failures[0].Error)
	text := func(s string) queue.Attribute { return queue.Attribute{DataType: "String", String: s} }
	out := queue.Outgoing{Body: body, Delay: -1, GroupID: group, Attributes: map[string]queue.Attribute{
		AttributeError: text(clipped(why, maxErrorText)), AttributeTask: text(event.Type), AttributeQueue: text(s.q.Name()),
		AttributeFailedAt: text(stamp(time.Now()))}}
	if err := forFIFO(s.o.DeadLetter.Name(), &out, event, false); err != nil {
		return err
	}
	_, err = s.o.DeadLetter.Send(ctx, out)
	s.log.Error("a batch has failed members: its completion task is dead-lettered", "task", event.Type, "id", event.ID, "error", why)
	return err
}

// Failure of a member of a batch.
type Failure struct {
	Index int    `json:"index"` // of the member, from 0
	ID    string `json:"id"`    // of its task
	Error string `json:"error"` // up to 200 bytes of it
}

// BatchStatus is how far a batch is.
type BatchStatus struct {
	ID       string    `json:"id"`
	Members  int       `json:"members"`
	Enqueued int       `json:"enqueued"`          // known to be; in steps of 500
	Settled  int       `json:"settled"`           // done, dead letters or cancelled
	Complete time.Time `json:"complete,omitzero"` // when its completion task was enqueued
	Failed   []Failure `json:"failed"`            // by index
}

// ErrNoBatch: there is no batch of that id on record.
var ErrNoBatch = errNoBatch

// BatchOf returns how far a batch is; ErrNoBatch if it is not on record. It reads
// about √n records.
func BatchOf(ctx context.Context, s *records.Store, id string) (BatchStatus, error) {
	b := BatchStatus{ID: id, Failed: []Failure{}}
	if s == nil {
		return b, ErrNoRecords
	}
	r, err := s.Get(ctx, batchPrefix+id)
	if errors.Is(err, records.ErrNotFound) {
		return b, fmt.Errorf("%w: %s", ErrNoBatch, id)
	} else if err != nil {
		return b, err
	}
	h, err := decodeHead(r)
	if err != nil {
		return b, err
	}
	b.Members, b.Enqueued = h.N, h.Enqueued
	if b.Complete, err = when(h.Complete); err != nil {
		return b, err
	}
	err = eachShard(ctx, s, id, h.N, func(x shard, size int) {
		for bit := range size {
			if has(x.Settled, bit) {
				b.Settled++
			}
		}
		b.Failed = append(b.Failed, x.failures(id)...)
	})
	slices.SortFunc(b.Failed, byIndex)
	return b, err
}

func readFailures(ctx context.Context, s *records.Store, id string, n int) (found []Failure, err error) {
	err = eachShard(ctx, s, id, n, func(x shard, _ int) { found = append(found, x.failures(id)...) })
	slices.SortFunc(found, byIndex)
	return found, err
}

func byIndex(a, b Failure) int { return a.Index - b.Index }

func (x shard) failures(batch string) (found []Failure) {
	for i, why := range x.Failed {
		found = append(found, Failure{i, memberID(batch, i), why})
	}
	return found
}

// eachShard reads the shards that are there.
func eachShard(ctx context.Context, s *records.Store, id string, n int, do func(x shard, size int)) error {
	k := shardsOf(n)
	for i := range k {
		r, err := s.Get(ctx, shardKey(id, i))
		if errors.Is(err, records.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		x, err := decodeShard(r, sizeOf(i, k, n))
		if err != nil {
			return err
		}
		do(x, sizeOf(i, k, n))
	}
	return nil
}

type batchKey struct{}

type ofBatch struct {
	store *records.Store
	id    string
}

// BatchFailures returns the members that failed or were cancelled, in the run of
// the completion task of their batch; elsewhere it fails with ErrNoBatch.
func BatchFailures(ctx context.Context) ([]Failure, error) {
	b, ok := ctx.Value(batchKey{}).(*ofBatch)
	if !ok {
		return nil, fmt.Errorf("%w: this is not the run of a completion task", ErrNoBatch)
	}
	st, err := BatchOf(ctx, b.store, b.id)
	return st.Failed, err
}
