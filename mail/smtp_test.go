package mail

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	gomail "github.com/wneessen/go-mail"
)

// TestCredentialsNeedTLS looks at what go-mail is told, since another host than
// this one is not at hand.
func TestCredentialsNeedTLS(t *testing.T) {
	for address, want := range map[string]gomail.TLSPolicy{
		"smtp://mail.example.com":              gomail.TLSOpportunistic,
		"smtp://127.0.0.1:1025":                gomail.TLSOpportunistic,
		"smtp://u:p@127.0.0.1:1025":            gomail.TLSOpportunistic,
		"smtp://u:p@localhost":                 gomail.TLSOpportunistic,
		"smtp://u:p@[::1]:25":                  gomail.TLSOpportunistic,
		"smtp://u:p@mail.example.com":          gomail.TLSMandatory,
		"smtp://u:p@localhost.example.com":     gomail.TLSMandatory,
		"smtp+starttls://mail.example.com":     gomail.TLSMandatory,
		"smtp+starttls://u:p@mail.example.com": gomail.TLSMandatory,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		s, err := openSMTP(u, Options{Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		c, err := gomail.NewClient(u.Hostname(), s.(*smtpSender).opts...)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.TLSPolicy(); got != want.String() {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// relay is a server as a provider runs it: no login without TLS.
type relay struct{ got chan string }

func (r relay) NewSession(*smtp.Conn) (smtp.Session, error) { return &relaySession{got: r.got}, nil }

type relaySession struct {
	got  chan string
	user string
}

func (s *relaySession) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *relaySession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "pass:word/" {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}
func (s *relaySession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *relaySession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *relaySession) Reset()                               {}
func (s *relaySession) Logout() error                        { return nil }
func (s *relaySession) Data(r io.Reader) error {
	if s.user == "" {
		return smtp.ErrAuthRequired
	}
	_, err := io.Copy(io.Discard, r)
	s.got <- s.user
	return err
}

func TestSMTPWithTLS(t *testing.T) {
	cert := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1, and one that vouches for it
	defer cert.Close()
	server := smtp.NewServer(relay{make(chan string, 1)})
	server.TLSConfig = &tls.Config{Certificates: cert.TLS.Certificates}
	defer server.Close()
	got := server.Backend.(relay).got
	listen := func(wrap func(net.Listener) net.Listener) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go server.Serve(wrap(l)) // ends with server.Close
		return l.Addr().String()
	}
	plain := listen(func(l net.Listener) net.Listener { return l })
	wrapped := listen(func(l net.Listener) net.Listener { return tls.NewListener(l, server.TLSConfig) })
	for name, c := range map[string]struct {
		address string
		trusted bool
		want    string // in the error; empty when it is sent
	}{
		"STARTTLS":                  {"smtp+starttls://user:pass%3Aword%2F@" + plain, true, ""},
		"TLS":                       {"smtps://user:pass%3Aword%2F@" + wrapped, true, ""},
		"STARTTLS, wrong password":  {"smtp+starttls://user:wrong@" + plain, true, "535"},
		"TLS, wrong password":       {"smtps://user:wrong@" + wrapped, true, "535"},
		"STARTTLS, not trustworthy": {"smtp+starttls://user:pass%3Aword%2F@" + plain, false, "certificate"},
		"TLS, not trustworthy":      {"smtps://user:pass%3Aword%2F@" + wrapped, false, "certificate"},
		"TLS where there is none":   {"smtps://user:pass%3Aword%2F@" + plain, true, "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			sender, err := Open(t.Context(), c.address, &Options{Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if c.trusted {
				sender.(*smtpSender).roots = cert.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			}
			m := valid()
			err = sender.Send(t.Context(), &m)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if user := <-got; user != "user" {
					t.Errorf("logged in as %q", user)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "pass:word/") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}
