package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"strconv"

	gomail "github.com/wneessen/go-mail"
)

type smtpSender struct {
	host string
	tls  bool // from the first byte
	opts []gomail.Option

	roots *x509.CertPool // whom to believe; nil means the system's
}

func openSMTP(u *url.URL, o Options) (Sender, error) {
	host := u.Hostname()
	if host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("mail: an SMTP address has the form %s://[user:password@]host[:port]", u.Scheme)
	}
	s := &smtpSender{host: host, opts: []gomail.Option{gomail.WithTimeout(o.Timeout), gomail.WithoutNoop(), gomail.WithoutRset()}}
	policy, port := gomail.TLSOpportunistic, 25
	user := u.User.Username()
	switch {
	case u.Scheme == "smtps":
		port, s.tls = 465, true
	case u.Scheme == "smtp+starttls":
		policy, port = gomail.TLSMandatory, 587
	case user != "" && !loopback(host):
		policy = gomail.TLSMandatory // credentials do not cross a network in the clear
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("mail: port %q of the SMTP address is not 1 to 65535", p)
		}
		port = int(n)
	}
	if s.tls {
		policy = gomail.NoTLS // none inside the one there is
	}
	s.opts = append(s.opts, gomail.WithTLSPolicy(policy), gomail.WithPort(port))
	if user != "" {
		password, _ := u.User.Password()
		auth := gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5)
		if u.Scheme == "smtp" && loopback(host) {
			auth = gomail.WithSMTPAuth(gomail.SMTPAuthPlainNoEnc)
		}
		s.opts = append(s.opts, auth, gomail.WithUsername(user), gomail.WithPassword(password))
	}
	if _, err := gomail.NewClient(host, s.opts...); err != nil {
		return nil, fmt.Errorf("mail: SMTP address: %w", err)
	}
	return s, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Send opens a connection of its own for each message.
func (s *smtpSender) Send(ctx context.Context, m *Message) error {
	msg, err := m.compose()
	if err != nil {
		return err
	}
	// go-mail leaves its connection open where the greeting, TLS, the login or
	// QUIT fail, so it is closed here.
	var link net.Conn
	dial := func(ctx context.Context, network, address string) (c net.Conn, err error) {
		if s.tls {
			c, err = (&tls.Dialer{Config: s.tlsConfig()}).DialContext(ctx, network, address)
		} else {
			c, err = (&net.Dialer{}).DialContext(ctx, network, address)
		}
		if err == nil {
			link = c
		}
		return c, err
	}
	client, err := gomail.NewClient(s.host, append(s.opts[:len(s.opts):len(s.opts)],
		gomail.WithDialContextFunc(dial), gomail.WithTLSConfig(s.tlsConfig()))...)
	if err != nil {
		return fmt.Errorf("mail: SMTP address: %w", err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if link != nil {
		defer link.Close()
	}
	if err != nil {
		return &SendError{Temporary: !permanent(err), Err: fmt.Errorf("connect to %s: %w", client.ServerAddr(), err)}
	}
	// Cutting the connection is how a context that ends reaches a send under way.
	stop := context.AfterFunc(ctx, func() { link.Close() })
	defer stop()
	err = client.SendWithSMTPClient(conn, msg)
	if err == nil || msg.IsDelivered() {
		// The answer to QUIT changes nothing for a mail that was accepted.
		_ = client.CloseWithSMTPClient(conn)
		return nil
	}
	return s.failure(err)
}

func (s *smtpSender) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

func (s *smtpSender) failure(err error) error {
	var sent *gomail.SendError
	if errors.As(err, &sent) {
		answered := sent.ErrorCode() >= 400
		switch {
		case answered:
			return &SendError{Temporary: sent.ErrorCode() < 500, Err: err}
		case sent.Reason == gomail.ErrSMTPDataClose:
			return &SendError{Unknown: true, Err: err}
		}
	}
	return &SendError{Temporary: !permanent(err), Err: err}
}

// permanent tells an answer of the server that says never (5xx).
func permanent(err error) bool {
	var answer *textproto.Error
	return errors.As(err, &answer) && answer.Code >= 500
}
