package sesserver

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/mail/inbox"
	"github.com/google/go-cmp/cmp"
)

type post struct {
	url string
	box *inbox.Inbox
}

func serve(t *testing.T, opts *inbox.Options) *post {
	t.Helper()
	box, err := inbox.Open(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Inbox: box})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() { h.Close(); box.Close() })
	return &post{h.URL, box}
}

func (p *post) newest(t *testing.T) *inbox.Mail {
	t.Helper()
	list, _ := p.box.List("", 1)
	if len(list) == 0 {
		t.Fatal("the inbox is empty")
	}
	m, err := p.box.Get(list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (p *post) do(t *testing.T, method, path, kind, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func (p *post) v2(t *testing.T, body string) (*http.Response, string) {
	return p.do(t, "POST", "/v2/email/outbound-emails", "application/json", body)
}

func (p *post) v1(t *testing.T, form url.Values) (*http.Response, string) {
	return p.do(t, "POST", "/", "application/x-www-form-urlencoded", form.Encode())
}

const rawBody = "From: Site <site@example.com>\nTo: a@example.com,\n  B <b@example.com>\nBcc: hidden@example.com\nMessage-ID: <own@x>\nDate: then\nSubject: raw\n\nbody\n"

func TestV2(t *testing.T) {
	p := serve(t, nil)
	res, body := p.v2(t, `{"FromEmailAddress":"Site <site@example.com>","Destination":{"ToAddresses":["a@example.com"],"BccAddresses":["h@example.com"]},
		"ReplyToAddresses":["r@example.com"],"Content":{"Simple":{"Subject":{"Data":"Über","Charset":"UTF-8"},"Body":{"Text":{"Data":"t\n"},"Html":{"Data":"<p>h</p>"}},
		"Headers":[{"Name":"X-Tag","Value":"v"}],"Attachments":[{"FileName":"f.txt","RawContent":"aGVsbG8="}]}}}`)
	var answer struct{ MessageId string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || res.StatusCode != 200 || answer.MessageId == "" {
		t.Fatalf("%s %s", res.Status, body)
	}
	m := p.newest(t)
	if m.Subject != "Über" || m.Text != "t\n" || m.HTML != "<p>h</p>\n" || m.Header["X-Tag"][0] != "v" || m.Header["Reply-To"][0] != "<r@example.com>" || string(m.Attachments[0].Content) != "hello" {
		t.Errorf("mail %+v", m)
	}
	if want := "<" + answer.MessageId + "@email.amazonses.com>"; m.Header["Message-Id"][0] != want {
		t.Errorf("Message-ID %q, want %q", m.Header["Message-Id"], want)
	}
	if diff := cmp.Diff([]string{"a@example.com", "h@example.com"}, m.To); diff != "" {
		t.Error(diff)
	}

	res, body = p.v2(t, `{"Content":{"Raw":{"Data":"`+base64.StdEncoding.EncodeToString([]byte(rawBody))+`"}}}`)
	if res.StatusCode != 200 {
		t.Fatalf("%s %s", res.Status, body)
	}
	m = p.newest(t)
	if diff := cmp.Diff([]string{"a@example.com", "b@example.com", "hidden@example.com"}, m.To); diff != "" {
		t.Error(diff)
	}
	if m.Text != "body\n" || m.Header["Bcc"] != nil || len(m.Header["Message-Id"]) != 1 || strings.Contains(m.Header["Message-Id"][0], "own") || m.Date.IsZero() {
		t.Errorf("mail %+v", m)
	}
	if m.Header["Return-Path"][0] != "<site@example.com>" {
		t.Errorf("envelope %q", m.Header["Return-Path"])
	}

	res, body = p.v2(t, `{"FromEmailAddress":"a@example.com","Destination":{"ToAddresses":["b@example.com"]},"Content":{"Simple":{"Subject":{"Data":"s"},"Body":{"Html":{"Data":"<p>only</p>"}}}}}`)
	if m = p.newest(t); res.StatusCode != 200 || m.Text != "" || m.HTML != "<p>only</p>\n" {
		t.Errorf("HTML only: %s %s %+v", res.Status, body, m)
	}

	res, body = p.do(t, "GET", "/v2/email/account", "", "")
	if res.StatusCode != 200 || !strings.Contains(body, `"SentLast24Hours":6`) || !strings.Contains(body, `"SendingEnabled":true`) {
		t.Errorf("account: %s %s", res.Status, body)
	}
}

func TestV2Refuses(t *testing.T) {
	p := serve(t, nil)
	to := `"Destination":{"ToAddresses":["a@example.com"]}`
	simple := `"Content":{"Simple":{"Subject":{"Data":"s"},"Body":{"Text":{"Data":"t"}}}}`
	raw := func(s string) string {
		return `"Content":{"Raw":{"Data":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"}}`
	}
	many := strings.TrimSuffix(strings.Repeat(`"a@example.com",`, 51), ",")
	for name, c := range map[string]struct{ body, want string }{
		"not JSON":            {`hello`, "not the JSON"},
		"empty":               {`{}`, "one of"},
		"two contents":        {`{"Content":{"Simple":{},"Raw":{"Data":"eA=="}}}`, "one of"},
		"template":            {`{` + to + `,"FromEmailAddress":"a@example.com","Content":{"Template":{"TemplateName":"t"}}}`, "Templates are not available"},
		"no sender":           {`{` + to + `,` + simple + `}`, "From"},
		"no recipient":        {`{"FromEmailAddress":"a@example.com",` + simple + `}`, "recipient"},
		"bad recipient":       {`{"FromEmailAddress":"a@example.com","Destination":{"ToAddresses":["x"]},` + simple + `}`, "not a mail address"},
		"51 recipients":       {`{"FromEmailAddress":"a@example.com","Destination":{"ToAddresses":[` + many + `]},` + simple + `}`, "51 recipients"},
		"line break":          {`{"FromEmailAddress":"a@example.com",` + to + `,"Content":{"Simple":{"Subject":{"Data":"s\r\nBcc: x@example.com"},"Body":{"Text":{"Data":"t"}}}}}`, "line break"},
		"bad header":          {`{"FromEmailAddress":"a@example.com",` + to + `,"Content":{"Simple":{"Subject":{"Data":"s"},"Body":{"Text":{"Data":"t"}},"Headers":[{"Name":"From","Value":"x"}]}}}`, "field of its own"},
		"no body":             {`{"FromEmailAddress":"a@example.com",` + to + `,"Content":{"Simple":{"Subject":{"Data":"s"},"Body":{}}}}`, "neither text nor HTML"},
		"raw, empty":          {`{` + to + `,"Content":{"Raw":{"Data":""}}}`, "empty"},
		"raw, not base64":     {`{` + to + `,"Content":{"Raw":{"Data":"?"}}}`, "JSON"},
		"raw, no From":        {`{` + to + `,` + raw("Subject: s\n\nx") + `}`, "From header"},
		"raw, no header":      {`{` + to + `,` + raw("hello") + `}`, "not a field"},
		"raw, folded":         {`{` + to + `,` + raw(" folded\n\n") + `}`, "folded"},
		"raw, nobody":         {`{` + raw("From: a@example.com\n\nx") + `}`, "no recipient"},
		"raw, bad recipients": {`{` + raw("From: a@example.com\nTo: <<\n\nx") + `}`, "To header"},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := p.v2(t, c.body)
			if res.StatusCode != 400 || res.Header.Get("X-Amzn-Errortype") != "BadRequestException" || !strings.Contains(body, c.want) {
				t.Errorf("%s %q %s, want %q", res.Status, res.Header.Get("X-Amzn-Errortype"), body, c.want)
			}
		})
	}
	if res, body := p.do(t, "GET", "/v2/email/templates", "", ""); res.StatusCode != 404 || !strings.Contains(body, "SendEmail") {
		t.Errorf("unknown operation: %s %s", res.Status, body)
	}
	if _, n := p.box.List("", 0); n != 0 {
		t.Errorf("%d mails were kept", n)
	}
}

func TestV1(t *testing.T) {
	p := serve(t, nil)
	for _, c := range []struct {
		name   string
		form   url.Values
		status int
		want   string
	}{
		{"send", url.Values{"Action": {"SendEmail"}, "Source": {"a@example.com"}, "Destination.ToAddresses.member.1": {"b@example.com"},
			"Destination.ToAddresses.member.2": {"c@example.com"}, "Message.Subject.Data": {"s <&>"}, "Message.Body.Text.Data": {"t"}}, 200, "<SendEmailResult><MessageId>"},
		{"send raw", url.Values{"Action": {"SendRawEmail"}, "RawMessage.Data": {base64.StdEncoding.EncodeToString([]byte(rawBody))}, "Destinations.member.1": {"only@example.com"}}, 200, "<SendRawEmailResult><MessageId>"},
		{"quota", url.Values{"Action": {"GetSendQuota"}}, 200, "<SentLast24Hours>3</SentLast24Hours>"},
		{"verify", url.Values{"Action": {"VerifyEmailIdentity"}, "EmailAddress": {"a@example.com"}}, 200, "<VerifyEmailIdentityResult></VerifyEmailIdentityResult>"},
		{"verified", url.Values{"Action": {"GetIdentityVerificationAttributes"}, "Identities.member.1": {"x.example"}}, 200, "<key>x.example</key><value><VerificationStatus>Success"},
		{"verify nobody", url.Values{"Action": {"VerifyEmailIdentity"}}, 400, "<Code>InvalidParameterValue</Code>"},
		{"no recipient", url.Values{"Action": {"SendEmail"}, "Source": {"a@example.com"}, "Message.Body.Text.Data": {"t"}}, 400, "<Code>InvalidParameterValue</Code>"},
		{"not base64", url.Values{"Action": {"SendRawEmail"}, "RawMessage.Data": {"?"}}, 400, "not base64"},
		{"unknown", url.Values{"Action": {"SendBounce<"}}, 400, "<Code>InvalidAction</Code>"},
		{"nothing", url.Values{}, 400, "<Code>MissingAction</Code>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := p.v1(t, c.form)
			if res.StatusCode != c.status || !strings.Contains(body, c.want) || !strings.Contains(body, xmlns) || !strings.Contains(body, "<RequestId>") {
				t.Errorf("%s %s, want %q", res.Status, body, c.want)
			}
		})
	}
	list, total := p.box.List("", 2)
	if total != 2 || list[0].To[0] != "only@example.com" || list[1].Subject != "s <&>" {
		t.Errorf("%d mails: %+v", total, list)
	}
}

func TestBounds(t *testing.T) {
	p := serve(t, &inbox.Options{MaxBytes: 100_000})
	big := base64.StdEncoding.EncodeToString([]byte(rawBody + strings.Repeat("x\n", 100_000)))
	if res, body := p.v2(t, `{"Content":{"Raw":{"Data":"`+big+`"}}}`); res.StatusCode != 400 || res.Header.Get("X-Amzn-Errortype") != "MessageRejected" {
		t.Errorf("larger than the inbox: %s %s", res.Status, body)
	}
	p = serve(t, nil)
	if res, body := p.v2(t, `{"Content":{"Raw":{"Data":"`+strings.Repeat("A", maxBody)+`"}}}`); res.StatusCode != 413 {
		t.Errorf("larger than a request may be: %s %.100s", res.Status, body)
	}
	// A header of many folded lines is linear work.
	folded := "From: a@example.com\nTo: b@example.com\nX: y\n" + strings.Repeat(" z\n", 300_000) + "\nbody"
	if res, body := p.v2(t, `{"Content":{"Raw":{"Data":"`+base64.StdEncoding.EncodeToString([]byte(folded))+`"}}}`); res.StatusCode != 200 {
		t.Errorf("folded header: %s %s", res.Status, body)
	}
	if res, body := p.v2(t, `{"Content":{"Raw":{"Data":"`+base64.StdEncoding.EncodeToString([]byte("From: a@example.com\n"+strings.Repeat("X: y\n", 300_000)))+`"}}}`); res.StatusCode != 400 || !strings.Contains(body, "header") {
		t.Errorf("endless header: %s %s", res.Status, body)
	}
}

func TestClosedInbox(t *testing.T) {
	p := serve(t, nil)
	p.box.Close()
	if res, body := p.v2(t, `{"Content":{"Raw":{"Data":"`+base64.StdEncoding.EncodeToString([]byte(rawBody))+`"}}}`); res.StatusCode != 500 || strings.Contains(body, "MessageId") {
		t.Errorf("%s %s", res.Status, body)
	}
}

func TestClients(t *testing.T) {
	p := serve(t, nil)
	cmd := exec.Command(need.Python(t, "boto3"), filepath.Join(need.Root(t), "test", "clients", "mail_boto3.py"))
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+p.url, "AWS_DEFAULT_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	list, total := p.box.List("", 10)
	var subjects []string
	for _, e := range list {
		subjects = append(subjects, e.Subject)
	}
	if diff := cmp.Diff([]string{"v1 raw", "v1 Grüße", "v2 raw", "v2 Grüße"}, subjects); diff != "" || total != 4 {
		t.Errorf("%d mails: %s", total, diff)
	}
}

func FuzzRaw(f *testing.F) {
	f.Add([]byte(rawBody))
	f.Add([]byte(" folded\n"))
	f.Add([]byte("From: a@x\r\nTo: b@x\r\n\tc@x\r\n\r\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseRaw(data)
		if err != nil {
			return
		}
		// What is kept is no more than what came, and reads back the same.
		if len(m.header) > 2*len(data) || len(m.body) > len(data) {
			t.Errorf("%d+%d bytes from %d", len(m.header), len(m.body), len(data))
		}
		again, err := parseRaw(append(append([]byte{}, m.header...), append([]byte("\r\n"), m.body...)...))
		if err != nil {
			t.Fatalf("%v\n%q", err, m.header)
		}
		if again.from != m.from || string(again.body) != string(m.body) {
			t.Errorf("read back: from %q, was %q", again.from, m.from)
		}
	})
}

func FuzzServe(f *testing.F) {
	f.Add("/v2/email/outbound-emails", `{"Content":{"Raw":{"Data":"eA=="}}}`)
	f.Add("/", "Action=SendEmail&Source=a%40x&Destination.ToAddresses.member.1=b%40x&Message.Body.Text.Data=t")
	f.Add("/", "Action=SendRawEmail&RawMessage.Data=RnJvbTogYUB4")
	box, err := inbox.Open(f.TempDir(), &inbox.Options{MaxMails: 5})
	if err != nil {
		f.Fatal(err)
	}
	s, err := New(Options{Inbox: box})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		u, err := url.Parse(path)
		if err != nil {
			return
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL = u
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
