package sesserver

import (
	"bytes"
	"io"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

// maxRawHeader bounds the header of a raw mail, in bytes.
const maxRawHeader = 1 << 20

// rawMail is a mail as an application composed it, apart from the header fields
// that SES writes itself.
type rawMail struct {
	from       string   // address of From
	recipients []string // addresses of To, Cc and Bcc
	header     []byte
	body       []byte
}

// replaced are the fields of a raw mail that SES replaces or drops.
var replaced = map[string]bool{"Message-Id": true, "Date": true, "Bcc": true, "Return-Path": true}

// parseRaw takes a raw mail apart: header fields with their folded lines, then the
// body, either of which may end its lines in LF alone.
func parseRaw(data []byte) (*rawMail, error) {
	m := &rawMail{}
	fields := mail.Header{}
	keep, rest := false, data
	for {
		l, after, ended := bytes.Cut(rest, []byte("\n"))
		text := bytes.TrimSuffix(l, []byte("\r"))
		if len(text) == 0 {
			if ended {
				m.body = after
			}
			break
		}
		if len(data)-len(rest) > maxRawHeader {
			return nil, invalid("The header of the raw message has more than %d bytes.", maxRawHeader)
		}
		if text[0] == ' ' || text[0] == '\t' {
			if len(fields) == 0 {
				return nil, invalid("The raw message begins with a folded line.")
			}
			appendFolded(fields, text)
		} else {
			name, value, err := field(text)
			if err != nil {
				return nil, err
			}
			keep = !replaced[name]
			fields[name] = append(fields[name], value)
			fields[last] = []string{name}
		}
		if keep {
			m.header = append(append(m.header, text...), '\r', '\n')
		}
		if rest = after; !ended {
			break
		}
	}
	return m, m.addresses(fields)
}

// last is the pseudo field that remembers to which field a folded line belongs.
const last = ":last"

func appendFolded(h mail.Header, text []byte) {
	name := h[last][0]
	values := h[name]
	values[len(values)-1] += " " + string(bytes.TrimSpace(text))
}

func field(text []byte) (name, value string, err error) {
	n, v, ok := strings.Cut(string(text), ":")
	n = strings.TrimRight(n, " \t")
	if !ok || n == "" || strings.ContainsFunc(n, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", "", invalid("The raw message has a header line that is not a field.")
	}
	return textproto.CanonicalMIMEHeaderKey(n), strings.TrimSpace(v), nil
}

func (m *rawMail) addresses(h mail.Header) error {
	delete(h, last)
	from, err := h.AddressList("From")
	if err != nil || len(from) != 1 {
		return invalid("The raw message needs a From header with one address.")
	}
	m.from = from[0].Address
	for _, name := range []string{"To", "Cc", "Bcc"} {
		if len(h[name]) == 0 {
			continue
		}
		list, err := h.AddressList(name)
		if err != nil {
			return invalid("The %s header of the raw message: %v", name, err)
		}
		for _, a := range list {
			m.recipients = append(m.recipients, a.Address)
		}
	}
	return nil
}

// reader is the mail with the identity and the date it is given.
func (m *rawMail) reader(id string, at time.Time) io.Reader {
	own := "Message-ID: <" + id + "@email.amazonses.com>\r\nDate: " + at.UTC().Format(time.RFC1123Z) + "\r\n"
	return io.MultiReader(strings.NewReader(own), bytes.NewReader(m.header), strings.NewReader("\r\n"), bytes.NewReader(m.body))
}
