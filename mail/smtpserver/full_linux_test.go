package smtpserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/mail/inbox"
)

// TestFullDisk sends to an inbox on a file system of 1 MiB.
func TestFullDisk(t *testing.T) {
	dir := need.Disk(t, "size=1m")
	box, err := inbox.Open(filepath.Join(dir, "mail"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	p := serve(t, Options{Inbox: box})
	d := p.dial(t)
	d.say("EHLO x", "250")
	send := func(subject, body, code string) {
		t.Helper()
		d.say("MAIL FROM:<a@example.com>", "250")
		d.say("RCPT TO:<b@example.com>", "250")
		d.say("DATA", "354")
		d.say("Subject: "+subject+"\r\n\r\n"+body+"\r\n.", code)
	}
	send("kept", "x", "250")
	send("too much", strings.Repeat(strings.Repeat("y", 500)+"\r\n", 4000), "452")
	send("room again", "x", "250")
	if n := p.count(); n != 2 {
		t.Errorf("%d mails", n)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "mail", "tmp")); len(left) > 0 {
		t.Errorf("%d temporary files are left", len(left))
	}
}
