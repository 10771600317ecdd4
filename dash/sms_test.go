package dash

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTextMessage: one to a phone is told from a mail, and need not have a sender.
func TestTextMessage(t *testing.T) {
	f := newFixture(t)
	f.inbox.mails = append(f.inbox.mails,
		Mail{MailSummary: MailSummary{ID: "s0", SMS: true, To: []string{"+41791234567"}, Subject: "Your code is 4711", Received: now, Size: 300}, Text: "Your code is 4711"},
		Mail{MailSummary: MailSummary{ID: "s1", SMS: true, From: "SHOP", To: []string{"+41791234567"}, Subject: "Ready", Received: now, Size: 300}, Text: "Ready"})
	for _, tt := range []struct {
		path, selector string
		want           []string
	}{
		{"/inbox", "tr[data-key='s0'] th", []string{"Your code is 4711 SMS"}},
		{"/inbox", "tr[data-key='m0'] th", []string{"3 packages have a new version"}},
		{"/inbox", "tr[data-key='s0'] td:nth-child(3)", []string{"+41791234567"}},
		{"/inbox/s0", ".facts dt", []string{"Kind", "To", "Received", "Size"}},
		{"/inbox/s1", ".facts dt", []string{"Kind", "From", "To", "Received", "Size"}},
		{"/inbox/s1", ".facts dd:first-of-type", []string{"Text message (SMS)", "SHOP", "+41791234567", "now", "300 B"}},
		{"/inbox/m0", ".facts dt", []string{"From", "To", "Received", "Size"}},
		{"/inbox/s0", "pre.letter", []string{"Your code is 4711"}},
	} {
		if diff := cmp.Diff(tt.want, texts(f.page(t, tt.path), tt.selector)); diff != "" {
			t.Errorf("%s %s: -want +got:\n%s", tt.path, tt.selector, diff)
		}
	}
}
