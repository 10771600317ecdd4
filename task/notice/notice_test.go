package notice_test

import (
	"context"
	"errors"
	"testing"

	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
	"github.com/dayfly-dev/dayfly/task/notice"
)

// provider answers what it is told to, and counts.
type provider struct {
	answer error
	mails  []*mail.Message
	texts  []*mail.Text
}

func (p *provider) Send(_ context.Context, m *mail.Message) error {
	p.mails = append(p.mails, m)
	return p.answer
}

func (p *provider) SendText(_ context.Context, t *mail.Text) (string, error) {
	p.texts = append(p.texts, t)
	return "sms-1", p.answer
}

func with(t *testing.T) task.OnceOption {
	l, err := ledger.New(records.New(memrecords.New()), nil)
	if err != nil {
		t.Fatal(err)
	}
	return task.WithLedger(l)
}

func letter(to ...string) *mail.Message {
	return &mail.Message{From: "Site <site@example.com>", To: to, Subject: "Digest", Text: "Text.\n"}
}

func TestMailOnce(t *testing.T) {
	p, l := &provider{}, with(t)
	first, err := notice.Mail(t.Context(), p, "digest/1", letter("Ann <ann@example.com>"), l)
	if err != nil || first == "" {
		t.Fatalf("%q, %v", first, err)
	}
	again, err := notice.Mail(t.Context(), p, "digest/1", letter("ann@example.com"), l)
	if err != nil || again != first {
		t.Errorf("the second time: %q, %v; the first %q", again, err, first)
	}
	if len(p.mails) != 1 || p.mails[0].MessageID != first {
		t.Errorf("%d mails", len(p.mails))
	}
	if _, err := notice.Mail(t.Context(), p, "digest/1", letter("bob@example.com"), l); err != nil || len(p.mails) != 2 {
		t.Errorf("another recipient: %d mails, %v", len(p.mails), err)
	}
}

func TestMailRefuses(t *testing.T) {
	p, l := &provider{}, with(t)
	for name, m := range map[string]*mail.Message{
		"two": letter("a@example.com", "b@example.com"), "none": letter(), "no address": letter("ann"),
	} {
		var invalid *mail.InvalidError
		if _, err := notice.Mail(t.Context(), p, "k", m, l); !errors.As(err, &invalid) || !task.IsPermanent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(p.mails) != 0 {
		t.Errorf("%d mails", len(p.mails))
	}
}

// TestFailures: after what is certain the next attempt sends, after the rest
// it never does.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		answer             error
		permanent, unknown bool
		sends              int // after a second attempt
	}{
		"for now":      {&mail.SendError{Temporary: true, Err: errors.New("later")}, false, false, 2},
		"for good":     {&mail.SendError{Err: errors.New("nobody")}, true, false, 2},
		"not known":    {&mail.SendError{Unknown: true, Err: errors.New("gone")}, true, true, 1},
		"not a word":   {errors.New("of another sender"), true, true, 1},
		"invalid mail": {&mail.InvalidError{Field: "To", Reason: "no"}, true, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p, l := &provider{answer: c.answer}, with(t)
			_, err := notice.Text(t.Context(), p, "pin", &mail.Text{To: "+359881234567", Body: "1234"}, l)
			if task.IsPermanent(err) != c.permanent || errors.Is(err, task.ErrUnknown) != c.unknown || !errors.Is(err, c.answer) {
				t.Errorf("error %v", err)
			}
			p.answer = nil
			_, err = notice.Text(t.Context(), p, "pin", &mail.Text{To: "+359881234567", Body: "1234"}, l)
			if errors.Is(err, task.ErrUnknown) != c.unknown || len(p.texts) != c.sends {
				t.Errorf("the second time: %d sends, %v", len(p.texts), err)
			}
		})
	}
}
