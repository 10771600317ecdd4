package stamp

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestStamp(t *testing.T) {
	const year = "public, max-age=31536000"
	for _, tc := range []struct {
		name, method, address string
		status                int
		request, answer       []string
		want                  string // Cache-Control
	}{
		{"stamped", "GET", "/api/x?t=1732233600", 200, nil, nil, year},
		{"stamped, HEAD", "HEAD", "/api/x?a=b&t=v1.2", 200, nil, nil, year},
		{"over what the application says", "GET", "/api/x?t=1", 200, nil, []string{"Cache-Control", "max-age=60, must-revalidate", "Pragma", "no-cache"}, year},
		{"shorter below", "GET", "/api/day/x?v=1", 200, nil, nil, "public, max-age=86400"},
		{"another parameter", "GET", "/api/day/x?t=1", 200, nil, nil, ""},
		{"no stamp", "GET", "/api/x?x=1", 200, nil, []string{"Cache-Control", "no-cache"}, "no-cache"},
		{"empty", "GET", "/api/x?t=", 200, nil, nil, ""}, {"twice", "GET", "/api/x?t=1&t=2", 200, nil, nil, ""},
		{"not a stamp", "GET", "/api/x?t=a%20b", 200, nil, nil, ""}, {"too long", "GET", "/api/x?t=" + strings.Repeat("1", 65), 200, nil, nil, ""},
		{"elsewhere", "GET", "/x?t=1", 200, nil, nil, ""}, {"POST", "POST", "/api/x?t=1", 200, nil, nil, ""},
		{"missing", "GET", "/api/x?t=1", 404, nil, nil, ""}, {"part", "GET", "/api/x?t=1", 206, nil, nil, ""}, {"unchanged", "GET", "/api/x?t=1", 304, nil, nil, ""},
		{"sets a cookie", "GET", "/api/x?t=1", 200, nil, []string{"Set-Cookie", "a=b"}, ""},
		{"private", "GET", "/api/x?t=1", 200, nil, []string{"Cache-Control", "max-age=1, Private=\"x\""}, "max-age=1, Private=\"x\""},
		{"no-store", "GET", "/api/x?t=1", 200, nil, []string{"Cache-Control", "no-store"}, "no-store"},
		{"depends on all", "GET", "/api/x?t=1", 200, nil, []string{"Vary", "*"}, ""},
		{"with a cookie", "GET", "/api/x?t=1", 200, []string{"Cookie", "a=b"}, nil, ""},
		{"with a cookie, public", "GET", "/api/x?t=1", 200, []string{"Cookie", "a=b"}, []string{"Cache-Control", "public"}, year},
		{"authorized", "GET", "/api/x?t=1", 200, []string{"Authorization", "Bearer x"}, []string{"Cache-Control", "max-age=5"}, "max-age=5"},
	} {
		h, err := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(tc.answer); i += 2 {
				w.Header().Add(tc.answer[i], tc.answer[i+1])
			}
			if tc.status != 200 {
				w.WriteHeader(tc.status)
			}
			io.WriteString(w, "x")
		}), []Rule{{Path: "/api/"}, {Path: "/api/day", Parameter: "v", MaxAge: 24 * time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		r, w := httptest.NewRequest(tc.method, tc.address, nil), httptest.NewRecorder()
		for i := 0; i < len(tc.request); i += 2 {
			r.Header.Add(tc.request[i], tc.request[i+1])
		}
		h.ServeHTTP(w, r)
		if got := strings.Join(w.Header()["Cache-Control"], " AND "); got != tc.want {
			t.Errorf("%s: %q", tc.name, got)
		}
		expires, err := http.ParseTime(w.Header().Get("Expires"))
		if kept := strings.HasPrefix(tc.want, "public, max-age="); kept != (err == nil) || kept && (time.Until(expires) < 23*time.Hour || w.Header().Get("Pragma") != "") {
			t.Errorf("%s: expires %v, %v", tc.name, expires, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for want, r := range map[string]Rule{"does not begin": {Path: "x"}, "not a parameter's name": {Path: "/", Parameter: "a b"}, "between 1s and 365d": {Path: "/", MaxAge: 366 * 24 * time.Hour}} {
		if _, err := New(nil, []Rule{r}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
