package edge

import (
	"errors"
	"net"
	"time"
)

// errRecalled: the target went silent while it had the request.
var errRecalled = errors.New("the target stopped answering its checks")

// A conn's state while its request may be taken back from its target.
const (
	notWaiting int32 = iota
	waiting          // for the first byte of an answer to a request that may be sent again
	recalled
)

// recallable reports whether the request may be given to another target after
// this one had it whole and said nothing.
func (d *delivery) recallable() bool { return d.body.again() && repeatable(d.x.r) }

// recall takes back from a target that went silent the requests it has not
// begun to answer, as far as they may be sent again: each goes once to another
// target. Those that may not are left there, since the target may yet answer
// them, until their time is over.
func (t *target) recall() {
	t.connMu.Lock()
	all := make([]*conn, 0, len(t.all))
	for c := range t.all {
		all = append(all, c)
	}
	t.connMu.Unlock()
	for _, c := range all {
		if c.state.CompareAndSwap(waiting, recalled) {
			c.SetReadDeadline(time.Unix(1, 0))
		}
	}
}

// A silentError: no answer to a check in time.
type silentError struct{ text string }

func (e *silentError) Error() string { return e.text }

// silent reports whether a check failed since nothing came back.
func silent(err error) bool {
	var s *silentError
	var n net.Error
	return errors.As(err, &s) || errors.As(err, &n) && n.Timeout()
}
