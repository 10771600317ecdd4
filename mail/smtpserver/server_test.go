package smtpserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/mail/inbox"
	"github.com/google/go-cmp/cmp"
)

type post struct {
	*Server
	box  *inbox.Inbox
	addr string
}

func serve(t *testing.T, opts Options) *post {
	t.Helper()
	if opts.Inbox == nil {
		box, err := inbox.Open(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { box.Close() })
		opts.Inbox = box
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &post{s, opts.Inbox, l.Addr().String()}
}

func (p *post) newest(t *testing.T) *inbox.Mail {
	t.Helper()
	mails, _ := p.box.List("", 1)
	if len(mails) == 0 {
		t.Fatal("the inbox is empty")
	}
	m, err := p.box.Get(mails[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (p *post) count() int { _, n := p.box.List("", 0); return n }

// dialog talks SMTP by hand.
type dialog struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (p *post) dial(t *testing.T) *dialog {
	t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	d := &dialog{t, c, bufio.NewReader(c)}
	d.expect("220")
	return d
}

func (d *dialog) expect(code string) string {
	d.t.Helper()
	d.SetReadDeadline(time.Now().Add(time.Minute))
	var all strings.Builder
	for {
		l, err := d.r.ReadString('\n')
		if err != nil {
			d.t.Fatalf("waiting for %s: %v", code, err)
		}
		all.WriteString(l)
		if len(l) > 3 && l[3] == ' ' {
			if !strings.HasPrefix(l, code) {
				d.t.Fatalf("answer %q, want %s", all.String(), code)
			}
			return all.String()
		}
	}
}

func (d *dialog) say(line, code string) string {
	d.t.Helper()
	fmt.Fprintf(d, "%s\r\n", line)
	return d.expect(code)
}

func TestSession(t *testing.T) {
	p := serve(t, Options{})
	d := p.dial(t)
	caps := d.say("EHLO test.example", "250")
	for _, c := range []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN", "SIZE 41943040", "CHUNKING"} {
		if !strings.Contains(caps, c) {
			t.Errorf("no %s in %q", c, caps)
		}
	}
	d.say("AUTH PLAIN AGFueQB0aGluZw==", "235")
	d.say("MAIL FROM:<a@example.com> BODY=8BITMIME SMTPUTF8", "250")
	d.say("RCPT TO:<ünï@example.com>", "250")
	d.say("RCPT TO:<b@anywhere.example>", "250")
	d.say("DATA", "354")
	d.say("Subject: ünï\r\n\r\n..dots\r\n.", "250")
	m := p.newest(t)
	if m.Subject != "ünï" || m.Text != ".dots\n" {
		t.Errorf("mail %+v", m)
	}
	if diff := cmp.Diff([]string{"ünï@example.com", "b@anywhere.example"}, m.To); diff != "" {
		t.Error(diff)
	}
	// a second one on the same connection, all commands at once
	fmt.Fprint(d, "MAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n")
	d.expect("250")
	d.expect("250")
	d.expect("354")
	d.say("Subject: second\r\n\r\nx\r\n.", "250")
	if m := p.newest(t); m.Subject != "second" || m.Header["Return-Path"][0] != "<>" {
		t.Errorf("mail %+v", m)
	}
	// in chunks
	d.say("MAIL FROM:<a@example.com>", "250")
	d.say("RCPT TO:<b@example.com>", "250")
	fmt.Fprint(d, "BDAT 10\r\nSubject: c")
	d.expect("250")
	fmt.Fprint(d, "BDAT 9 LAST\r\nhunks\r\n\r\n")
	d.expect("250")
	if m := p.newest(t); m.Subject != "chunks" {
		t.Errorf("mail %+v", m)
	}
	d.say("QUIT", "221")
}

func TestRefusals(t *testing.T) {
	p := serve(t, Options{MaxSize: 1000, MaxRecipients: 2})
	d := p.dial(t)
	d.say("MAIL FROM:<a@example.com>", "502")
	d.say("EHLO x", "250")
	d.say("MAIL FROM:<a@example.com> SIZE=1001", "552")
	d.say("MAIL FROM:<a@example.com>", "250")
	d.say("DATA", "502")
	d.say("RCPT TO:<b@example.com>", "250")
	d.say("RCPT TO:<c@example.com>", "250")
	d.say("RCPT TO:<d@example.com>", "452")
	d.say("DATA", "354")
	d.say("Subject: s\r\n\r\n"+strings.Repeat("long line\r\n", 200)+".", "552")
	if n := p.count(); n != 0 {
		t.Errorf("%d mails after one that was too large", n)
	}
	d.say("NOOP", "250")
}

func TestPassword(t *testing.T) {
	p := serve(t, Options{Username: "user", Password: "right"})
	for password, want := range map[string]bool{"right": true, "wrong": false, "": false} {
		err := smtp.SendMail(p.addr, smtp.PlainAuth("", "user", password, "127.0.0.1"), "a@example.com", []string{"b@example.com"}, []byte("Subject: s\r\n\r\nx\r\n"))
		if (err == nil) != want {
			t.Errorf("password %q: %v", password, err)
		}
	}
	d := p.dial(t)
	d.say("EHLO x", "250")
	d.say("AUTH LOGIN", "334")
	d.say("dXNlcg==", "334")
	d.say("d3Jvbmc=", "535")
	d.say("AUTH LOGIN dXNlcg==", "334")
	d.say("cmlnaHQ=", "235")
	if _, err := New(Options{Inbox: p.box, Password: "x"}); err == nil {
		t.Error("a password without a name was taken")
	}
}

// TestCutOff drops the connection in the middle of a mail.
func TestCutOff(t *testing.T) {
	p := serve(t, Options{})
	d := p.dial(t)
	d.say("EHLO x", "250")
	d.say("MAIL FROM:<a@example.com>", "250")
	d.say("RCPT TO:<b@example.com>", "250")
	d.say("DATA", "354")
	fmt.Fprint(d, "Subject: half\r\n\r\nhalf a ma")
	d.Close()
	if err := p.Shutdown(t.Context()); err != nil { // returns when nothing is under way
		t.Fatal(err)
	}
	if n := p.count(); n != 0 {
		t.Errorf("%d mails", n)
	}
}

func TestShutdownLetsAMailArrive(t *testing.T) {
	p := serve(t, Options{})
	idle := p.dial(t)
	idle.say("EHLO x", "250")
	d := p.dial(t)
	d.say("EHLO x", "250")
	d.say("MAIL FROM:<a@example.com>", "250")
	d.say("RCPT TO:<b@example.com>", "250")
	d.say("DATA", "354")
	stopped := make(chan error, 1)
	go func() { stopped <- p.Shutdown(t.Context()) }()
	if _, err := idle.r.ReadByte(); err == nil { // closed: Shutdown has begun
		t.Error("the idle connection was answered")
	}
	select {
	case err := <-stopped:
		t.Fatalf("Shutdown returned (%v) with a mail under way", err)
	default:
	}
	d.say("Subject: late\r\n\r\nx\r\n.", "250")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if m := p.newest(t); m.Subject != "late" {
		t.Errorf("mail %+v", m)
	}
}

func TestShutdownGivesUp(t *testing.T) {
	p := serve(t, Options{})
	d := p.dial(t)
	d.say("EHLO x", "250")
	d.say("MAIL FROM:<a@example.com>", "250")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := io.ReadAll(d.r); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("connection: %v", err)
	}
}

// TestServeAfterShutdown: who stops at once may be first.
func TestServeAfterShutdown(t *testing.T) {
	box, err := inbox.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	s, err := New(Options{Inbox: box})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener: %v", err)
	}
}

// TestMaxConnections opens one connection more than is served.
func TestMaxConnections(t *testing.T) {
	p := serve(t, Options{MaxConnections: 2})
	a := p.dial(t)
	p.dial(t)
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a third connection was greeted")
	}
	a.say("QUIT", "221")
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("the third connection was not greeted when there was room: %v", err)
	}
}

// TestSenders has many clients of our own Sender send at once.
func TestSenders(t *testing.T) {
	p := serve(t, Options{})
	sender, err := mail.Open(t.Context(), "smtp://any:one@"+p.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	const clients, each = 16, 10
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				subject := fmt.Sprintf("%d-%d", c, i)
				if err := sender.Send(t.Context(), &mail.Message{From: "a@example.com", To: []string{"b@example.com"}, Bcc: []string{"hidden@example.com"}, Subject: subject, Text: "body " + subject}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	mails, total := p.box.List("", clients*each+1)
	if total != clients*each {
		t.Errorf("%d mails, want %d", total, clients*each)
	}
	seen := map[string]bool{}
	for _, e := range mails {
		m, err := p.box.Get(e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if seen[m.Subject] || m.Text != "body "+m.Subject+"\n" || m.Header["Bcc"] != nil {
			t.Errorf("mail %+v", m)
		}
		seen[m.Subject] = true
		if diff := cmp.Diff([]string{"b@example.com", "hidden@example.com"}, m.To); diff != "" {
			t.Error(diff)
		}
	}
}

func TestClients(t *testing.T) {
	scripts := filepath.Join(need.Root(t), "test", "clients")
	t.Run("smtplib", func(t *testing.T) {
		p := serve(t, Options{})
		cmd := exec.Command(need.Python(t), filepath.Join(scripts, "mail_smtplib.py"))
		cmd.Env = append(os.Environ(), "SMTP_URL=smtp://"+p.addr)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		m := p.newest(t)
		if m.Subject != "Grüße von smtplib" || m.Text != "Einfacher Text: äöü\n" || !strings.Contains(m.HTML, "<b>") || len(m.Attachments) != 1 || m.Attachments[0].Name != "räport.bin" {
			t.Errorf("mail %+v", m)
		}
		if n := p.count(); n != 4 {
			t.Errorf("%d mails, want 4", n)
		}
	})
	t.Run("swaks", func(t *testing.T) {
		p := serve(t, Options{})
		swaks := need.Tool(t, "swaks")
		host, port, _ := net.SplitHostPort(p.addr)
		for _, auth := range [][]string{nil, {"--auth", "PLAIN"}, {"--auth", "LOGIN"}} {
			args := []string{"--server", host, "--port", port, "--from", "a@example.com", "--to", "b@example.com,c@example.com", "--header", "Subject: by swaks", "--body", "hello"}
			if auth != nil {
				args = append(append(args, auth...), "--auth-user", "u", "--auth-password", "p")
			}
			if out, err := exec.Command(swaks, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v %v\n%s", auth, err, out)
			}
			if m := p.newest(t); m.Subject != "by swaks" || strings.TrimSpace(m.Text) != "hello" || len(m.To) != 2 {
				t.Errorf("mail %+v", m)
			}
		}
		if n := p.count(); n != 3 {
			t.Errorf("%d mails", n)
		}
	})
}
