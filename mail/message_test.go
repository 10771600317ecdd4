package mail

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func valid() Message {
	return Message{From: "Site <site@example.com>", To: []string{"a@example.com"}, Subject: "Subject", Text: "Text.\n"}
}

func TestValidate(t *testing.T) {
	if m := valid(); m.Validate() != nil {
		t.Fatal(m.Validate())
	}
	many := make([]string, MaxRecipients+1)
	for i := range many {
		many[i] = "a@example.com"
	}
	for name, c := range map[string]struct {
		change func(*Message)
		field  string
	}{
		"no sender":                {func(m *Message) { m.From = "" }, "From"},
		"no address":               {func(m *Message) { m.From = "nobody" }, "From"},
		"two senders":              {func(m *Message) { m.From = "a@x.example, b@x.example" }, "From"},
		"line break in sender":     {func(m *Message) { m.From = "a@x.example\r\nBcc: evil@x.example" }, "From"},
		"quoted line break":        {func(m *Message) { m.From = "\"a\\\r\nb\"@x.example" }, "From"},
		"no recipient":             {func(m *Message) { m.To = nil }, "To"},
		"bad recipient":            {func(m *Message) { m.To = []string{"a@x.example", "?"} }, "To"},
		"line break in recipient":  {func(m *Message) { m.Cc = []string{"a@x.example>\r\nRCPT TO:<b@x.example"} }, "Cc"},
		"too many":                 {func(m *Message) { m.Bcc = many[:]; m.To = nil }, "To"},
		"bad reply-to":             {func(m *Message) { m.ReplyTo = []string{"x"} }, "ReplyTo"},
		"line feed in subject":     {func(m *Message) { m.Subject = "a\nBcc: evil@x.example" }, "Subject"},
		"carriage ret. in subject": {func(m *Message) { m.Subject = "a\rBcc: evil@x.example" }, "Subject"},
		"NUL in subject":           {func(m *Message) { m.Subject = "a\x00" }, "Subject"},
		"long subject":             {func(m *Message) { m.Subject = strings.Repeat("x", maxHeader+1) }, "Subject"},
		"subject not UTF-8":        {func(m *Message) { m.Subject = "\xff" }, "Subject"},
		"no text":                  {func(m *Message) { m.Text = "" }, "Text"},
		"only HTML":                {func(m *Message) { m.Text, m.HTML = " \n", "<p>x" }, "Text"},
		"text not UTF-8":           {func(m *Message) { m.Text = "\xff" }, "Text"},
		"NUL in HTML":              {func(m *Message) { m.HTML = "\x00" }, "HTML"},
		"header with a space":      {func(m *Message) { m.Headers = map[string]string{"a b": "c"} }, `Headers["a b"]`},
		"header with a colon":      {func(m *Message) { m.Headers = map[string]string{"a:b": "c"} }, `Headers["a:b"]`},
		"header with a line break": {func(m *Message) { m.Headers = map[string]string{"X-A": "c\r\nBcc: evil@x.example"} }, `Headers["X-A"]`},
		"header of ours":           {func(m *Message) { m.Headers = map[string]string{"bcc": "evil@x.example"} }, `Headers["bcc"]`},
		"content header":           {func(m *Message) { m.Headers = map[string]string{"Content-Type": "x"} }, `Headers["Content-Type"]`},
		"long header":              {func(m *Message) { m.Headers = map[string]string{"X-A": strings.Repeat("x", maxHeader)} }, `Headers["X-A"]`},
		"identity with brackets":   {func(m *Message) { m.MessageID = "<a@b>" }, "MessageID"},
		"identity with line break": {func(m *Message) { m.MessageID = "a@b\r\nX: y" }, "MessageID"},
		"nameless attachment":      {func(m *Message) { m.Attachments = []Attachment{{}} }, "Attachments[0]"},
		"path in attachment":       {func(m *Message) { m.Attachments = []Attachment{{Name: "a/b"}} }, "Attachments[0]"},
		"type with line break":     {func(m *Message) { m.Attachments = []Attachment{{Name: "a", ContentType: "text/x;\r\n a=b"}} }, "Attachments[0]"},
		"too large":                {func(m *Message) { m.Attachments = []Attachment{{Name: "a", Content: make([]byte, MaxSize)}} }, "Text"},
	} {
		t.Run(name, func(t *testing.T) {
			m := valid()
			c.change(&m)
			var e *InvalidError
			if err := m.Validate(); !errors.As(err, &e) || e.Field != c.field {
				t.Errorf("error %v, want one of %s", err, c.field)
			}
			if _, err := m.Bytes(); err == nil {
				t.Error("it was composed")
			}
		})
	}
}

func parsed(t *testing.T, m *Message) *mail.Message {
	t.Helper()
	raw, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for l := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(l) > maxLine || bytes.ContainsAny(l, "\r\n") {
			t.Errorf("line of %d bytes: %.100q", len(l), l)
		}
	}
	got, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	return got
}

func TestBytesIsReadable(t *testing.T) {
	m := valid()
	link := "https://www.example.com/daily/?/updates/" + strings.Repeat("long-", 60) + "end"
	m.Text = "Read:\n" + link + "\nBye."
	m.Bcc, m.ReplyTo = []string{"hidden@example.com"}, []string{"Other <other@example.com>"}
	m.Headers = map[string]string{"List-Unsubscribe": "<https://www.example.com/u>", "X-Note": "ünï"}
	m.Subject = "Grüße & more"
	got := parsed(t, &m)
	body, _ := io.ReadAll(got.Body)
	if string(body) != "Read:\r\n"+link+"\r\nBye.\r\n" {
		t.Errorf("body %q", body)
	}
	if enc := got.Header.Get("Content-Transfer-Encoding"); enc != "8bit" {
		t.Errorf("encoding %q", enc)
	}
	want := map[string]string{
		"From": `"Site" <site@example.com>`, "To": "<a@example.com>", "Bcc": "", "Reply-To": `"Other" <other@example.com>`,
		"Subject": "Grüße & more", "List-Unsubscribe": "<https://www.example.com/u>", "X-Note": "ünï", "User-Agent": "", "X-Mailer": "",
	}
	for name, w := range want {
		if g, _ := new(mime.WordDecoder).DecodeHeader(got.Header.Get(name)); g != w {
			t.Errorf("%s: %q, want %q", name, g, w)
		}
	}
	if id := got.Header.Get("Message-Id"); !strings.HasSuffix(id, "@example.com>") || len(id) < 30 {
		t.Errorf("Message-ID %q", id)
	}
	if _, err := got.Header.Date(); err != nil {
		t.Error(err)
	}
}

func TestBytesKeepsAnyText(t *testing.T) {
	for _, text := range []string{"ünï\n", strings.Repeat("x", 5000) + "\n", ".\n..\n.leading dot\n", "trailing space \n\n", "=3D\n", "a\r\nb\rc\n", "From here\n"} {
		m := valid()
		m.Text = text
		got := parsed(t, &m)
		body := got.Body
		if got.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(body)
		}
		b, err := io.ReadAll(body)
		if err != nil || string(b) != crlf(text) {
			t.Errorf("%.40q came out as %.60q, %v", text, b, err)
		}
	}
}

func TestBytesWithParts(t *testing.T) {
	m := valid()
	m.HTML = "<p>HTML</p>"
	m.Attachments = []Attachment{{Name: "ü.txt", Content: []byte("file")}, {Name: "b", ContentType: "application/x-b", Content: []byte{0, 1, 255}}}
	got := parsed(t, &m)
	_, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	var walk func(r io.Reader, boundary string)
	walk = func(r io.Reader, boundary string) {
		mr := multipart.NewReader(r, boundary)
		for {
			p, err := mr.NextPart()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			kind, params, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
			if err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, kind)
			if params["boundary"] != "" {
				walk(p, params["boundary"])
			}
		}
	}
	walk(got.Body, params["boundary"])
	want := []string{"multipart/alternative", "text/plain", "text/html", "text/plain", "application/x-b"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestHTMLOnly(t *testing.T) {
	m := valid()
	m.Text, m.HTML, m.HTMLOnly = "", "<p>x</p>", true
	if got := parsed(t, &m); !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
		t.Errorf("content type %q", got.Header.Get("Content-Type"))
	}
}

// FuzzMessage looks for a message that is taken and whose header says more than
// was asked for.
func FuzzMessage(f *testing.F) {
	f.Add("a@x.example", "b@x.example", "subject", "text", "X-A", "value")
	f.Add("\"a\r\n\"@x", "b@x", "s\r\nBcc: c@x", "\r\n.\r\n", "Bcc", "x\n")
	f.Add("=?utf-8?q?=0D=0ABcc:_c@x?= <a@x>", "b@x", "=?utf-8?q?=0D=0ABcc:_c@x?=", "t", "X", "=?utf-8?q?=0D?=")
	f.Fuzz(func(t *testing.T, from, to, subject, text, name, value string) {
		m := Message{From: from, To: []string{to}, Subject: subject, Text: text, Headers: map[string]string{name: value}}
		raw, err := m.Bytes()
		if err != nil {
			return
		}
		got, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("%v\n%q", err, raw)
		}
		allowed := map[string]bool{"From": true, "To": true, "Subject": true, "Date": true, "Message-Id": true, "Mime-Version": true,
			"Content-Type": true, "Content-Transfer-Encoding": true}
		extra := 0
		for field, values := range got.Header {
			if len(values) != 1 {
				t.Errorf("%d fields %s", len(values), field)
			}
			if !allowed[field] {
				extra++
			}
		}
		if extra > 1 {
			t.Errorf("%d further fields:\n%q", extra, raw)
		}
	})
}
