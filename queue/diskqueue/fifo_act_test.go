package diskqueue

import (
	"fmt"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// act is one operation, as far as it concerns the group, and its answer.
type act struct {
	kind    actKind
	at      int64 // virtual Unix milliseconds
	unsure  bool  // the crash came before it returned: it may have had no effect
	queue   string
	message driver.Message // sent: body, deduplication id; once answered id and sequence
	got     []driver.Message
	total   int  // messages a receive got, of all groups
	full    bool // a receive got as many as it asked for, of whatever groups
	receipt string
	hide    int64 // milliseconds
	err     error
	found   []finding // by browsing after an opening or a move, both queues
	missing bool      // the queue, when browsed
	power   bool      // the machine died, not the process alone
	moved   bool      // a move to the queue it came from ended before it was browsed
}

type actKind string

const (
	actSend    actKind = "send"
	actReceive actKind = "receive"
	actRepeat  actKind = "receive again" // with the attempt id of an earlier one
	actDelete  actKind = "delete"
	actHide    actKind = "change visibility"
	actPurge   actKind = "purge"
	actDrop    actKind = "delete queue"
	actCreate  actKind = "create queue"
	actBrowse  actKind = "browse"
)

type finding struct {
	queue string
	driver.Browsed
}

func (a *act) String() string {
	s := fmt.Sprintf("%d %s %s", a.at, a.kind, a.queue)
	switch a.kind {
	case actSend:
		s += fmt.Sprintf(" %.12q dedup %s: %s", a.message.Body, a.message.DedupID, a.message.Sequence)
	case actReceive, actRepeat:
		s += fmt.Sprintf(" full=%v total=%d hide=%d:", a.full, a.total, a.hide)
		for i := range a.got {
			s += fmt.Sprintf(" %.12q(%s, %d. time, %.22s…)", a.got[i].Body, a.got[i].Sequence, a.got[i].Receives, a.got[i].Receipt)
		}
	case actDelete, actHide:
		s += fmt.Sprintf(" %.22s… %d", a.receipt, a.hide)
	case actBrowse:
		s += fmt.Sprintf(" missing=%v power=%v moved=%v:", a.missing, a.power, a.moved)
		for i := range a.found {
			f := &a.found[i]
			s += fmt.Sprintf(" %s:%.12q(%s, %d receives, %s", f.queue, f.Body, f.Sequence, f.Receives, f.State)
			if f.State == driver.StateInFlight {
				s += fmt.Sprintf(" until %d", f.VisibleAt.UnixMilli())
			}
			s += ")"
		}
	}
	if a.err != nil {
		s += " error: " + a.err.Error()
	}
	if a.unsure {
		s += " (crash meanwhile)"
	}
	return s
}
