package mail

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Bytes returns the message as it goes over the wire (RFC 5322), lines ending in
// CRLF, without Bcc.
func (m *Message) Bytes() ([]byte, error) {
	msg, err := m.compose()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("mail: compose: %w", err)
	}
	if b.Len() > MaxSize {
		return nil, &InvalidError{"Text", fmt.Sprintf("the mail has %d bytes, more than %d", b.Len(), MaxSize)}
	}
	return b.Bytes(), nil
}

func (m *Message) compose() (*gomail.Msg, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	from, err := address("From", m.From)
	if err != nil {
		return nil, err
	}
	msg.FromMailAddress(from)
	add := map[string]func(string) error{"To": msg.AddTo, "Cc": msg.AddCc, "Bcc": msg.AddBcc}
	for _, l := range m.lists() {
		if l.field == "ReplyTo" {
			continue
		}
		for _, a := range l.addresses {
			if err := add[l.field](a); err != nil {
				return nil, &InvalidError{l.field, err.Error()}
			}
		}
	}
	if len(m.ReplyTo) > 0 {
		if err := msg.SetAddrHeader(gomail.HeaderReplyTo, m.ReplyTo...); err != nil {
			return nil, &InvalidError{"ReplyTo", err.Error()}
		}
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	id := m.MessageID
	if id == "" {
		id = strings.ToLower(rand.Text()) + from.Address[strings.LastIndexByte(from.Address, '@'):]
	}
	msg.SetMessageIDWithValue(id)
	for name, value := range m.Headers {
		msg.SetGenHeader(gomail.Header(name), value)
	}
	body := msg.SetBodyString
	if !m.withoutText() {
		text := crlf(m.Text)
		body(gomail.TypeTextPlain, text, gomail.WithPartEncoding(encoding(text)))
		body = msg.AddAlternativeString
	}
	if m.HTML != "" {
		html := crlf(m.HTML)
		body(gomail.TypeTextHTML, html, gomail.WithPartEncoding(encoding(html)))
	}
	for _, a := range m.Attachments {
		var opts []gomail.FileOption
		if a.ContentType != "" {
			opts = append(opts, gomail.WithFileContentType(gomail.ContentType(a.ContentType)))
		}
		if err := msg.AttachReader(a.Name, bytes.NewReader(a.Content), opts...); err != nil {
			return nil, fmt.Errorf("mail: attach %q: %w", a.Name, err)
		}
	}
	return msg, nil
}

// maxLine is the longest line of a mail, in bytes without CRLF (RFC 5322, 2.1.1).
const maxLine = 998

// encoding leaves text that can travel as it is readable in the raw mail, where
// quoted-printable would break its links. It is ASCII then, and labelled 8bit, of
// which ASCII is a part: under the label 7bit go-mail 0.8.1 writes
// quoted-printable all the same.
func encoding(body string) gomail.Encoding {
	for l := range strings.SplitSeq(body, "\r\n") {
		if len(l) > maxLine || strings.ContainsFunc(l, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
			return gomail.EncodingQP
		}
	}
	return gomail.NoEncoding
}

var lineBreaks = strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n")

func crlf(s string) string {
	s = lineBreaks.Replace(s)
	if !strings.HasSuffix(s, "\r\n") {
		s += "\r\n"
	}
	return s
}
