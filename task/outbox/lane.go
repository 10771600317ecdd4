package outbox

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

const (
	batchSize = 10 // messages of one request, SQS's
	requests  = 8  // under way at once to one queue; one to a FIFO queue
	// strikes is how often a message is refused, for a reason that might pass,
	// while others of the same round get through, before it is set aside.
	strikes = 5
)

// lane is the way to one queue. During a round it belongs to one goroutine, but
// for what mu guards.
type lane struct {
	q     *queue.Queue
	names []string // by which rows name it

	rests    time.Time // not to be tried before, as the queue failed
	failures int       // rounds in a row in which nothing got through

	tries  map[int64]int // failures of messages that are still there
	struck map[int64]int // those while others got through

	letters []letter // of this round

	mu     sync.Mutex
	sent   []int64
	broken []brokenRow
	failed []letter
	err    error // the last of failed
}

// letter is a row that can be sent.
type letter struct {
	seq int64
	m   queue.Outgoing
}

// brokenRow can never be sent.
type brokenRow struct {
	seq int64
	why error
}

func (l *lane) fifo() bool { return strings.HasSuffix(l.q.Name(), ".fifo") }

func (l *lane) begin() {
	l.letters, l.sent, l.broken, l.failed, l.err = nil, nil, nil, nil, nil
	if l.tries == nil {
		l.tries, l.struck = map[int64]int{}, map[int64]int{}
	}
}

// send sends the letters: those that never failed in batches, then, singly,
// those that did, so that one that fails every time fails alone. On a FIFO
// queue a group follows its worst letter, as it has to stay in order.
func (l *lane) send(ctx context.Context) {
	rank := l.rank()
	slices.SortStableFunc(l.letters, func(a, b letter) int { return cmp.Compare(rank(a), rank(b)) })
	fresh, known := l.letters, []letter(nil)
	if i := slices.IndexFunc(l.letters, func(x letter) bool { return rank(x) > 0 }); i >= 0 {
		fresh, known = l.letters[:i], l.letters[i:]
	}
	l.sendFresh(ctx, fresh)
	held := map[string]bool{} // groups that wait for one of theirs
	for i, x := range known {
		switch {
		case l.fifo() && held[x.m.GroupID]:
			continue
		case ctx.Err() != nil || len(l.failed) > 0 && len(l.sent) == 0:
			// Nothing gets through: what is left waits for the next
			// round, behind what was tried now.
			l.failed = append(l.failed, known[i:]...)
			return
		}
		if !l.deliver(ctx, known[i:i+1]) {
			held[x.m.GroupID] = true
			l.strike(x)
		}
	}
}

// rank is by how often a letter failed; of a FIFO queue, the worst of its group.
func (l *lane) rank() func(letter) int {
	if !l.fifo() {
		return func(x letter) int { return l.tries[x.seq] }
	}
	worst := map[string]int{}
	for _, x := range l.letters {
		worst[x.m.GroupID] = max(worst[x.m.GroupID], l.tries[x.seq])
	}
	return func(x letter) int { return worst[x.m.GroupID] }
}

// sendFresh sends batches, several at once; on a FIFO queue one after the other
// and none after one that failed.
func (l *lane) sendFresh(ctx context.Context, letters []letter) {
	if l.fifo() {
		for len(letters) > 0 {
			n := fill(letters)
			if !l.deliver(ctx, letters[:n]) {
				l.failed = append(l.failed, letters[n:]...)
				return
			}
			letters = letters[n:]
		}
		return
	}
	var under sync.WaitGroup
	slots := make(chan struct{}, requests)
	for len(letters) > 0 {
		n := fill(letters)
		some := letters[:n]
		letters = letters[n:]
		slots <- struct{}{}
		under.Go(func() {
			l.deliver(ctx, some)
			<-slots
		})
	}
	under.Wait()
}

// fill returns how many letters one request takes: ten, and 1 MiB of them.
func fill(letters []letter) int {
	size, n := 0, 0
	for n < min(len(letters), batchSize) {
		size += letters[n].m.Size()
		if n > 0 && size > task.MaxMessage {
			break
		}
		n++
	}
	return n
}

// deliver sends letters in one request and reports whether all are settled:
// acknowledged, or known to be hopeless.
func (l *lane) deliver(ctx context.Context, letters []letter) bool {
	m := make([]queue.Outgoing, len(letters))
	for i, x := range letters {
		m[i] = x.m
	}
	_, err := l.q.Send(ctx, m...)
	if err != nil && hopeless(err) && len(letters) > 1 { // one of them is: which?
		all := true
		for i := range letters {
			all = l.deliver(ctx, letters[i:i+1]) && all
			if !all && l.fifo() {
				l.failed = append(l.failed, letters[i+1:]...)
				break
			}
		}
		return all
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		for _, x := range letters {
			l.sent = append(l.sent, x.seq)
			delete(l.tries, x.seq)
			delete(l.struck, x.seq)
		}
	case hopeless(err):
		l.broken = append(l.broken, brokenRow{letters[0].seq, err})
	default:
		l.failed, l.err = append(l.failed, letters...), err
		for _, x := range letters {
			l.tries[x.seq]++
		}
		return false
	}
	return true
}

// strike counts a letter that failed while others got through.
func (l *lane) strike(x letter) {
	if len(l.sent) == 0 {
		return
	}
	if l.struck[x.seq]++; l.struck[x.seq] >= strikes {
		l.failed = slices.DeleteFunc(l.failed, func(f letter) bool { return f.seq == x.seq })
		l.broken = append(l.broken, brokenRow{x.seq, l.err})
		delete(l.tries, x.seq)
		delete(l.struck, x.seq)
	}
}

// rest has the lane pause after a round in which something failed: briefly
// while anything gets through, longer and longer while nothing does.
func (l *lane) rest(log *slog.Logger) {
	there := map[int64]bool{}
	for _, x := range l.failed {
		there[x.seq] = true
	}
	gone := func(seq int64, _ int) bool { return !there[seq] }
	maps.DeleteFunc(l.tries, gone)
	maps.DeleteFunc(l.struck, gone)
	if len(l.failed) == 0 {
		if l.failures > 0 {
			log.Info("outbox: the queue takes messages again", "queue", l.q.Name())
		}
		l.failures = 0
		return
	}
	if l.failures++; len(l.sent) > 0 {
		l.failures = 1
	}
	pause := backoff(l.failures)
	l.rests = time.Now().Add(pause)
	log.Warn("outbox: cannot send", "queue", l.q.Name(), "messages", len(l.failed), "error", l.err, "failures", l.failures, "pause", pause)
}
