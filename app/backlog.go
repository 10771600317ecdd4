package app

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/task/outbox"
)

const (
	backlogAge      = 10 * time.Second // of what is known of an outbox, at most
	backlogPatience = 2 * time.Second  // for a database to count
)

// outboxDatabase is a database with an outbox.
type outboxDatabase struct {
	name  string
	queue string // in the service, of rows that name none
	db    *sql.DB
}

// backlogs are the counts of the outboxes, asked for while somebody looks.
type backlogs struct {
	mu     sync.Mutex // one look at a time
	looked time.Time
	all    []dash.Outbox
}

// Outboxes counts what waits in the databases, or says why not.
func (t *tasks) Outboxes(ctx context.Context) []dash.Outbox {
	b := &t.backlogs
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.looked) < backlogAge {
		return b.all
	}
	databases := t.app.outboxes
	all := make([]dash.Outbox, len(databases))
	var counting sync.WaitGroup
	for i, d := range databases {
		counting.Go(func() {
			x := dash.Outbox{Database: d.name, Queue: d.queue, Most: outbox.MaxBacklog}
			limited, cancel := context.WithTimeout(ctx, backlogPatience)
			defer cancel()
			var err error
			x.Waiting, x.SetAside, err = outbox.Backlog(limited, d.db)
			switch {
			case limited.Err() != nil:
				x.Problem = fmt.Sprintf("it did not answer within %v", backlogPatience)
			case err != nil:
				x.Problem = err.Error()
			}
			all[i] = x
		})
	}
	counting.Wait()
	if ctx.Err() == nil {
		b.all, b.looked = all, time.Now()
	}
	return all
}
