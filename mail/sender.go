package mail

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Sender sends mail. Its methods may be called at once from several goroutines.
type Sender interface {
	// Send hands over one message, once. nil means that the server took
	// responsibility for it; an *InvalidError that the message cannot be sent;
	// a *SendError everything else.
	Send(ctx context.Context, m *Message) error
}

// IDSender is a Sender that learns by which id the provider knows the mail: the
// one of SES.
type IDSender interface {
	Sender
	// SendID is Send, and returns the id.
	SendID(ctx context.Context, m *Message) (id string, err error)
}

// SendError says what is known of a message that was not simply accepted.
type SendError struct {
	// Unknown is whether the server may have accepted the message all the
	// same: the connection was lost after the message had gone out and before
	// the answer came. Sending again may then send twice.
	Unknown bool
	// Temporary is whether the server said to try again later, or was not
	// reached. It is never set with Unknown.
	Temporary bool
	// Err is the cause.
	Err error
}

func (e *SendError) Error() string {
	switch {
	case e.Unknown:
		return fmt.Sprintf("mail: it is not known whether the mail was sent: %v", e.Err)
	case e.Temporary:
		return fmt.Sprintf("mail: not sent, for now: %v", e.Err)
	}
	return fmt.Sprintf("mail: not sent: %v", e.Err)
}

func (e *SendError) Unwrap() error { return e.Err }

// Options change how mail is sent. Nil means the defaults.
type Options struct {
	// Timeout bounds one Send over SMTP, connecting included. Default 30 s.
	Timeout time.Duration
	// Attempts is how often the SES client tries one Send. Default 1: SES may
	// have accepted a mail whose answer was lost, and a second attempt sends it
	// twice. With more, SendError speaks of the last attempt only. SMTP always
	// tries once.
	Attempts int
}

// Open returns the Sender for an address:
//
//	smtp://host:port                   TLS when the server offers it
//	smtp://user:password@host:port     the same on loopback; elsewhere TLS is required
//	smtp+starttls://…                  TLS required, by STARTTLS
//	smtps://…                          TLS from the first byte
//	ses:                               Amazon SES, by the AWS SDK's configuration
//
// Ports default to 25, 587 and 465. It opens no connection.
func Open(ctx context.Context, address string, opts *Options) (Sender, error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Timeout < 0 || o.Attempts < 0 {
		return nil, fmt.Errorf("mail: Options.Timeout is %v and Attempts %d; neither can be negative", o.Timeout, o.Attempts)
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Attempts == 0 {
		o.Attempts = 1
	}
	scheme, _, found := strings.Cut(address, ":")
	if !found {
		return nil, fmt.Errorf("mail: the address %q is neither smtp://host:port nor ses:", address)
	}
	switch scheme {
	case "ses":
		if address != "ses:" {
			return nil, fmt.Errorf("mail: the address ses: takes nothing after the colon; region and credentials come from the AWS configuration")
		}
		return openSES(ctx, o)
	case "smtp", "smtp+starttls", "smtps":
		u, err := url.Parse(address)
		if err != nil { // which shows the whole address, password included
			return nil, fmt.Errorf("mail: the %s address cannot be read: escape special characters of the password as %%XX", scheme)
		}
		return openSMTP(u, o)
	}
	return nil, fmt.Errorf("mail: unknown kind of address %q: use smtp:, smtp+starttls:, smtps: or ses:", scheme)
}
