package inbox

import (
	"strings"
	"testing"
)

// TestKind: what was received is told by the server's own line, and survives a
// restart; a mail cannot claim to be a text message.
func TestKind(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, nil)
	for _, m := range []struct {
		kind    Kind
		content string
	}{
		{KindSMS, "Subject: code\r\n\r\n4711"},
		{"", "Dayfly-Kind: sms\r\nSubject: claims\r\n\r\nto be one"},
		{KindMail, "Subject: mail\r\n\r\ntext"},
	} {
		if _, err := b.Add(t.Context(), Envelope{Kind: m.kind, To: []string{"+41791234567"}, Via: "test"}, strings.NewReader(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(b *Inbox) {
		t.Helper()
		list, _ := b.List("", 10)
		for i, want := range []Kind{KindMail, KindMail, KindSMS} {
			if list[i].Kind != want || list[i].Broken != "" || list[i].To[0] != "+41791234567" {
				t.Errorf("%+v is not of kind %s", list[i], want)
			}
			if m, err := b.Get(list[i].ID); err != nil || m.Kind != want {
				t.Errorf("Get: %v, %v", m, err)
			}
		}
	}
	check(b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, dir, nil))
}
