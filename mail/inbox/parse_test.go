package inbox

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func mailOf(lines ...string) string { return strings.Join(lines, "\r\n") }

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, raw  string
		text, html string
		files      []Attachment
		notes      []string
		broken     bool
	}{
		{name: "plain", raw: mailOf("Subject: s", "", "one", "two", ""), text: "one\ntwo\n"},
		{name: "bare line feeds", raw: "Subject: s\n\none\n", text: "one\n"},
		{name: "quoted-printable", raw: mailOf("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "", "gr=C3=BC=C3=9Fe=", " und mehr", ""), text: "grüße und mehr\n"},
		{name: "another character set", raw: mailOf("Content-Type: text/plain; charset=ISO-8859-1", "", "gr\xfc\xdfe"), text: "grüße"},
		{name: "Japanese", raw: mailOf("Content-Type: text/plain; charset=iso-2022-jp", "", "\x1b$B$3$s\x1b(B"), text: "こん"},
		{name: "unknown character set", raw: mailOf("Content-Type: text/plain; charset=klingon", "", "text"), text: "text", notes: []string{`the character set "klingon" is not known`}},
		{name: "not its character set", raw: mailOf("Content-Type: text/plain; charset=utf-8", "", "a\xffb"), text: "a\uFFFDb", notes: []string{"the text has bytes that are not of its character set"}},
		{name: "html only", raw: mailOf("Content-Type: text/html", "", "<p>x"), html: "<p>x"},
		{name: "alternative", raw: mailOf("Content-Type: multipart/alternative; boundary=b", "", "--b", "Content-Type: text/plain", "", "t", "--b", "Content-Type: text/html", "", "<b>h</b>", "--b--", ""), text: "t", html: "<b>h</b>"},
		{name: "attachment", raw: mailOf("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "t", "--b", "Content-Type: application/pdf; name=x", `Content-Disposition: attachment; filename="=?utf-8?q?=C3=BC.pdf?="`, "Content-Transfer-Encoding: base64", "", "aGVs", "!bG8=", "--b--"),
			text: "t", files: []Attachment{{Name: "ü.pdf", ContentType: "application/pdf", Content: []byte("hello")}}},
		{name: "path in a name", raw: mailOf("Content-Type: multipart/mixed; boundary=b", "", "--b", `Content-Disposition: attachment; filename="../../etc/passwd"`, "", "x", "--b--"),
			files: []Attachment{{Name: "passwd", ContentType: "text/plain", Content: []byte("x")}}},
		{name: "inline image", raw: mailOf("Content-Type: multipart/related; boundary=b", "", "--b", "Content-Type: text/html", "", "<img src=cid:i>", "--b", "Content-Type: image/png", "Content-ID: <i>", "", "png", "--b--"),
			html: "<img src=cid:i>", files: []Attachment{{ContentType: "image/png", ContentID: "i", Content: []byte("png")}}},
		{name: "no end", raw: mailOf("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "t"), text: "t", notes: []string{"a part is not encoded as it says: unexpected EOF", "a part cannot be read: multipart: NextPart: EOF"}},
		{name: "no boundary", raw: mailOf("Content-Type: multipart/mixed", "", "t"), files: []Attachment{{ContentType: "multipart/mixed", Content: []byte("t")}}},
		{name: "bad base64", raw: mailOf("Content-Transfer-Encoding: base64", "", "aGVsbG8"), text: "hel", notes: []string{"a part is not encoded as it says: unexpected EOF"}},
		{name: "bad type", raw: mailOf("Content-Type: ;;;", "", "t"), text: "t"},
		{name: "empty", raw: "", broken: true},
		{name: "no header", raw: "hello there\r\n", broken: true},
		{name: "binary", raw: "\x00\x01\x02\xff", broken: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Parse(strings.NewReader(c.raw))
			if m.Text != c.text || m.HTML != c.html || (m.Broken != "") != c.broken {
				t.Errorf("text %q, HTML %q, broken %q", m.Text, m.HTML, m.Broken)
			}
			if diff := cmp.Diff(c.files, m.Attachments); diff != "" {
				t.Errorf("attachments (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.notes, m.Notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseHeader(t *testing.T) {
	m := Parse(strings.NewReader(mailOf("From: =?iso-8859-1?q?J=F6rg?= <j@x.example>", "Date: Fri, 21 Nov 2025 10:00:00 +0200",
		"Subject: a", " folded =?utf-8?b?4pyT?=", "X-Raw: \xff", "", "")))
	want := map[string][]string{
		"From": {"Jörg <j@x.example>"}, "Date": {"Fri, 21 Nov 2025 10:00:00 +0200"}, "Subject": {"a folded ✓"}, "X-Raw": {"\uFFFD"},
	}
	if diff := cmp.Diff(want, m.Header); diff != "" {
		t.Error(diff)
	}
	if !m.Date.Equal(time.Date(2025, 11, 21, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("date %v", m.Date)
	}
}

// nested is a mail whose parts are n deep.
func nested(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	s.WriteString("\r\ninnermost\r\n")
	return s.String()
}

func TestParseIsBounded(t *testing.T) {
	for name, c := range map[string]struct{ raw, note string }{
		"deep":  {nested(100_000), "nested more than 10 deep"},
		"parts": {"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 100_000), "more than 200 parts"},
		"text":  {"Subject: s\r\n\r\n" + strings.Repeat("ü", maxText), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			m := Parse(strings.NewReader(c.raw))
			if !strings.Contains(strings.Join(m.Notes, "\n"), c.note) {
				t.Errorf("notes %q do not say %q", m.Notes, c.note)
			}
			if len(m.Text) > maxText || !utf8.ValidString(m.Text) {
				t.Errorf("%d bytes of text", len(m.Text))
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
	if m := Parse(strings.NewReader(strings.Repeat("X: y\r\n", 1<<20))); m.Broken == "" {
		t.Error("a header of 6 MB without end is not broken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mailOf("Content-Type: multipart/mixed; boundary=b", "", "--b", "Content-Transfer-Encoding: base64", "", "aGVsbG8=", "--b--"))
	f.Add(mailOf("Subject: =?utf-8?q?=C3=BC?=", "Content-Type: text/plain; charset=iso-2022-jp", "Content-Transfer-Encoding: quoted-printable", "", "=1B$B"))
	f.Add(nested(12))
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, raw string) {
		m := Parse(strings.NewReader(raw))
		size := 0
		for _, a := range m.Attachments {
			size += len(a.Content)
			if strings.Contains(a.Name, "/") || a.Name == ".." {
				t.Errorf("name %q has a path", a.Name)
			}
		}
		if size > len(raw) {
			t.Errorf("%d bytes of attachments from %d", size, len(raw))
		}
		for _, s := range []string{m.Text, m.HTML, m.Subject, m.From} {
			if !utf8.ValidString(s) {
				t.Errorf("%q is not UTF-8", s)
			}
		}
		if len(m.Attachments) > maxParts {
			t.Errorf("%d attachments", len(m.Attachments))
		}
	})
}
