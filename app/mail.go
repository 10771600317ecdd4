package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/mail/inbox"
	"github.com/dayfly-dev/dayfly/mail/smtpserver"
)

// openInbox opens the store of captured mail and proves it.
func (a *App) openInbox() error {
	store, err := inbox.Open(a.data.path("mail"), &inbox.Options{Log: a.log})
	if err != nil {
		return err
	}
	a.onStop("inbox", func(context.Context) error { return store.Close() })
	a.inbox = &inboxView{store}
	return nil
}

// startMail captures mail sent by SMTP, unless the environment names a server,
// or AWS, where the application uses SES.
func (a *App) startMail(ctx context.Context) error {
	if a.external.SMTP != "" {
		a.variables.set("SMTP_URL", a.external.SMTP)
		a.address("Mail", redact(a.external.SMTP), "from the environment")
		return nil
	}
	if a.inbox == nil {
		a.variables.set("SMTP_URL", "")
		return nil
	}
	if err := a.inbox.store.Prove(ctx); err != nil {
		return fmt.Errorf("the inbox does not work: %w", err)
	}
	server, err := smtpserver.New(smtpserver.Options{Inbox: a.inbox.store, Log: a.log})
	if err != nil {
		return err
	}
	l, note, err := listen(a.manifest.Listen.SMTP)
	if err != nil {
		return err
	}
	a.serve("SMTP", l, server)
	url := "smtp://" + l.Addr().String()
	a.variables.set("SMTP_URL", url)
	a.address("SMTP", url, note)
	return nil
}

// inboxView is the inbox as the dashboard shows it.
type inboxView struct{ store *inbox.Inbox }

// List returns mails, newest first.
func (v *inboxView) List(_ context.Context, before string, limit int) ([]dash.MailSummary, error) {
	entries, _ := v.store.List(before, limit)
	all := make([]dash.MailSummary, len(entries))
	for i, e := range entries {
		all[i] = summary(e)
	}
	return all, nil
}

func summary(e inbox.Entry) dash.MailSummary {
	return dash.MailSummary{ID: e.ID, SMS: e.Kind == inbox.KindSMS, From: e.From, To: e.To, Subject: e.Subject, Received: e.Received, Size: e.Size}
}

// Get parses a mail.
func (v *inboxView) Get(_ context.Context, id string) (dash.Mail, error) {
	m, err := v.store.Get(id)
	if err != nil {
		return dash.Mail{}, missing(err)
	}
	out := dash.Mail{MailSummary: summary(m.Entry), Text: m.Text, HTML: m.HTML}
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, value := range m.Header[name] {
			out.Headers = append(out.Headers, dash.Header{Name: name, Value: value})
		}
	}
	for _, x := range m.Attachments {
		out.Attachments = append(out.Attachments, dash.Attachment{Name: x.Name, ContentType: x.ContentType, ContentID: x.ContentID, Data: x.Content})
	}
	problems := m.Notes
	if m.Broken != "" {
		problems = append([]string{m.Broken}, problems...)
	}
	out.Problem = strings.Join(problems, "; ")
	return out, nil
}

// Raw opens a mail as it came.
func (v *inboxView) Raw(_ context.Context, id string) (io.ReadCloser, error) {
	r, err := v.store.Raw(id)
	return r, missing(err)
}

// Delete removes a mail.
func (v *inboxView) Delete(_ context.Context, id string) error { return missing(v.store.Delete(id)) }

// Clear removes all mails.
func (v *inboxView) Clear(context.Context) error {
	_, err := v.store.DeleteAll()
	return err
}

func missing(err error) error {
	if errors.Is(err, inbox.ErrNotFound) {
		return fmt.Errorf("%w: %w", dash.ErrNotFound, err)
	}
	return err
}
