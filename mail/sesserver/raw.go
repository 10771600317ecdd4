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
	var name string
	var value []byte
	end := func() { // of the field that has been read
		if name != "" {
			fields[name] = append(fields[name], string(value))
		}
	}
	rest := data
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
			if name == "" {
				return nil, invalid("The raw message begins with a folded line.")
			}
			value = append(append(value, ' '), bytes.TrimSpace(text)...)
		} else {
			end()
			var err error
			if name, value, err = field(text); err != nil {
				return nil, err
			}
		}
		if !replaced[name] {
			m.header = append(append(m.header, text...), '\r', '\n')
		}
		if rest = after; !ended {
			break
		}
	}
	end()
	return m, m.addresses(fields)
}

func field(text []byte) (name string, value []byte, err error) {
	before, v, ok := bytes.Cut(text, []byte(":"))
	n := strings.TrimRight(string(before), " \t")
	if !ok || n == "" || strings.ContainsFunc(n, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", nil, invalid("The raw message has a header line that is not a field.")
	}
	return textproto.CanonicalMIMEHeaderKey(n), bytes.Clone(bytes.TrimSpace(v)), nil
}

func (m *rawMail) addresses(h mail.Header) error {
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
