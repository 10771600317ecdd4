package outbox

import (
	"context"

	"github.com/dayfly-dev/dayfly/queue"
)

// SendRaw inserts a message that a client would not make.
func SendRaw(ctx context.Context, b *Box, tx Tx, m queue.Outgoing) error {
	_, err := queue.New(&inserter{box: b, tx: tx}).Queue("mails").Send(ctx, m)
	return err
}
