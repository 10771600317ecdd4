// Package notice sends mail and text messages from tasks, each once: task.Once
// around package mail, with its knowledge of which failures mean that nothing
// was sent. It is apart from package task so that programs without mail do not
// carry the clients.
package notice

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"

	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// Mail sends m to its one recipient, and never again under the same key: the
// ledger's key is key, "/" and the recipient's address, so that key is that of
// the business alone ("digest/2026-11-21"). It returns the mail's id: SES's, else
// the Message-ID. Errors are those of task.Once.
//
// A mail with several recipients is refused, since a server may take some of
// them and not others: call Mail for each, and return task.Collect of the
// errors. The sender must not try again by itself: leave mail.Options.Attempts
// at 1. Without a MessageID the mail gets one made of the key, the same each
// time, by which readers' programs know a second copy.
func Mail(ctx context.Context, s mail.Sender, key string, m *mail.Message, options ...task.OnceOption) (id string, err error) {
	if len(m.To) != 1 || len(m.Cc)+len(m.Bcc) > 0 {
		return "", task.Permanent(&mail.InvalidError{Field: "To", Reason: fmt.Sprintf(
			"%d recipients in To, Cc and Bcc; what is sent once has one in To: send it to each", len(m.To)+len(m.Cc)+len(m.Bcc))})
	}
	if err := m.Validate(); err != nil {
		return "", task.Permanent(err)
	}
	to, from := bare(m.To[0]), bare(m.From)
	copied := *m
	if m.MessageID == "" {
		copied.MessageID = ledger.Hash([]byte(key + "/" + to))[:40] + from[strings.LastIndexByte(from, '@'):]
	}
	return task.OnceResult(ctx, key+"/"+to, func(ctx context.Context) (string, error) {
		if known, ok := s.(mail.IDSender); ok {
			id, err := known.SendID(ctx, &copied)
			return id, certain(err)
		}
		return copied.MessageID, certain(s.Send(ctx, &copied))
	}, options...)
}

// bare is the address without a name, as Validate found it to be one.
func bare(address string) string {
	a, err := netmail.ParseAddress(address)
	if err != nil {
		return address
	}
	return a.Address
}

// Text sends a text message, as Mail does; the ledger's key is key, "/" and the
// number. It returns the provider's id.
func Text(ctx context.Context, s mail.TextSender, key string, t *mail.Text, options ...task.OnceOption) (id string, err error) {
	if err := t.Validate(); err != nil {
		return "", task.Permanent(err)
	}
	return task.OnceResult(ctx, key+"/"+t.To, func(ctx context.Context) (string, error) {
		id, err := s.SendText(ctx, t)
		return id, certain(err)
	}, options...)
}

// certain marks the errors after which nothing was sent, and those for good.
func certain(err error) error {
	var (
		sent    *mail.SendError
		invalid *mail.InvalidError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return task.Permanent(task.NotSent(err))
	case errors.As(err, &sent) && sent.Temporary:
		return task.NotSent(err)
	case errors.As(err, &sent) && !sent.Unknown:
		return task.Permanent(task.NotSent(err))
	}
	return err
}
