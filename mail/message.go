// Package mail sends mail: over SMTP, or through Amazon SES.
//
// The same program works with both; what differs is the address it opens.
// `dayfly up` embeds an SMTP server and an SES endpoint that keep what they
// receive in an inbox on disk (mail/inbox), so that nothing leaves the machine.
//
// A Sender sends one Message once. It does not try again: who calls it knows
// whether a second mail is worse than none (see SendError).
package mail

import (
	"fmt"
	"mime"
	"net/mail"
	"strings"
	"unicode/utf8"
)

// Bounds on one message. SES has the same.
const (
	// MaxRecipients bounds To, Cc and Bcc together.
	MaxRecipients = 50
	// MaxSize bounds a message as it is sent, in bytes.
	MaxSize = 40 << 20
)

// Message is one mail. Addresses are as in a header: "name@example.com" or
// "Name <name@example.com>".
type Message struct {
	// From is the author. Required.
	From string
	// To, Cc and Bcc are who gets it: at least one, at most MaxRecipients
	// together. Bcc is not written into the mail.
	To, Cc, Bcc []string
	// ReplyTo is where answers go. Default: to From.
	ReplyTo []string
	// Subject is one line of text.
	Subject string
	// Text is the mail as plain text, in UTF-8. Required: not everyone, and
	// not every filter, reads a mail that has only HTML.
	Text string
	// HTML is the same mail for those who want it. Optional.
	HTML string
	// HTMLOnly lets Text be empty where HTML is not. It is for servers that
	// take what other programs compose.
	HTMLOnly bool
	// Headers are further header fields, such as List-Unsubscribe. Those that
	// the other fields of Message produce cannot be set here.
	Headers map[string]string
	// Attachments come after the text.
	Attachments []Attachment
	// MessageID is the identity of the mail, without angle brackets. Default:
	// random, at From's domain. SES replaces it by its own.
	MessageID string
}

// Attachment is a file that comes with a mail.
type Attachment struct {
	// Name is the file's name, without a path. Required.
	Name string
	// ContentType is its media type. Default: by the name's ending, else
	// application/octet-stream.
	ContentType string
	// Content is the file.
	Content []byte
}

// InvalidError says which field of a Message cannot be sent and why. Trying again
// does not help.
type InvalidError struct {
	Field, Reason string
}

func (e *InvalidError) Error() string { return "mail: " + e.Field + ": " + e.Reason }

// reserved header fields come from Message's own fields, or are the transport's.
var reserved = map[string]bool{
	"from": true, "sender": true, "to": true, "cc": true, "bcc": true, "reply-to": true, "subject": true,
	"date": true, "message-id": true, "mime-version": true, "return-path": true, "received": true,
}

// maxHeader bounds the name and value of one header field: it stays well inside
// what servers accept once it is folded.
const maxHeader = 8 << 10

// Validate returns nil, or an *InvalidError naming the first field at fault.
func (m *Message) Validate() error {
	if _, err := address("From", m.From); err != nil {
		return err
	}
	n := 0
	for _, l := range m.lists() {
		for _, a := range l.addresses {
			if _, err := address(l.field, a); err != nil {
				return err
			}
		}
		if l.field != "ReplyTo" {
			n += len(l.addresses)
		}
	}
	if n == 0 {
		return &InvalidError{"To", "there is no recipient in To, Cc or Bcc"}
	}
	if n > MaxRecipients {
		return &InvalidError{"To", fmt.Sprintf("%d recipients in To, Cc and Bcc, and at most %d are allowed", n, MaxRecipients)}
	}
	if err := line("Subject", m.Subject); err != nil {
		return err
	}
	if err := line("MessageID", m.MessageID); err != nil {
		return err
	}
	if m.MessageID != "" && (strings.ContainsAny(m.MessageID, "<> \t") || !strings.Contains(m.MessageID, "@")) {
		return &InvalidError{"MessageID", "it must have the form part@domain"}
	}
	if err := m.validateBody(); err != nil {
		return err
	}
	return m.validateHeaders()
}

type addressList struct {
	field     string
	addresses []string
}

func (m *Message) lists() []addressList {
	return []addressList{{"To", m.To}, {"Cc", m.Cc}, {"Bcc", m.Bcc}, {"ReplyTo", m.ReplyTo}}
}

func (m *Message) validateBody() error {
	if strings.TrimSpace(m.Text) == "" && !m.withoutText() {
		return &InvalidError{"Text", "it is empty: a mail needs a plain-text part, also beside HTML"}
	}
	for field, body := range map[string]string{"Text": m.Text, "HTML": m.HTML} {
		if !utf8.ValidString(body) || strings.ContainsRune(body, 0) {
			return &InvalidError{field, "it is not UTF-8 text"}
		}
	}
	size := len(m.Text) + len(m.HTML)
	for i, a := range m.Attachments {
		field := fmt.Sprintf("Attachments[%d]", i)
		if a.Name == "" || strings.ContainsAny(a.Name, `/\`) {
			return &InvalidError{field, "its name is empty or has a path"}
		}
		if err := line(field, a.Name); err != nil {
			return err
		}
		if a.ContentType != "" {
			if _, _, err := mime.ParseMediaType(a.ContentType); err != nil {
				return &InvalidError{field, fmt.Sprintf("content type %q: %v", a.ContentType, err)}
			}
			if err := line(field, a.ContentType); err != nil {
				return err
			}
		}
		size += len(a.Content)
	}
	if size > MaxSize {
		return &InvalidError{"Text", fmt.Sprintf("with HTML and attachments it has %d bytes, more than %d", size, MaxSize)}
	}
	return nil
}

func (m *Message) withoutText() bool { return m.HTMLOnly && m.Text == "" && m.HTML != "" }

func (m *Message) validateHeaders() error {
	for name, value := range m.Headers {
		field := fmt.Sprintf("Headers[%q]", name)
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r > '~' }) {
			return &InvalidError{field, "a header's name is printable ASCII without space and colon"}
		}
		lower := strings.ToLower(name)
		if reserved[lower] || strings.HasPrefix(lower, "content-") {
			return &InvalidError{field, "this header comes from a field of its own"}
		}
		if len(name)+len(value) > maxHeader {
			return &InvalidError{field, fmt.Sprintf("it has more than %d bytes", maxHeader)}
		}
		if err := line(field, value); err != nil {
			return err
		}
	}
	return nil
}

// line refuses what would end a header field and begin another: with a line break
// in a subject, whoever writes the subject writes the mail.
func line(field, s string) error {
	if !utf8.ValidString(s) {
		return &InvalidError{field, "it is not UTF-8 text"}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return &InvalidError{field, "it contains a line break or another control character"}
	}
	if len(s) > maxHeader {
		return &InvalidError{field, fmt.Sprintf("it has more than %d bytes", maxHeader)}
	}
	return nil
}

func address(field, s string) (*mail.Address, error) {
	if s == "" {
		return nil, &InvalidError{field, "it is empty"}
	}
	if err := line(field, s); err != nil {
		return nil, err
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		return nil, &InvalidError{field, fmt.Sprintf("%q is not a mail address: %v", s, err)}
	}
	// A quoted local part may hold anything, escaped.
	if err := line(field, a.Name+a.Address); err != nil {
		return nil, err
	}
	return a, nil
}
