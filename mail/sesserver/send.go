package sesserver

import (
	"bytes"
	"context"
	"net/mail"
	"time"

	dayfly "github.com/dayfly-dev/dayfly/mail"
)

// sendRaw keeps a mail that the application composed. from and to are the
// envelope's, where the request names them.
func (s *Server) sendRaw(ctx context.Context, from string, to []string, data []byte) (string, error) {
	if len(data) == 0 {
		return "", invalid("The raw message is empty.")
	}
	if len(data) > dayfly.MaxSize {
		return "", rejected("The raw message has more than %d bytes.", dayfly.MaxSize)
	}
	m, err := parseRaw(data)
	if err != nil {
		return "", err
	}
	if from == "" {
		from = m.from
	}
	sender, err := addresses([]string{from})
	if err != nil {
		return "", err
	}
	recipients := m.recipients
	if len(to) > 0 {
		if recipients, err = addresses(to); err != nil {
			return "", err
		}
	}
	id := newMessageID()
	return s.keep(ctx, sender[0], recipients, id, m.reader(id, time.Now()))
}

// simple is a mail whose parts the request has.
type simple struct {
	from                 string
	to, cc, bcc, replyTo []string
	subject, text, html  string
	headers              map[string]string
	attachments          []dayfly.Attachment
	returnPath           string
}

// sendSimple composes a mail and keeps it.
func (s *Server) sendSimple(ctx context.Context, in simple) (string, error) {
	if in.text == "" && in.html == "" {
		return "", invalid("The body has neither text nor HTML.")
	}
	id := newMessageID()
	msg := dayfly.Message{
		From: in.from, To: in.to, Cc: in.cc, Bcc: in.bcc, ReplyTo: in.replyTo, Subject: in.subject,
		Text: in.text, HTML: in.html, HTMLOnly: true, Headers: in.headers, Attachments: in.attachments,
		MessageID: id + "@email.amazonses.com",
	}
	raw, err := msg.Bytes()
	if err != nil {
		return "", err
	}
	envelope := []string{in.from}
	if in.returnPath != "" {
		envelope[0] = in.returnPath
	}
	from, err := addresses(envelope)
	if err != nil {
		return "", err
	}
	to, err := addresses(append(append(append([]string{}, in.to...), in.cc...), in.bcc...))
	if err != nil {
		return "", err
	}
	return s.keep(ctx, from[0], to, id, bytes.NewReader(raw))
}

func addresses(list []string) ([]string, error) {
	out := make([]string, 0, len(list))
	for _, a := range list {
		parsed, err := mail.ParseAddress(a)
		if err != nil {
			return nil, invalid("%q is not a mail address.", a)
		}
		out = append(out, parsed.Address)
	}
	return out, nil
}
