package mail_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dayfly-dev/dayfly/mail"
)

func TestOpenTextRefuses(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	for address, want := range map[string]string{"": "use sns:", "twilio:": "use sns:", "sns:": "AWS_REGION"} {
		if _, err := mail.OpenText(t.Context(), address, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v does not say %q", address, err, want)
		}
	}
}

func TestTextValidate(t *testing.T) {
	good := mail.Text{To: "+359881234567", Body: "PIN 1234", Sender: "Releases"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for field, change := range map[string]func(*mail.Text){
		"To":     func(x *mail.Text) { x.To = "0881234567" },
		"Body":   func(x *mail.Text) { x.Body = strings.Repeat("ж", mail.MaxText+1) },
		"Sender": func(x *mail.Text) { x.Sender = "12345" },
	} {
		bad := good
		change(&bad)
		var e *mail.InvalidError
		if err := bad.Validate(); !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestSNS sends a text to a server that looks at it, one that refuses, one that
// breaks off, and one that does not answer in time.
func TestSNS(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		answer             http.HandlerFunc
		sent               bool
		temporary, unknown bool
	}{
		"sent": {func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("PhoneNumber") != "+359881234567" || r.FormValue("Message") != "PIN 1234" {
				t.Errorf("form %v", r.Form)
			}
			fmt.Fprint(w, `<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>`)
		}, true, false, false},
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>no</Message></Error></ErrorResponse>`)
		}, false, false, false},
		"too fast": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>slow</Message></Error></ErrorResponse>`)
		}, false, true, false},
		"cut off":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, false, true},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				if err := r.ParseForm(); err != nil {
					t.Error(err)
				}
				c.answer(w, r)
			}))
			defer h.Close()
			awsEnv(t, h.URL)
			s, err := mail.OpenText(t.Context(), "sns:", nil)
			if err != nil {
				t.Fatal(err)
			}
			with := t.Context()
			if name == "no answer" {
				with = ctx
			}
			id, err := s.SendText(with, &mail.Text{To: "+359881234567", Body: "PIN 1234"})
			var e *mail.SendError
			if c.sent && (err != nil || id != "m-1") {
				t.Errorf("%q, %v", id, err)
			}
			if !c.sent && (!errors.As(err, &e) || e.Temporary != c.temporary || e.Unknown != c.unknown) {
				t.Errorf("error %#v: %v", e, err)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
	cancel()
}

// TestSESNoAnswer: a mail whose answer did not come before the context ended may
// have been sent.
func TestSESNoAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // else the server does not see who hangs up
		cancel()
		<-r.Context().Done()
	}))
	defer h.Close()
	awsEnv(t, h.URL)
	s, err := mail.Open(t.Context(), "ses:", nil)
	if err != nil {
		t.Fatal(err)
	}
	var e *mail.SendError
	if err := s.Send(ctx, message()); !errors.As(err, &e) || !e.Unknown {
		t.Errorf("error %#v: %v", e, err)
	}
}
