package inbox

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// Bounds of the parser. A mail that exceeds one is shown as far as they go, with
// a note; Raw has all of it.
const (
	maxDepth    = 10        // multiparts in one another
	maxParts    = 200       // leaves
	maxText     = 2 << 20   // bytes of text, and of HTML
	maxDecoded  = 128 << 20 // bytes of everything, decoded
	maxHeadSize = 1 << 20
)

// Mail is one mail, decoded.
type Mail struct {
	Entry
	// Header has the fields by canonical name ("Message-Id"), decoded, the trace
	// of arrival among them.
	Header map[string][]string
	// Date is the mail's own, or the zero time.
	Date time.Time
	// Text and HTML are its bodies, in UTF-8, lines ending in \n; empty where it
	// has none. HTML is as it was sent: show it in a sandbox only.
	Text, HTML string
	// Attachments are all other parts.
	Attachments []Attachment
	// Notes say what could not be decoded or was cut.
	Notes []string
}

// Attachment is a part of a mail that is neither its text nor its HTML.
type Attachment struct {
	// Name is the file's name without a path; it may be empty.
	Name string
	// ContentType is the media type as sent, without parameters.
	ContentType string
	// ContentID is what HTML refers to as cid:…, without angle brackets.
	ContentID string
	// Content is the part, decoded.
	Content []byte
}

// Get reads and decodes one mail. A mail that is broken is returned as far as it
// can be read, with Broken and Notes set.
func (b *Inbox) Get(id string) (*Mail, error) {
	r, err := b.Raw(id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	m := Parse(r)
	b.mu.Lock()
	defer b.mu.Unlock()
	i, err := b.find(id)
	if err != nil {
		return nil, err
	}
	broken := m.Broken
	m.Entry = b.entries[i]
	if m.Broken == "" {
		m.Broken = broken
	}
	return m, nil
}

// Parse decodes a mail. It never fails: what is wrong is in Broken and Notes.
func Parse(r io.Reader) *Mail {
	m := &Mail{Header: map[string][]string{}}
	bounded := &io.LimitedReader{R: r, N: maxHeadSize}
	br := bufio.NewReader(bounded)
	head, err := readHeader(br)
	for name, values := range head {
		for _, v := range values {
			m.Header[name] = append(m.Header[name], decode(v))
		}
	}
	m.Date = date(head)
	m.From, m.Subject = first(m.Header["From"]), first(m.Header["Subject"])
	if err != nil {
		m.Broken = err.Error()
		return m
	}
	bounded.N = maxDecoded
	p := parser{mail: m, left: maxDecoded}
	p.part(head, br, 0)
	m.Text, m.HTML = p.text.String(), p.html.String()
	return m
}

type parser struct {
	mail       *Mail
	text, html strings.Builder
	parts      int
	left       int64 // bytes that may still be decoded
}

// part reads one part, which may be the whole mail. It returns false when the
// parser has had enough.
func (p *parser) part(h map[string][]string, body io.Reader, depth int) bool {
	kind, params, err := mime.ParseMediaType(first(h["Content-Type"]))
	if err != nil && kind == "" {
		kind, params = "text/plain", nil // RFC 2045, 5.2
	}
	if strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		if depth < maxDepth {
			return p.multipart(body, params["boundary"], depth)
		}
		p.note("parts are nested more than %d deep: the inner ones are not decoded", maxDepth)
	}
	if p.parts++; p.parts > maxParts {
		p.note("there are more than %d parts: the rest is not shown", maxParts)
		return false
	}
	p.leaf(h, kind, params, body)
	return p.left > 0
}

func (p *parser) multipart(body io.Reader, boundary string, depth int) bool {
	mr := multipart.NewReader(body, boundary)
	for {
		sub, err := mr.NextRawPart()
		if err == io.EOF {
			return true
		}
		if err != nil {
			p.note("a part cannot be read: %v", err)
			return true
		}
		if !p.part(sub.Header, sub, depth+1) {
			return false
		}
	}
}

// leaf decodes a part that has no parts of its own and files it.
func (p *parser) leaf(h map[string][]string, kind string, params map[string]string, body io.Reader) {
	content := p.decoded(h, body)
	disposition, dparams, _ := mime.ParseMediaType(first(h["Content-Disposition"]))
	name := dparams["filename"]
	if name == "" {
		name = params["name"]
	}
	if disposition != "attachment" && name == "" && (kind == "text/plain" || kind == "text/html") {
		into := &p.text
		if kind == "text/html" {
			into = &p.html
		}
		p.write(into, p.utf8(content, params["charset"]))
		return
	}
	name = decode(name)
	switch name = path.Base(strings.ReplaceAll(name, `\`, "/")); name {
	case ".", "..", "/":
		name = ""
	}
	p.mail.Attachments = append(p.mail.Attachments, Attachment{
		Name: name, ContentType: kind,
		ContentID: strings.Trim(first(h["Content-Id"]), "<> "),
		Content:   content,
	})
}

// decoded undoes the transfer encoding. What comes before an error is kept.
func (p *parser) decoded(h map[string][]string, body io.Reader) []byte {
	switch strings.ToLower(strings.TrimSpace(first(h["Content-Transfer-Encoding"]))) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, &base64Only{body})
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	content, err := io.ReadAll(io.LimitReader(body, p.left))
	p.left -= int64(len(content))
	if err != nil {
		p.note("a part is not encoded as it says: %v", err)
	}
	if p.left <= 0 {
		p.note("the mail has more than %d bytes decoded: the rest is not shown", maxDecoded)
	}
	return content
}

// base64Only passes the characters of base64 and drops the others, as RFC 2045
// (6.8) asks of a decoder.
type base64Only struct{ r io.Reader }

func (b *base64Only) Read(p []byte) (int, error) {
	for {
		n, err := b.r.Read(p)
		kept := 0
		for _, c := range p[:n] {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=' {
				p[kept] = c
				kept++
			}
		}
		if kept > 0 || err != nil {
			return kept, err
		}
	}
}

func (p *parser) utf8(content []byte, label string) string {
	if label = strings.ToLower(label); label != "" && label != "utf-8" && label != "us-ascii" {
		enc, _ := charset.Lookup(label)
		if enc == nil {
			p.note("the character set %q is not known", label)
		} else if converted, err := enc.NewDecoder().Bytes(content); err == nil {
			content = converted
		}
	}
	if !utf8.Valid(content) {
		p.note("the text has bytes that are not of its character set")
		content = bytes.ToValidUTF8(content, []byte("\uFFFD"))
	}
	return strings.ReplaceAll(string(content), "\r\n", "\n")
}

func (p *parser) write(into *strings.Builder, s string) {
	if into.Len() > 0 && s != "" {
		into.WriteByte('\n')
	}
	if room := maxText - into.Len(); len(s) > room {
		s = strings.ToValidUTF8(s[:max(room, 0)], "")
		p.note("the text is longer than %d bytes: the rest is not shown", maxText)
	}
	into.WriteString(s)
}

func (p *parser) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if len(p.mail.Notes) < 20 && !slices.Contains(p.mail.Notes, n) {
		p.mail.Notes = append(p.mail.Notes, n)
	}
}

// decode turns encoded words (RFC 2047) into text.
func decode(s string) string {
	d, err := words.DecodeHeader(s)
	if err != nil {
		d = s
	}
	return strings.ToValidUTF8(d, "\uFFFD")
}

var words = mime.WordDecoder{CharsetReader: charset.NewReaderLabel}
