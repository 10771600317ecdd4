package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

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

// shardKey has a prefix of its own: the id of another batch may be that of a
// member of this one.
func shardKey(batch string, i int) string { return shardPrefix + batch + "/" + strconv.Itoa(i) }

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

// tally counts a member as settled, before its message goes.
func (s *shift) tally(d *delivery, m *batchMember, failure error) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	err := s.count(ctx, m, d.msg.GroupID, failure, true)
	if errors.Is(err, errNoBatch) {
		s.about(d).Warn("a member of a batch that is no longer on record is settled", "batch", m.ID)
		return nil
	}
	return err
}

// count counts a member as settled, and has the completion task enqueued when it
// was the last. Each step is done again, to the same end, by whoever comes after
// a crash: the message of the member is deleted only after this.
//
//	shard: the member's bit → if all of the shard: head: the shard's bit
//	→ if all of the head: send the completion, then head: complete
//
// What is on record already of how the member ended stays unless it is news.
func (s *shift) count(ctx context.Context, m *batchMember, group string, failure error, news bool) error {
	full, err := settleMember(ctx, s.o.Records, m, failure, news)
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
	if err != nil || h.Complete != "" || !all(h.Full, shardsOf(h.N)) {
		return err
	}
	return s.completeBatch(ctx, m.ID, group, h)
}

// settleMember sets the bit of a member; full says that its shard has all now. A
// member that failed and was redriven is done after all.
func settleMember(ctx context.Context, s *records.Store, m *batchMember, failure error, news bool) (full bool, err error) {
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
		if was && (failed == "" || failed == why || !news) { // what was done stays so
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
