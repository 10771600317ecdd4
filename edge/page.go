package edge

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"strconv"
	"strings"
)

// pageText is what a person reads when there is no answer of the application.
type pageText struct{ title, text string }

var (
	pageBusy = pageText{"Back in a moment",
		"The site is starting again and could not take your request. Nothing of it was processed: please try again in a few seconds, and send a form again if you were sending one."}
	pageCrowded = pageText{"Too many at once",
		"More requests came than the site can answer, and yours had to be turned away. Nothing of it was processed: please try again in a few seconds, and send a form again if you were sending one."}
	pageUndelivered = pageText{"Not delivered",
		"Your request could not be delivered to the site. Nothing of it was processed: please try again, and send a form again if you were sending one."}
	pageUnsure = pageText{"No answer",
		"The site took your request and went away before it answered. It may have been processed: if you were sending a form, please look whether it arrived before you send it again."}
	pageSlow = pageText{"No answer in time",
		"The site took your request and did not answer in time. It may have been processed: if you were sending a form, please look whether it arrived before you send it again."}
	pageRepeatable = pageText{"No answer",
		"The site did not answer your request. Please try again."}
	pageGarbled = pageText{"No proper answer",
		"The site's answer could not be understood. If you were sending a form, please look whether it arrived before you send it again."}
	pageTooLarge = pageText{"Too large",
		"What you sent is larger than this site takes. Nothing of it was processed."}
	pageBroken = pageText{"Incomplete",
		"Your request did not arrive whole. Nothing of it was processed: please send it again."}
	pageLimited = pageText{"Too many requests",
		"More requests came from you in a short time than this site takes. Nothing of this one was processed: please try again a little later, and send a form again if you were sending one."}
	pageMaintenance = pageText{"Back soon",
		"We are working on the site. Nothing of your request was processed: please try again later, and send a form again if you were sending one."}
	pageMissing = pageText{"Not found", "There is nothing at this address."}
)

// processed says whether the application may have acted on the request, where
// the page tells: "no" or "unknown".
func (p pageText) processed() string {
	switch p {
	case pageUnsure, pageSlow, pageGarbled:
		return "unknown"
	case pageBusy, pageCrowded, pageUndelivered, pageTooLarge, pageBroken, pageLimited:
		return "no"
	}
	if p.title == pageMaintenance.title {
		return "no"
	}
	return ""
}

// page answers with a page: HTML for who asks for it, a problem as JSON
// (RFC 9457) for who asks for that, else text.
func (x *exchange) page(status int, p pageText) {
	h := x.out.Header()
	clear(h)
	x.paged(h)
	x.origin.tell(h)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusMethodNotAllowed {
		h.Set("Allow", "GET, HEAD")
	}
	if x.retryAfter == 0 && status == http.StatusServiceUnavailable {
		x.retryAfter = 5
	}
	if x.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(x.retryAfter, 10))
	}
	if n := x.r.ContentLength; (n < 0 || n > bufferedBody || status == http.StatusRequestTimeout) && x.r.ProtoMajor == 1 {
		h.Set("Connection", "close") // what is left of the body is not read
	}
	body := x.pageBody(h, status, p)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.out.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		x.out.Write([]byte(body))
	}
}

func (x *exchange) pageBody(h http.Header, status int, p pageText) string {
	switch accept := strings.Join(x.r.Header["Accept"], ","); {
	case strings.Contains(accept, "text/html"):
		h.Set("Content-Type", "text/html; charset=utf-8")
		if t := x.setup.pages.of(status, p); t != nil {
			var b bytes.Buffer
			err := t.Execute(&b, PageData{Title: p.title, Text: p.text, Status: status, RequestID: x.origin.id, RetryAfter: x.retryAfter, Processed: p.processed()})
			if err == nil {
				return b.String()
			}
			x.e.log.Error("page not made", "page", t.Name(), "error", err)
		}
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		return pageHTML(p, x.origin.id)
	case strings.Contains(accept, "application/json") || strings.Contains(accept, "application/problem+json"):
		h.Set("Content-Type", "application/problem+json")
		return problemJSON(status, p, x.origin.id)
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	return p.title + ". " + p.text + "\n"
}

// problemJSON is a problem (RFC 9457) of no type of its own; "processed" tells
// a program whether it may send the request again.
func problemJSON(status int, p pageText, id string) string {
	b, _ := json.Marshal(struct { // of strings and a number: it cannot fail
		Type      string `json:"type"`
		Title     string `json:"title"`
		Status    int    `json:"status"`
		Detail    string `json:"detail"`
		RequestID string `json:"request_id"`
		Processed string `json:"processed,omitempty"`
	}{"about:blank", p.title, status, p.text, id, p.processed()})
	return string(b) + "\n"
}

func pageHTML(p pageText, id string) string {
	return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>` + html.EscapeString(p.title) + `</title>
<style>
:root { color-scheme: light dark }
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem; overflow-wrap: anywhere; text-wrap: pretty }
h1 { font-size: 1.6rem; font-weight: 600 }
small { opacity: .7 }
</style>
<h1>` + html.EscapeString(p.title) + `</h1>
<p>` + html.EscapeString(p.text) + `</p>
<p><small>Request id: ` + html.EscapeString(id) + `</small></p>
</html>
`
}
