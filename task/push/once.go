package push

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// OnceKey is the extension of an event that asks for its task to be done once:
// its value is the key on the ledger (ledger.CheckKey).
const OnceKey = "oncekey"

// NotDone is the header, "Dayfly-Not-Done: true", by which an answer other than
// 2xx says that nothing of the task was done, so that it may be pushed again.
const NotDone = "Dayfly-Not-Done"

// oncePatience is how long a push on the ledger waits for a connection. While it
// does the ledger has it as being sent, and a dayfly that is killed then leaves
// an unknown end; so it waits for the endpoint outside.
const oncePatience = 2 * time.Second

var errNoLedger = errors.New("push: the task has an oncekey, and there is no store to keep it in: set RECORDS_URL, or url in [records], to one that all machines share")

// once is an exchange that is an effect of the ledger: it is not made when the
// key is on record as sent.
func (p *Pusher) once(ctx context.Context, key string, r *http.Request) (x try, err error) {
	if p.o.Ledger == nil {
		return x, errNoLedger
	}
	var options []task.OnceOption
	if p.o.Once == ledger.AtLeastOnce {
		options = append(options, task.AtLeastOnce())
	}
	asked := false
	err = task.Once(ctx, key, func(ctx context.Context) error {
		asked = true
		x = p.exchange(ctx, r, oncePatience)
		switch {
		case unsent(x.err):
			return task.NotSent(x.err)
		case x.err != nil:
			return x.err
		case x.failure != nil && x.notDone:
			return task.NotSent(x.failure)
		}
		return x.failure
	}, options...)
	if ledger.IsNotSent(err) && asked {
		return x, nil // goes on like any exchange
	}
	return x, err
}
