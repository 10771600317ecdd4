package cors

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rules = []Rule{
	{Path: "/", Origins: []string{"https://one.example"}},
	{Path: "/open", Origins: []string{"*"}, Headers: []string{"*"}, MaxAge: time.Hour},
	{Path: "/api/", Origins: []string{"https://www.example.com", "https://*.example.org", "http://localhost:3000", "null"}, Methods: []string{"GET", "PUT"},
		Headers: []string{"X-Token", "Content-Type"}, Expose: []string{"ETag", "X-Total"}, MaxAge: 2 * time.Hour},
	{Path: "/api/me", Origins: []string{"https://www.example.com", "https://app.example.com"}, Credentials: true, Methods: []string{"GET", "DELETE"}},
}

// ask returns the answer with the fields of this package.
func ask(t *testing.T, method, path string, header ...string) (int, map[string]string) {
	t.Helper()
	p, err := New(rules)
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	h := p.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = true
		w.Header().Set("Access-Control-Allow-Origin", "*") // the application's own
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Vary", "Cookie")
		io.WriteString(w, "hello")
	}))
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got := map[string]string{}
	for name, v := range w.Header() {
		if rest, ok := strings.CutPrefix(name, "Access-Control-"); ok {
			got[rest] = strings.Join(v, " AND ")
		}
	}
	got["Vary"] = strings.Join(w.Header()["Vary"], " AND ")
	if asked == (method == "OPTIONS" && w.Code != 200) {
		t.Errorf("%s %s asked the application: %v", method, path, asked)
	}
	return w.Code, got
}

type fields = map[string]string

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		path, origin string
		want         fields
	}{
		{"/x", "https://one.example", fields{"Allow-Origin": "https://one.example", "Vary": "Cookie"}},
		{"/x", "https://two.example", fields{"Allow-Origin": "https://one.example", "Vary": "Cookie"}}, // which its browser does not take for its own
		{"/x", "", fields{"Allow-Origin": "https://one.example", "Vary": "Cookie"}},
		{"/open/x", "https://any.example", fields{"Allow-Origin": "*", "Vary": "Cookie"}},
		{"/open", "", fields{"Allow-Origin": "*", "Vary": "Cookie"}},
		{"/api/x", "https://www.example.com", fields{"Allow-Origin": "https://www.example.com", "Expose-Headers": "ETag, X-Total", "Vary": "Cookie, Origin"}},
		{"/api/x", "https://a.b.example.org", fields{"Allow-Origin": "https://a.b.example.org", "Expose-Headers": "ETag, X-Total", "Vary": "Cookie, Origin"}},
		{"/api/x", "null", fields{"Allow-Origin": "null", "Expose-Headers": "ETag, X-Total", "Vary": "Cookie, Origin"}},
		{"/api/me", "https://app.example.com", fields{"Allow-Origin": "https://app.example.com", "Allow-Credentials": "true", "Vary": "Cookie, Origin"}},
		{"/api/me", "null", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "https://example.org", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "https://evil.example", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "https://www.example.com.evil.example", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "http://www.example.com", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "https://www.example.com:8443", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "https://evil.example/.example.org", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "https://evil.example#.example.org", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "https://.example.org", fields{"Vary": "Cookie, Origin"}},
		{"/api/x", "HTTPS://WWW.EXAMPLE.COM", fields{"Vary": "Cookie, Origin"}},
	} {
		var header []string
		if tc.origin != "" {
			header = []string{"Origin", tc.origin}
		}
		if _, got := ask(t, "GET", tc.path, header...); !cmp.Equal(got, tc.want) {
			t.Errorf("%s for %q: %s", tc.path, tc.origin, cmp.Diff(tc.want, got))
		}
	}
	if _, got := ask(t, "GET", "/api/x", "Origin", "https://www.example.com", "Origin", "https://evil.example"); got["Allow-Origin"] != "" {
		t.Errorf("two origins: %v", got)
	}
}

func TestPreflight(t *testing.T) {
	const vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
	for _, tc := range []struct {
		path, origin, method, headers string
		status                        int
		want                          fields
	}{
		{"/api/x", "https://www.example.com", "PUT", "x-token,content-type", 204,
			fields{"Allow-Origin": "https://www.example.com", "Allow-Methods": "GET, PUT", "Allow-Headers": "X-Token, Content-Type", "Max-Age": "7200", "Vary": vary}},
		{"/api/x", "null", "PUT", "", 204, fields{"Allow-Origin": "null", "Allow-Methods": "GET, PUT", "Max-Age": "7200", "Vary": vary}},
		{"/api/me", "https://app.example.com", "DELETE", "", 204,
			fields{"Allow-Origin": "https://app.example.com", "Allow-Methods": "GET, DELETE", "Allow-Credentials": "true", "Max-Age": "0", "Vary": vary}},
		{"/open", "https://any.example", "POST", "authorization, x-anything", 204,
			fields{"Allow-Origin": "*", "Allow-Methods": "GET, HEAD, POST", "Allow-Headers": "authorization, x-anything", "Max-Age": "3600", "Vary": vary}},
		{"/api/x", "https://evil.example", "PUT", "", 403, fields{"Vary": vary}},
		{"/api/x", "https://www.example.com", "DELETE", "", 403, fields{"Vary": vary}},
		{"/api/x", "https://www.example.com", "put", "", 403, fields{"Vary": vary}},
		{"/api/x", "https://www.example.com", "PUT", "x-token, x-other", 403, fields{"Vary": vary}},
		{"/open", "https://any.example", "POST", "x\"y", 403, fields{"Vary": vary}},
		{"/api/me", "null", "GET", "", 403, fields{"Vary": vary}},
		{"/x", "https://two.example", "GET", "", 403, fields{"Vary": vary}},
	} {
		header := []string{"Origin", tc.origin, "Access-Control-Request-Method", tc.method}
		if tc.headers != "" {
			header = append(header, "Access-Control-Request-Headers", tc.headers)
		}
		status, got := ask(t, "OPTIONS", tc.path, header...)
		if status != tc.status || !cmp.Equal(got, tc.want) {
			t.Errorf("%s %s for %s: %d %s", tc.method, tc.path, tc.origin, status, cmp.Diff(tc.want, got))
		}
	}
	// What is no preflight is the application's.
	if status, _ := ask(t, "OPTIONS", "/api/x", "Origin", "https://www.example.com"); status != 200 {
		t.Errorf("OPTIONS without a method to come: %d", status)
	}
}

func TestWhereNoRuleIs(t *testing.T) {
	p, err := New(rules[2:])
	if err != nil {
		t.Fatal(err)
	}
	h := p.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.WriteHeader(http.StatusTeapot)
	}))
	for _, method := range []string{"GET", "OPTIONS"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "/apiary", nil)
		r.Header.Set("Origin", "https://x.example")
		r.Header.Set("Access-Control-Request-Method", "GET")
		h.ServeHTTP(w, r)
		if w.Code != http.StatusTeapot || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Vary") != "" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

func TestCheck(t *testing.T) {
	for want, r := range map[string]Rule{
		"does not begin with /":    {Path: "api", Origins: []string{"*"}},
		"no origins":               {Path: "/"},
		"(no scheme)":              {Path: "/", Origins: []string{"www.example.com"}},
		"scheme, host and port":    {Path: "/", Origins: []string{"https://www.example.com/"}},
		"in lower case":            {Path: "/", Origins: []string{"https://WWW.example.com"}},
		"without the port":         {Path: "/", Origins: []string{"https://www.example.com:443"}},
		"host name in ASCII":       {Path: "/", Origins: []string{"https://exämple.com"}},
		"(host name":               {Path: "/", Origins: []string{"https://a.*.com"}},
		"top-level":                {Path: "/", Origins: []string{"https://*.com"}},
		`"*" with credentials`:     {Path: "/", Origins: []string{"*"}, Credentials: true},
		`"null" with credentials`:  {Path: "/", Origins: []string{"null"}, Credentials: true},
		"have to be named":         {Path: "/", Origins: []string{"https://a.example"}, Headers: []string{"*"}, Credentials: true},
		`"get" is not a method`:    {Path: "/", Origins: []string{"*"}, Methods: []string{"get"}},
		`"X Y" is not a header`:    {Path: "/", Origins: []string{"*"}, Headers: []string{"X Y"}},
		`"" is not a header's`:     {Path: "/", Origins: []string{"*"}, Expose: []string{""}},
		"must be between 0s and":   {Path: "/", Origins: []string{"*"}, MaxAge: 25 * time.Hour},
		"\"X\\r\\nY\" is not a he": {Path: "/", Origins: []string{"*"}, Headers: []string{"X\r\nY"}},
	} {
		if _, err := New([]Rule{r}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, not %s", r, err, want)
		}
	}
}
