// Package outbox enqueues tasks in the application's own database transaction:
// the task is there if the transaction was committed, and never was if not.
//
//	tx, err := db.BeginTx(ctx, nil)
//	…                                                    // the application's own statements
//	_, err = outbox.Enqueue(ctx, tx, Digest, DigestArgs{Day: day}) // a row of the table dayfly_outbox
//	err = tx.Commit()
//
// A Relay, in the same program or any other, takes the rows to the queue and
// deletes them once the queue has acknowledged them. PostgreSQL, MySQL from
// 8.0.13, MariaDB from 10.2 and SQLite are known, by whatever driver of
// database/sql. The tables, and the statement by which programs in other
// languages take part, are in doc/formats/outbox.md.
//
// # What is promised
//
// Every committed row reaches its queue at least once, always as the same
// message: a relay that dies between the acknowledgement and the deletion
// leaves rows that are sent again, with the same task id. On a FIFO queue the
// second is dropped by the queue if it comes within five minutes.
//
// Rows for one FIFO queue are sent in the order of their insertion, within each
// group, as far as the database knows one: of two transactions open at once
// neither is first.
//
// A row that the queue can never take is put into the table dayfly_outbox_dead
// with the reason, and delays no other.
//
// # Why it is built like this
//
// Any number of relays may run; one of them works at a time. It holds a lease,
// a row that it renews, and the others take over when that ends. So a relay
// reads rows without locking them and sends with no transaction open: an outbox
// whose queue cannot be reached for an hour holds no lock, no connection, and
// no vacuum back for that hour. And there is an order: several relays that each
// claim rows (FOR UPDATE SKIP LOCKED) overtake each other within a group, and
// one claim for each row would be one more write for each. One relay, with
// eight requests under way, sends thousands of messages a second. The price: after a
// relay was killed nothing is sent until its lease is over, 10 s by default.
//
// Rows are looked for (RelayOptions.Poll), not announced: PostgreSQL's NOTIFY
// takes one lock for all commits of the server that notify, which would have
// the application's transactions wait for each other, and the other databases
// have nothing like it. A program that commits and relays can say so (Wake).
package outbox

import (
	"cmp"
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// Tx is what rows are inserted through: a *sql.Tx, or a *sql.Conn on which a
// transaction was begun by hand. (A *sql.DB fits, too: each insert is then a
// transaction of its own.)
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Enqueue stores a call of the task with args in tx and returns its id, as
// Task.Enqueue does with a queue; the same options hold. A delay counts from
// here on. The task goes to the relay's own queue. It asks the database of what
// kind it is, one short request; a Box asks once.
//
// On an error the transaction is to be rolled back: PostgreSQL takes nothing
// else after a statement that failed.
func Enqueue[A any](ctx context.Context, tx Tx, t *task.Task[A], args A, o ...task.EnqueueOption) (id string, err error) {
	return t.Enqueue(ctx, new(Box).In(tx), args, o...)
}

// Box is the outbox of one database, for programs that enqueue into several
// queues, set options of the client, or many at once. The zero value is ready.
// It may be used by any number of goroutines and must not be copied after its
// first use.
type Box struct {
	// Queue is the name by which the relay knows the queue; default the relay's
	// own. For a FIFO queue the name must end in .fifo, by which groups
	// and ids are given to tasks that have none.
	Queue string
	// Dialect of the database; default: it is asked, once.
	Dialect Dialect
	// Client has the options of the clients that In returns.
	Client *task.ClientOptions

	asked atomic.Value // Dialect
}

// In returns a client that enqueues in tx, with everything a client can
// (Task.Enqueue, Task.EnqueueMany, task.EnqueueNamed); good for as long as tx is.
func (b *Box) In(tx Tx) *task.Client {
	q := queue.New(&inserter{box: b, tx: tx}).Queue(cmp.Or(b.Queue, "outbox"))
	return task.NewClient(q, b.Client)
}

// dialect of the box's database, which tx is a transaction of.
func (b *Box) dialect(ctx context.Context, tx Tx) (Dialect, error) {
	if b.Dialect != "" {
		return b.Dialect, b.Dialect.check()
	}
	if d, ok := b.asked.Load().(Dialect); ok {
		return d, nil
	}
	d, err := ask(ctx, tx)
	if err == nil {
		b.asked.Store(d)
	}
	return d, err
}
