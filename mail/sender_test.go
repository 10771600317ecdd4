package mail_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/mail/inbox"
	"github.com/dayfly-dev/dayfly/mail/sesserver"
	"github.com/google/go-cmp/cmp"
)

func message() *mail.Message {
	return &mail.Message{From: "Site <site@example.com>", To: []string{"a@example.com", "Böb <b@example.com>"}, Subject: "Übersicht", Text: "Text.\n"}
}

func TestOpenRefuses(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	for address, want := range map[string]string{
		"":                               "neither smtp",
		"localhost:25":                   "unknown kind",
		"http://localhost":               "unknown kind",
		"smtp://":                        "form",
		"smtp://host/path":               "form",
		"smtp://host:0":                  "port",
		"smtp://host:99999":              "port",
		"smtp://u:secret%zz@host":        "escape",
		"smtp://u:se cret@host\x7f:port": "escape",
		"ses://eu-west-1":                "nothing after the colon",
		"ses:":                           "AWS_REGION",
	} {
		_, err := mail.Open(t.Context(), address, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v does not say %q", address, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "se cret")) {
			t.Errorf("%q: the error shows the password: %v", address, err)
		}
	}
	if _, err := mail.Open(t.Context(), "smtp://localhost", &mail.Options{Attempts: -1}); err == nil {
		t.Error("Attempts -1 was taken")
	}
}

// script is an SMTP server that answers what it is told to: for each command one
// line, where "" drops the connection. "." stands for the end of the mail.
func script(t *testing.T, answers map[string]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			play(c, answers)
		}
	}()
	return "smtp://" + l.Addr().String()
}

func play(c net.Conn, answers map[string]string) {
	defer c.Close()
	fmt.Fprint(c, "220 script\r\n")
	for in, inMail := bufio.NewScanner(c), false; in.Scan(); {
		command, _, _ := strings.Cut(in.Text(), " ")
		if inMail && command != "." {
			continue
		}
		inMail = false
		answer, ok := answers[command]
		switch {
		case ok && answer == "":
			return
		case ok:
		case command == "DATA":
			answer, inMail = "354 go ahead", true
		default:
			answer = "250 fine"
		}
		fmt.Fprintf(c, "%s\r\n", answer)
	}
}

func TestSMTPFailures(t *testing.T) {
	for name, c := range map[string]struct {
		answers            map[string]string
		sent               bool
		temporary, unknown bool
	}{
		"accepted":                       {nil, true, false, false},
		"accepted, then gone":            {map[string]string{"QUIT": ""}, true, false, false},
		"sender refused":                 {map[string]string{"MAIL": "550 no"}, false, false, false},
		"recipient refused":              {map[string]string{"RCPT": "550 nobody"}, false, false, false},
		"recipient refused for now":      {map[string]string{"RCPT": "450 later"}, false, true, false},
		"mail refused":                   {map[string]string{".": "554 spam"}, false, false, false},
		"mail refused for now":           {map[string]string{".": "452 full"}, false, true, false},
		"gone before the mail":           {map[string]string{"MAIL": ""}, false, true, false},
		"gone before the answer":         {map[string]string{".": ""}, false, false, true},
		"does not speak, for now":        {map[string]string{"EHLO": "421 busy", "HELO": "421 busy"}, false, true, false},
		"does not speak, and never will": {map[string]string{"EHLO": "554 go away", "HELO": "554 go away"}, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			sender, err := mail.Open(t.Context(), script(t, c.answers), nil)
			if err != nil {
				t.Fatal(err)
			}
			err = sender.Send(t.Context(), message())
			if c.sent {
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			var e *mail.SendError
			if !errors.As(err, &e) || e.Temporary != c.temporary || e.Unknown != c.unknown {
				t.Errorf("error %#v: %v", e, err)
			}
		})
	}
}

func TestSMTPNobodyThere(t *testing.T) {
	sender, err := mail.Open(t.Context(), "smtp://"+need.Address(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	var e *mail.SendError
	if err := sender.Send(t.Context(), message()); !errors.As(err, &e) || !e.Temporary || e.Unknown {
		t.Errorf("error %#v", err)
	}
	var bad *mail.InvalidError
	if err := sender.Send(t.Context(), &mail.Message{}); !errors.As(err, &bad) {
		t.Errorf("an empty message: %v", err)
	}
}

func TestSMTPTLSRequired(t *testing.T) {
	address := script(t, nil) // offers no STARTTLS
	sender, err := mail.Open(t.Context(), strings.Replace(address, "smtp:", "smtp+starttls:", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), message()); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("error %v", err)
	}
}

// TestSMTPContext ends the context while the server keeps silent.
func TestSMTPContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		held <- c
		fmt.Fprint(c, "220 slow\r\n")
		in := bufio.NewScanner(c)
		in.Scan()
		fmt.Fprint(c, "250 slow\r\n")
		in.Scan() // MAIL
		cancel()
		for in.Scan() {
		}
	}()
	sender, err := mail.Open(t.Context(), "smtp://"+l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var e *mail.SendError
	if err := sender.Send(ctx, message()); !errors.As(err, &e) || e.Unknown {
		t.Errorf("error %v", err)
	}
	(<-held).Close()
}

func awsEnv(t *testing.T, url string) {
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
}

func TestSES(t *testing.T) {
	box, err := inbox.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	ses, err := sesserver.New(sesserver.Options{Inbox: box})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(ses)
	defer h.Close()
	awsEnv(t, h.URL)
	sender, err := mail.Open(t.Context(), "ses:", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := message()
	m.Bcc, m.HTML = []string{"hidden@example.com"}, "<p>HTML</p>"
	m.Attachments = []mail.Attachment{{Name: "a.txt", Content: []byte("file")}}
	if err := sender.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	list, total := box.List("", 1)
	if total != 1 {
		t.Fatalf("%d mails", total)
	}
	got, err := box.Get(list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a@example.com", "b@example.com", "hidden@example.com"}, got.To); diff != "" {
		t.Error(diff)
	}
	if got.Subject != "Übersicht" || got.Text != "Text.\n" || got.HTML != "<p>HTML</p>\n" || len(got.Attachments) != 1 || got.Header["Bcc"] != nil {
		t.Errorf("mail %+v", got)
	}
}

func TestSESFailures(t *testing.T) {
	for name, c := range map[string]struct {
		status             int
		code               string
		temporary, unknown bool
	}{
		"refused":     {400, "MessageRejected", false, false},
		"too fast":    {429, "TooManyRequestsException", true, false},
		"server fell": {500, "InternalServiceErrorException", false, true},
		"cut off":     {0, "", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				if c.status == 0 {
					panic(http.ErrAbortHandler)
				}
				w.Header().Set("X-Amzn-Errortype", c.code)
				w.WriteHeader(c.status)
				fmt.Fprint(w, `{"message":"no"}`)
			}))
			defer h.Close()
			awsEnv(t, h.URL)
			sender, err := mail.Open(t.Context(), "ses:", nil)
			if err != nil {
				t.Fatal(err)
			}
			var e *mail.SendError
			err = sender.Send(t.Context(), message())
			if !errors.As(err, &e) || e.Temporary != c.temporary || e.Unknown != c.unknown {
				t.Errorf("error %#v: %v", e, err)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
	h := httptest.NewServer(nil)
	h.Close()
	awsEnv(t, h.URL)
	sender, err := mail.Open(t.Context(), "ses:", nil)
	if err != nil {
		t.Fatal(err)
	}
	var e *mail.SendError
	if err := sender.Send(t.Context(), message()); !errors.As(err, &e) || !e.Temporary || e.Unknown {
		t.Errorf("nobody there: %v", err)
	}
}
