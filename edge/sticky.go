package edge

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// newTicket names a target in a client's cookie. It tells nothing and cannot be
// guessed; it is good for as long as the target is there.
func newTicket() string { return rand.Text() }

// ticket is what the client's cookie names, "" if nothing.
func (x *exchange) ticket() string {
	name := x.setup.Balance.Sticky
	if name == "" || x.r.Header["Cookie"] == nil {
		return ""
	}
	c, err := x.r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// preferred is the target of a ticket. It notes whether that is still to be the
// client's, also where this one request goes elsewhere. It is called with
// Edge.mu held.
func (e *Edge) preferred(w *want) *target {
	w.keep = false
	if w.ticket == "" {
		return nil
	}
	for _, t := range e.targets {
		if t.ticket == w.ticket {
			if w.keep = t.available() && t != w.avoid; w.keep && !t.full() {
				return t
			}
			return nil
		}
	}
	return nil
}

// stick has the client come back to the target it was answered by, unless it
// belongs to another that is well. An answer that is for everybody carries no
// cookie: a cache would hand it to all.
func (x *exchange) stick(t *target, w *want, answer http.Header) {
	if w.keep || w.ticket == t.ticket || forEverybody(answer["Cache-Control"]) {
		return
	}
	c := http.Cookie{Name: x.setup.Balance.Sticky, Value: t.ticket, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: x.origin.proto == "https"}
	answer.Add("Set-Cookie", c.String())
}

// forEverybody reports whether shared caches may keep an answer by its
// Cache-Control (RFC 9111, section 5.2.2).
func forEverybody(cacheControl []string) bool {
	for _, v := range cacheControl {
		for d := range strings.SplitSeq(v, ",") {
			d, _, _ = strings.Cut(strings.TrimSpace(d), "=")
			if strings.EqualFold(d, "public") || strings.EqualFold(d, "s-maxage") {
				return true
			}
		}
	}
	return false
}
