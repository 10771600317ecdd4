package jsonp

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ask is a request of an application that answers with a header and a body;
// seen is what the application saw.
func ask(t testing.TB, method, address string, request []string, status int, answer []string, body string) (w *httptest.ResponseRecorder, seen *http.Request) {
	t.Helper()
	h, err := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		for i := 0; i < len(answer); i += 2 {
			w.Header().Add(answer[i], answer[i+1])
		}
		if status != 200 {
			w.WriteHeader(status)
		}
		for piece := range strings.SplitAfterSeq(body, ",") {
			io.WriteString(w, piece)
			w.(http.Flusher).Flush()
		}
	}), []Rule{{Path: "/api/", MaxSize: 2000}, {Path: "/api/old", Parameter: "jsonp"}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, address, nil)
	for i := 0; i < len(request); i += 2 {
		r.Header.Add(request[i], request[i+1])
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, seen
}

var asJSON = []string{"Content-Type", "application/json"}

func TestScript(t *testing.T) {
	w, seen := ask(t, "GET", "/api/x?a=1&callback=app.show&b=%20&_=17", []string{"Cookie", "session=1", "Authorization", "Bearer x", "Range", "bytes=0-1", "Accept-Encoding", "gzip", "Accept", "*/*"},
		200, []string{"Content-Type", "application/json; charset=utf-8", "Content-Length", "47", "ETag", `"v1"`, "Set-Cookie", "a=b", "Content-MD5", "x", "Accept-Ranges", "bytes", "Cache-Control", "max-age=60"},
		"{\"a\":\"\u2028\u2029\u2027</script><!--\",\"b\":[1,2]}")
	if want := "/**/app.show({\"a\":\"\\u2028\\u2029\u2027</script><!--\",\"b\":[1,2]});"; w.Body.String() != want {
		t.Errorf("got  %s\nwant %s", w.Body, want)
	}
	want := http.Header{"Content-Type": {"application/javascript; charset=utf-8"}, "Content-Length": {"61"}, "X-Content-Type-Options": {"nosniff"},
		"Etag": {`"v1"`}, "Cache-Control": {"max-age=60"}, "Cross-Origin-Resource-Policy": {"cross-origin"}}
	if d := cmp.Diff(want, w.Header()); d != "" || w.Code != 200 {
		t.Error(w.Code, d)
	}
	if seen.RequestURI != "/api/x?a=1&b=%20&_=17" || seen.URL.RawQuery != "a=1&b=%20&_=17" {
		t.Errorf("the application saw %s", seen.RequestURI)
	}
	if d := cmp.Diff(http.Header{"Accept": {"*/*"}}, seen.Header); d != "" {
		t.Errorf("the application saw %s", d)
	}
}

func TestWhatBecomesAScript(t *testing.T) {
	for _, tc := range []struct {
		name, method, address string
		status                int
		answer                []string
		body                  string
		wantStatus            int
		wantType, want        string
	}{
		{"plain", "GET", "/api/x", 200, asJSON, "{}", 200, "application/json", "{}"},
		{"not here", "GET", "/x?callback=f", 200, asJSON, "{}", 200, "application/json", "{}"},
		{"another parameter", "GET", "/api/old?jsonp=f", 200, asJSON, "[]", 200, "application/javascript; charset=utf-8", "/**/f([]);"},
		{"not that one there", "GET", "/api/old?callback=f", 200, asJSON, "[]", 200, "application/json", "[]"},
		{"escaped name", "GET", "/api/x?%63allback=f", 200, asJSON, "1", 200, "application/javascript; charset=utf-8", "/**/f(1);"},
		{"problem", "GET", "/api/x?callback=f", 200, []string{"Content-Type", "application/vnd.api+json"}, "{}", 200, "application/javascript; charset=utf-8", "/**/f({});"},
		{"byte order mark", "GET", "/api/x?callback=f", 200, asJSON, "\ufeff{}", 200, "application/javascript; charset=utf-8", "/**/f({});"},
		{"HEAD", "HEAD", "/api/x?callback=f", 200, asJSON, "", 200, "application/javascript; charset=utf-8", ""},
		{"POST", "POST", "/api/x?callback=f", 200, asJSON, "{}", 200, "application/json", "{}"},
		{"page", "GET", "/api/x?callback=f", 200, []string{"Content-Type", "text/html"}, "<p>", 200, "text/html", "<p>"},
		{"other charset", "GET", "/api/x?callback=f", 200, []string{"Content-Type", "application/json; charset=utf-16"}, "{}", 200, "application/json; charset=utf-16", "{}"},
		{"compressed all the same", "GET", "/api/x?callback=f", 200, []string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, "zip", 200, "application/json", "zip"},
		{"error", "GET", "/api/x?callback=f", 404, asJSON, "{}", 404, "application/json", "{}"},
		{"created", "GET", "/api/x?callback=f", 201, asJSON, "{}", 201, "application/json", "{}"},
		{"not JSON", "GET", "/api/x?callback=f", 200, asJSON, "1);alert(1)//", 502, "text/plain; charset=utf-8", "The site's answer is not the JSON that it says it is.\n"},
		{"not UTF-8", "GET", "/api/x?callback=f", 200, asJSON, "\"\xff\"", 502, "text/plain; charset=utf-8", "The site's answer is not the JSON that it says it is.\n"},
		{"empty", "GET", "/api/x?callback=f", 200, asJSON, "", 502, "text/plain; charset=utf-8", "The site's answer is not the JSON that it says it is.\n"},
		{"too large", "GET", "/api/x?callback=f", 200, asJSON, "[" + strings.Repeat("1,", 1000) + "1]", 502, "text/plain; charset=utf-8", "The answer is too large for a script.\n"},
		{"too large, said before", "GET", "/api/x?callback=f", 200, append([]string{"Content-Length", "2001"}, asJSON...), "[" + strings.Repeat("1,", 999) + "1]", 502, "text/plain; charset=utf-8", "The answer is too large for a script.\n"},
		{"as large as can be", "GET", "/api/x?callback=f", 200, asJSON, `"` + strings.Repeat("x", 1998) + `"`, 200, "application/javascript; charset=utf-8", `/**/f("` + strings.Repeat("x", 1998) + `");`},
		{"unchanged", "GET", "/api/x?callback=f", 304, asJSON, "", 304, "application/javascript; charset=utf-8", ""},
	} {
		w, _ := ask(t, tc.method, tc.address, nil, tc.status, tc.answer, tc.body)
		if w.Code != tc.wantStatus || w.Header().Get("Content-Type") != tc.wantType || w.Body.String() != tc.want {
			t.Errorf("%s: %d %v %.200s", tc.name, w.Code, w.Header(), w.Body)
		}
		if strings.Contains(tc.address, "callback=f") && strings.HasPrefix(tc.address, "/api/x") && tc.method != "POST" && w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: may be taken for a script", tc.name)
		}
	}
}

// What is no callback is refused, not repeated, and not asked of the
// application.
func TestInjection(t *testing.T) {
	for _, callback := range []string{
		"", "alert(1)//", "f;alert(1)", "f\nalert(1)", "<script>alert(1)</script>", "f[0]", "f.", ".f", "a..b", "1f", "f()", "f/*", "f%00", "f\u2028g", "ſhow", "é", "f g", "f\"", "f'", "f`x`",
		"f=1", "f,g", "a:b", "{}", "\\u0066", "f\\", "CWSMIKI0hCD0Up0IZUnnnnnnnnnnnnnnnnnnnUU5nnnnnn3Snn7iiudIbEAt333swW0ssG03sDDtDDDt0333333Gt333swwv3wwwFPOHtoHHvwHHFhH3D0Up0IZUnnnnnnnnnnnnnnnnnn",
		strings.Repeat("f", maxCallback+1),
	} {
		w, seen := ask(t, "GET", "/api/x?callback="+url.QueryEscape(callback), nil, 200, asJSON, "{}")
		if w.Code != 400 || seen != nil || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %d %v", callback, w.Code, w.Header())
		}
		if len(callback) > 3 && strings.Contains(w.Body.String(), callback) {
			t.Errorf("%q is repeated", callback)
		}
	}
	for _, query := range []string{"callback=f&callback=g", "callback=f&callback=", "callback=%zz", "callback"} {
		if w, seen := ask(t, "GET", "/api/x?"+query, nil, 200, asJSON, "{}"); w.Code != 400 || seen != nil {
			t.Errorf("%s: %d", query, w.Code)
		}
	}
	for _, good := range []string{"f", "_", "$", "jQuery1102_1732233600", "angular.callbacks._0", strings.Repeat("f", maxCallback)} {
		if w, _ := ask(t, "GET", "/api/x?callback="+good, nil, 200, asJSON, "{}"); w.Body.String() != "/**/"+good+"({});" {
			t.Errorf("%s: %s", good, w.Body)
		}
	}
}

func TestRedirects(t *testing.T) {
	for to, want := range map[string]string{
		"/api/x/": "/api/x/?callback=f", "x?a=b": "x?a=b&callback=f", "http://example.com/api/y#z": "http://example.com/api/y?callback=f#z",
		"/login": "/login", "https://other.example/api/x": "https://other.example/api/x", "//other.example/api": "//other.example/api", "/api/../x": "/api/../x", "mailto:x": "mailto:x",
	} {
		w, _ := ask(t, "GET", "/api/x?callback=f", nil, 302, []string{"Location", to}, "")
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("%s became %s", to, got)
		}
	}
}

func TestCheck(t *testing.T) {
	for want, r := range map[string]Rule{"does not begin": {Path: "x"}, "not a parameter's name": {Path: "/", Parameter: "a.b"}, "between 1KiB and 64MiB": {Path: "/", MaxSize: 1}} {
		if _, err := New(nil, []Rule{r}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

var scriptForm = regexp.MustCompile(`^/\*\*/[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)*\(([^\x{2028}\x{2029}]*)\);$`)

// Whatever callback and answer come, what is a script is one call of one name
// with the answer's value.
func FuzzScript(f *testing.F) {
	for _, s := range [][2]string{{"f", "{}"}, {"a.b", "[1,\"\u2028\"]"}, {"f;g", "1"}, {"f", "1);alert(1"}, {"$", "\"\xe2\x80\""}, {"f", "\"\\\xe2\x80\xa8\""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, callback, body string) {
		w, seen := ask(t, "GET", "/api/x?callback="+url.QueryEscape(callback), nil, 200, asJSON, body)
		if ValidCallback(callback) != (seen != nil) {
			t.Fatalf("%q valid: %v", callback, ValidCallback(callback))
		}
		if w.Code != 200 {
			if w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Fatalf("%d %v", w.Code, w.Header())
			}
			return
		}
		m := scriptForm.FindStringSubmatch(w.Body.String())
		if m == nil || !strings.HasPrefix(w.Body.String(), "/**/"+callback+"(") {
			t.Fatalf("%q", w.Body)
		}
		var got, want any
		if err := json.Unmarshal([]byte(m[2]), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "\ufeff")), &want); err != nil || !cmp.Equal(got, want) {
			t.Fatalf("%q became %q", body, m[2])
		}
	})
}
