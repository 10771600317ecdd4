package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/mail/snsserver"
	"github.com/dayfly-dev/dayfly/queue"
)

// openTopics opens the SNS endpoint: its topics deliver to the application's
// queues, and its text messages land in the inbox.
func (a *App) openTopics() (*snsserver.Server, error) {
	files, err := vfs.OS(a.data.path("topics"))
	if err != nil {
		return nil, err
	}
	s, err := snsserver.Open(snsserver.Options{Files: files, Queues: subscribers{a.queues}, Inbox: a.inbox.store,
		Region: region, Account: account, Log: a.log})
	if err != nil {
		return nil, err
	}
	a.onStop("topics", func(context.Context) error { return s.Close() })
	return s, nil
}

// subscribers are the queues as topics see them.
type subscribers struct{ queues *queue.Service }

// Send stores what a topic delivers, and says of an error whether it will last.
func (s subscribers) Send(ctx context.Context, name string, messages []snsserver.Message) error {
	out := make([]queue.Outgoing, len(messages))
	for i, m := range messages {
		out[i] = queue.Outgoing{Body: m.Body, Delay: -1, GroupID: m.GroupID, DedupID: m.DedupID}
		for key, value := range m.Attributes {
			if out[i].Attributes == nil {
				out[i].Attributes = make(map[string]queue.Attribute, len(m.Attributes))
			}
			out[i].Attributes[key] = queue.Attribute{DataType: value.DataType, String: value.String, Binary: value.Binary}
		}
	}
	_, err := s.queues.Send(ctx, name, out)
	var invalid *queue.InvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		// Its own words may quote the message, which is for no log.
		return fmt.Errorf("%w: its %s %s", snsserver.ErrUndeliverable, invalid.Field, invalid.Reason)
	case errors.Is(err, queue.ErrQueueNotFound), errors.Is(err, queue.ErrTooLarge), errors.Is(err, queue.ErrNoDedupID):
		return fmt.Errorf("%w: %w", snsserver.ErrUndeliverable, err)
	case errors.Is(err, queue.ErrFull):
		return fmt.Errorf("%w: %w", snsserver.ErrFull, err)
	}
	return err
}
