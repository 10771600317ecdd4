package jsonp

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/edge/prefix"
)

// A script is the http.ResponseWriter of an answer that is to become one. It
// holds the answer until it is whole.
type script struct {
	w        http.ResponseWriter
	r        *http.Request
	rule     *Rule
	callback string
	limit    int64

	decided bool
	held    bool // the answer becomes a script
	tooLong bool
	body    []byte
}

var errTooLong = errors.New("jsonp: answer larger than MaxSize")

// Header implements http.ResponseWriter.
func (s *script) Header() http.Header { return s.w.Header() }

// Unwrap is for http.ResponseController.
func (s *script) Unwrap() http.ResponseWriter { return s.w }

// WriteHeader implements http.ResponseWriter.
func (s *script) WriteHeader(status int) {
	if s.decided || status < 200 {
		if !s.held {
			s.w.WriteHeader(status)
		}
		return
	}
	s.decided = true
	h := s.Header()
	delete(h, "Set-Cookie")
	h.Set("X-Content-Type-Options", "nosniff") // what is no script is not run as one
	if status == http.StatusOK && isJSON(h) {
		s.held = true
		if v := h["Content-Length"]; len(v) == 1 {
			n, err := strconv.ParseInt(v[0], 10, 64)
			s.tooLong = err != nil || n > s.limit
		}
		return
	}
	if status == http.StatusNotModified {
		mark(h)
	}
	if to := h.Get("Location"); to != "" {
		h.Set("Location", s.onwards(to))
	}
	s.w.WriteHeader(status)
}

// isJSON reports whether an answer says that it is JSON in UTF-8.
func isJSON(h http.Header) bool {
	if len(h["Content-Encoding"]) > 0 || len(h["Content-Type"]) != 1 {
		return false
	}
	t, params, _ := strings.Cut(strings.ToLower(h["Content-Type"][0]), ";")
	t = strings.TrimSpace(t)
	if t != "application/json" && !(strings.HasPrefix(t, "application/") && strings.HasSuffix(t, "+json")) {
		return false
	}
	_, charset, given := strings.Cut(params, "charset=")
	charset, _, _ = strings.Cut(charset, ";")
	switch strings.Trim(charset, " \"") {
	case "utf-8", "utf8", "us-ascii":
		return true
	}
	return !given
}

// mark makes the header that of a script.
func mark(h http.Header) {
	for _, name := range [...]string{"Content-Length", "Accept-Ranges", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Content-Disposition"} {
		delete(h, name)
	}
	h["Content-Type"] = []string{"application/javascript; charset=utf-8"}
	h["Cross-Origin-Resource-Policy"] = []string{"cross-origin"} // it is there for pages of other sites
}

// Write implements http.ResponseWriter.
func (s *script) Write(p []byte) (int, error) {
	if !s.decided {
		s.WriteHeader(http.StatusOK)
	}
	switch {
	case !s.held:
		return s.w.Write(p)
	case s.tooLong || int64(len(s.body)+len(p)) > s.limit:
		s.tooLong, s.body = true, nil
		return 0, errTooLong
	}
	s.body = append(s.body, p...)
	return len(p), nil
}

// FlushError is for http.ResponseController. What is held has to be whole.
func (s *script) FlushError() error {
	if !s.decided {
		s.WriteHeader(http.StatusOK)
	}
	if s.held {
		return nil
	}
	return http.NewResponseController(s.w).Flush()
}

// Flush implements http.Flusher.
func (s *script) Flush() { _ = s.FlushError() }

// finish sends what is held.
func (s *script) finish() {
	if !s.held {
		return
	}
	if s.r.Method == http.MethodHead {
		mark(s.Header())
		s.w.WriteHeader(http.StatusOK)
		return
	}
	if s.tooLong {
		refuse(s.w, http.StatusBadGateway, "The answer is too large for a script.\n")
		return
	}
	body, ok := wrap(s.callback, s.body)
	if !ok {
		refuse(s.w, http.StatusBadGateway, "The site's answer is not the JSON that it says it is.\n")
		return
	}
	h := s.Header()
	mark(h)
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	s.w.WriteHeader(http.StatusOK)
	s.w.Write(body)
}

var (
	byteOrderMark = []byte("\xef\xbb\xbf")
	separators    = []byte("\xe2\x80") // of which U+2028 and U+2029 begin
)

// wrap makes JSON a call of the callback. The comment before it keeps the first
// bytes from being of the caller's choice, which other readers than JavaScript
// might take for a format of theirs. U+2028 and U+2029 end lines in JavaScript
// before ECMAScript 2019; in JSON they stand in strings only.
func wrap(callback string, body []byte) ([]byte, bool) {
	body = bytes.TrimPrefix(body, byteOrderMark)
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, false
	}
	out := make([]byte, 0, len(callback)+len(body)+16)
	out = append(append(append(out, "/**/"...), callback...), '(')
	for {
		i := bytes.Index(body, separators)
		if i < 0 || i+2 >= len(body) {
			break
		}
		switch body[i+2] {
		case 0xa8:
			out = append(append(out, body[:i]...), `\u2028`...)
		case 0xa9:
			out = append(append(out, body[:i]...), `\u2029`...)
		default:
			out = append(out, body[:i+3]...)
		}
		body = body[i+3:]
	}
	return append(append(out, body...), ");"...), true
}

// onwards is where a redirect leads, with the callback if that is for here: a
// script that is redirected still has to be one.
func (s *script) onwards(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Opaque != "" || u.Host != "" && u.Host != s.r.Host {
		return to
	}
	base := url.URL{Path: s.r.URL.Path}
	if !prefix.Has(base.ResolveReference(u).Path, s.rule.Path) {
		return to
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += s.rule.Parameter + "=" + url.QueryEscape(s.callback)
	return u.String()
}
