package gateway_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
)

const formType = "application/x-www-form-urlencoded; charset=utf-8"

// startQuery serves an SQS and an S3 that say who got what.
func startQuery(t *testing.T) string {
	t.Helper()
	says := func(who string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			args := r.URL.Query()
			for name := range args {
				if strings.HasPrefix(name, "X-Amz-") {
					args.Del(name)
				}
			}
			fmt.Fprintf(w, "%s %s %s [%s] [%s]", who, r.Method, r.URL.Path, args.Encode(), body)
		})
	}
	g, err := gateway.New(gateway.Options{
		Credentials: []sigv4.Credentials{{AccessKeyID: "key", SecretAccessKey: "secret"}},
		Services:    map[string]http.Handler{"sqs": says("sqs")},
		S3:          says("s3"),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	return srv.URL
}

// signing is how a request is signed.
type signing int

const (
	inHeader signing = iota
	presigned
	unsigned
)

type queryAsk struct {
	method, path string
	args, form   string // in the URL; posted
	signing      signing
	key, secret  string // "" the right ones
	age          time.Duration
	change       func(*http.Request) // after signing
}

func (a queryAsk) do(t *testing.T, base string) (*http.Response, string) {
	t.Helper()
	url := base + a.path
	if a.args != "" {
		url += "?" + a.args
	}
	r := a.request(t, url)
	at, sum := time.Now().Add(-a.age), sha256.Sum256([]byte(a.form))
	secret := aws.Credentials{AccessKeyID: orElse(a.key, "key"), SecretAccessKey: orElse(a.secret, "secret")}
	switch a.signing {
	case inHeader:
		if err := v4.NewSigner().SignHTTP(context.Background(), secret, r, hex.EncodeToString(sum[:]), "sqs", "us-east-1", at); err != nil {
			t.Fatal(err)
		}
	case presigned:
		q := r.URL.Query()
		q.Set("X-Amz-Expires", "60")
		r.URL.RawQuery = q.Encode()
		signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), secret, r, hex.EncodeToString(sum[:]), "sqs", "us-east-1", at)
		if err != nil {
			t.Fatal(err)
		}
		r = a.request(t, signed)
	}
	if a.change != nil {
		a.change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func (a queryAsk) request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(a.method, url, strings.NewReader(a.form))
	if err != nil {
		t.Fatal(err)
	}
	if a.form != "" {
		r.Header.Set("Content-Type", formType)
	}
	return r
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Requests in the query protocol go to their service, wherever they are sent to
// and however they are signed, and to nobody when the signature is not theirs.
func TestQueryIsVerified(t *testing.T) {
	base := startQuery(t)
	const act = "Action=SendMessage&MessageBody=a+b%2Fc&Version=2012-11-05"
	for _, path := range []string{"/", "/000000000000/q", "/000000000000/q.fifo"} {
		for name, sent := range map[string]queryAsk{
			"POST of a form":           {method: "POST", form: act},
			"POST of a form, args too": {method: "POST", args: "Other=1", form: act},
			"GET":                      {method: "GET", args: act},
			"GET presigned":            {method: "GET", args: act, signing: presigned},
			"POST presigned":           {method: "POST", args: act, signing: presigned},
			"POST of a form presigned": {method: "POST", args: "Other=1", form: act, signing: presigned},
			"GET, Action not first":    {method: "GET", args: "AAA=1&" + act},
		} {
			sent.path = path
			t.Run(name+" to "+path, func(t *testing.T) {
				resp, body := sent.do(t, base)
				if want := fmt.Sprintf("sqs %s %s [%s] [%s]", sent.method, path, sent.args, sent.form); resp.StatusCode != 200 || body != want {
					t.Errorf("%d %s; want %s", resp.StatusCode, body, want)
				}
				sent.secret = "wrong"
				refused(t, sent, base, 403, "SignatureDoesNotMatch")
				sent.secret, sent.key = "", "nobody"
				refused(t, sent, base, 403, "InvalidClientTokenId")
			})
		}
	}
}

func TestQueryIsRefused(t *testing.T) {
	base := startQuery(t)
	const act, queue = "Action=SendMessage&MessageBody=x", "/000000000000/q"
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	otherURL := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, old, new, 1)
			r.URL.Path = strings.Replace(r.URL.Path, old, new, 1)
		}
	}
	otherBody := func(r *http.Request) {
		body := act + "y"
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", formType)
	}
	for name, tc := range map[string]struct {
		ask    queryAsk
		status int
		code   string
	}{
		"another body":                      {queryAsk{method: "POST", path: queue, form: act, change: otherBody}, 403, "SignatureDoesNotMatch"},
		"a body for a link":                 {queryAsk{method: "POST", path: queue, args: act, signing: presigned, change: otherBody}, 403, "SignatureDoesNotMatch"},
		"another argument":                  {queryAsk{method: "GET", path: queue, args: act, change: otherURL("=x", "=y")}, 403, "SignatureDoesNotMatch"},
		"another argument of a link":        {queryAsk{method: "GET", path: queue, args: act, signing: presigned, change: otherURL("Body=x", "Body=y")}, 403, "SignatureDoesNotMatch"},
		"another queue":                     {queryAsk{method: "GET", path: queue, args: act, change: otherURL("/q", "/r")}, 403, "SignatureDoesNotMatch"},
		"another queue of a link":           {queryAsk{method: "GET", path: queue, args: act, signing: presigned, change: otherURL("/q", "/r")}, 403, "SignatureDoesNotMatch"},
		"another method of a link":          {queryAsk{method: "GET", path: queue, args: act, signing: presigned, change: func(r *http.Request) { r.Method = "POST" }}, 403, "SignatureDoesNotMatch"},
		"another protocol's action":         {queryAsk{method: "POST", path: "/", args: act, signing: presigned, change: set("X-Amz-Target", "AmazonSQS.PurgeQueue")}, 403, ""},
		"a link past its time":              {queryAsk{method: "GET", path: queue, args: act, signing: presigned, age: 2 * time.Minute}, 400, "RequestExpired"},
		"signed long ago":                   {queryAsk{method: "POST", path: queue, form: act, age: time.Hour}, 403, "SignatureDoesNotMatch"},
		"not signed, a form":                {queryAsk{method: "POST", path: queue, form: act, signing: unsigned}, 403, "MissingAuthenticationToken"},
		"not signed, GET":                   {queryAsk{method: "GET", path: queue, args: act, signing: unsigned}, 403, "MissingAuthenticationToken"},
		"not signed, GET, Action not first": {queryAsk{method: "GET", path: queue, args: "A=1&" + act, signing: unsigned}, 403, "MissingAuthenticationToken"},
		"signed as version 2 has it":        {queryAsk{method: "GET", path: queue, args: act + "&AWSAccessKeyId=key&Signature=eA%3D%3D&SignatureVersion=2", signing: unsigned}, 403, "MissingAuthenticationToken"},
		"a signature that is none":          {queryAsk{method: "POST", path: queue, form: act, signing: unsigned, change: set("Authorization", "AWS4-HMAC-SHA256 x")}, 400, "IncompleteSignature"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.code != "" {
				refused(t, tc.ask, base, tc.status, tc.code)
			} else if resp, body := tc.ask.do(t, base); resp.StatusCode != tc.status {
				t.Errorf("%d %s; want %d", resp.StatusCode, body, tc.status)
			}
		})
	}
}

// refused expects an error in XML.
func refused(t *testing.T, a queryAsk, base string, status int, code string) {
	t.Helper()
	resp, body := a.do(t, base)
	var e struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		RequestID string   `xml:"RequestId"`
	}
	if err := xml.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if resp.StatusCode != status || e.Code != code || e.Type != "Sender" || e.RequestID == "" {
		t.Errorf("%d %s; want %d %s", resp.StatusCode, body, status, code)
	}
}
