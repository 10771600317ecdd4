package push

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxText  = 2 << 10 // of an answer's body that is kept
	maxAfter = 15 * time.Minute
)

// answer of an endpoint to one push.
type answer struct {
	status  int
	failure error         // nil: the task is done
	after   time.Duration // when to come again, 1 s–15 min; 0: it did not say
	notDone bool          // it said that nothing of the task was done
}

// AnswerError is the failure of a task whose endpoint did not answer 2xx.
type AnswerError struct {
	Endpoint string // without its query
	Status   int
	Location string // of a redirect, without user and query; else ""
	Text     string // the start of the answer's body, at most 2 KiB
}

// Error is what a dead letter says.
func (e *AnswerError) Error() string {
	text := fmt.Sprintf("push: %s answered %d %s", e.Endpoint, e.Status, http.StatusText(e.Status))
	if e.Status >= 300 && e.Status <= 399 {
		text += fmt.Sprintf(" to %s: redirects are not followed; a push endpoint answers itself", e.Location)
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// read takes what is wanted of an answer and closes it. The head decides: an
// answer that breaks off in its body is the answer all the same.
func (p *Pusher) read(res *http.Response) answer {
	defer res.Body.Close()
	a := answer{status: res.StatusCode}
	// More than is kept, so that a token at the end is there whole.
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxText+int64(len(p.o.Token)))) // what there is will do
	if a.status >= 200 && a.status <= 299 {
		return a
	}
	e := &AnswerError{Endpoint: place(p.to), Status: a.status, Text: p.clean(string(text))}
	if a.status >= 300 && a.status <= 399 {
		e.Location = p.clean(location(res.Header.Get("Location")))
	}
	a.failure = e
	a.notDone = strings.EqualFold(strings.TrimSpace(res.Header.Get(NotDone)), "true")
	if a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
		a.after = retryAfter(res.Header.Get("Retry-After"), time.Now())
	}
	return a
}

// clean is a text of an endpoint as logs and dead letters have it: without the
// token, on one line, at most maxText bytes.
func (p *Pusher) clean(text string) string {
	if p.o.Token != "" {
		text = strings.ReplaceAll(text, p.o.Token, "[token]")
	}
	text = text[:min(len(text), maxText)]
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
}

// location is where a redirect goes, without what may be secret in it.
func location(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "nowhere"
	case err != nil:
		return "an address that is none"
	}
	return place(u)
}

// retryAfter reads a Retry-After header, a number of seconds or an HTTP date
// (RFC 9110, section 10.2.3), and cuts it to 1 s–15 min; 0 if it is neither.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0
	}
	var d time.Duration
	if strings.Trim(text, "0123456789") == "" {
		d = maxAfter
		if n, err := strconv.Atoi(text); err == nil && n < int(maxAfter/time.Second) {
			d = time.Duration(n) * time.Second
		}
	} else if t, err := http.ParseTime(text); err == nil {
		d = t.Sub(now)
	} else {
		return 0
	}
	return min(max(d, time.Second), maxAfter)
}
