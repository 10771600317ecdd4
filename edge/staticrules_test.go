package edge

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// The rules of RFC 9110, sections 13 (conditional requests) and 14 (ranges), for
// a file.
func TestStaticRules(t *testing.T) {
	s, _ := staticSite(t, Options{})
	const path = "/static/css/app.css"
	plain, _ := s.get(t, path)
	zipped, _ := s.get(t, path, "Accept-Encoding", "gzip")
	tag, zip, n := plain.Header.Get("Etag"), zipped.Header.Get("Etag"), len(css)
	whole := string(css)
	for _, tc := range []struct {
		section, method string
		header          []string
		status          int
		body            string
		contentRange    string
	}{
		{"13.1.1 the tag", "GET", []string{"If-Match", tag}, 200, whole, ""},
		{"13.1.1 any", "GET", []string{"If-Match", "*"}, 200, whole, ""},
		{"13.1.1 one of several", "GET", []string{"If-Match", `"x", ` + tag}, 200, whole, ""},
		{"13.1.1 of another encoding", "GET", []string{"If-Match", zip}, 200, whole, ""},
		{"13.1.1 weakly", "GET", []string{"If-Match", "W/" + tag}, 412, "", ""},
		{"13.1.1 another", "GET", []string{"If-Match", `"x"`}, 412, "", ""},
		{"13.1.1 another, HEAD", "HEAD", []string{"If-Match", `"x"`}, 412, "", ""},
		{"13.1.2 the tag", "GET", []string{"If-None-Match", tag}, 304, "", ""},
		{"13.1.2 the tag, HEAD", "HEAD", []string{"If-None-Match", tag}, 304, "", ""},
		{"13.1.2 weakly", "GET", []string{"If-None-Match", `"x" , W/` + tag}, 304, "", ""},
		{"13.1.2 any", "GET", []string{"If-None-Match", "*"}, 304, "", ""},
		{"13.1.2 another", "GET", []string{"If-None-Match", `"x"`}, 200, whole, ""},
		{"13.1.2 of what was not asked for", "GET", []string{"If-None-Match", zip}, 200, whole, ""},
		{"13.1.3 without a date to compare", "GET", []string{"If-Modified-Since", "Sun, 22 Nov 2026 00:00:00 GMT"}, 200, whole, ""},
		{"13.1.4 without a date to compare", "GET", []string{"If-Unmodified-Since", "Sun, 22 Nov 2026 00:00:00 GMT"}, 200, whole, ""},
		{"13.1.5 the tag", "GET", []string{"Range", "bytes=0-3", "If-Range", tag}, 206, "body", fmt.Sprintf("bytes 0-3/%d", n)},
		{"13.1.5 weakly", "GET", []string{"Range", "bytes=0-3", "If-Range", "W/" + tag}, 200, whole, ""},
		{"13.1.5 of another encoding", "GET", []string{"Range", "bytes=0-3", "If-Range", zip, "Accept-Encoding", "gzip"}, 200, whole, ""},
		{"13.1.5 a date", "GET", []string{"Range", "bytes=0-3", "If-Range", "Sun, 22 Nov 2026 00:00:00 GMT"}, 200, whole, ""},
		{"13.1.5 without a range", "GET", []string{"If-Range", tag}, 200, whole, ""},
		{"13.2.2 If-Match comes first", "GET", []string{"If-Match", `"x"`, "If-None-Match", tag}, 412, "", ""},
		{"13.2.2 conditions come before ranges", "GET", []string{"If-None-Match", tag, "Range", "bytes=0-3"}, 304, "", ""},
		{"13.2.2 conditions come before ranges, 412", "GET", []string{"If-Match", `"x"`, "Range", "bytes=0-3"}, 412, "", ""},
		{"14.1.2 first bytes", "GET", []string{"Range", "bytes=0-3"}, 206, "body", fmt.Sprintf("bytes 0-3/%d", n)},
		{"14.1.2 one byte", "GET", []string{"Range", "bytes=1-1"}, 206, "o", fmt.Sprintf("bytes 1-1/%d", n)},
		{"14.1.2 from there on", "GET", []string{"Range", fmt.Sprintf("bytes=%d-", n-2)}, 206, whole[n-2:], fmt.Sprintf("bytes %d-%d/%d", n-2, n-1, n)},
		{"14.1.2 last bytes", "GET", []string{"Range", "bytes=-2"}, 206, whole[n-2:], fmt.Sprintf("bytes %d-%d/%d", n-2, n-1, n)},
		{"14.1.2 more last bytes than there are", "GET", []string{"Range", "bytes=-99999"}, 206, whole, fmt.Sprintf("bytes 0-%d/%d", n-1, n)},
		{"14.1.2 beyond the end", "GET", []string{"Range", fmt.Sprintf("bytes=%d-99999", n-2)}, 206, whole[n-2:], fmt.Sprintf("bytes %d-%d/%d", n-2, n-1, n)},
		{"14.2 another unit", "GET", []string{"Range", "lines=0-3"}, 200, whole, ""},
		{"14.2 HEAD has no ranges", "HEAD", []string{"Range", "bytes=0-3"}, 200, "", ""},
		{"14.2 of the file as it is", "GET", []string{"Range", "bytes=0-3", "Accept-Encoding", "gzip, br"}, 206, "body", fmt.Sprintf("bytes 0-3/%d", n)},
		{"14.2 more than the whole in parts", "GET", []string{"Range", "bytes=0-,0-,0-"}, 200, whole, ""},
		{"14.4 cannot be", "GET", []string{"Range", "bytes=99999-"}, 416, "invalid range: failed to overlap\n", fmt.Sprintf("bytes */%d", n)},
	} {
		res, body := s.do(t, tc.method, path, nil, tc.header...)
		if res.StatusCode != tc.status || body != tc.body || res.Header.Get("Content-Range") != tc.contentRange || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v, %d bytes", tc.section, res.StatusCode, res.Header, len(body))
		}
		if tc.status != 416 && (res.Header.Get("Etag") == "" || res.Header.Get("Vary") != "Accept-Encoding" || res.Header.Get("Cache-Control") == "") {
			t.Errorf("%s: %v", tc.section, res.Header)
		}
	}
	res, body := s.get(t, path, "Range", "bytes=0-3,-2")
	kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode != http.StatusPartialContent || kind != "multipart/byteranges" || err != nil {
		t.Fatal(res.StatusCode, res.Header, err)
	}
	parts := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for _, want := range [][2]string{{fmt.Sprintf("bytes 0-3/%d", n), "body"}, {fmt.Sprintf("bytes %d-%d/%d", n-2, n-1, n), whole[n-2:]}} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(p)
		if p.Header.Get("Content-Range") != want[0] || string(text) != want[1] || p.Header.Get("Content-Type") != "text/css; charset=utf-8" {
			t.Errorf("part %v %q", p.Header, text)
		}
	}
}

func TestStaticMethods(t *testing.T) {
	s, _ := staticSite(t, Options{})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		if res, _ := s.do(t, method, "/static/small.txt", nil); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}
