package http1

import (
	"iter"
	"net/url"
	"strings"
	"time"
)

// glanced is how many fields a request may have to be glanced at. Browsers send
// about fifteen.
const glanced = 40

// A Glance is the head of a plain GET without a body, before anything is made of
// it. Its strings may be kept; the URL and the Glance itself are of use until
// Server.Quick returns.
type Glance struct {
	Target string   // path and query, as they were sent
	URL    *url.URL // the same, parsed
	Host   string
	Remote string // address and port of the peer
	TLS    bool   // the connection has it
	fields [glanced]struct{ name, value string }
	n      int
}

// An Answerer appends the whole head of an answer to out and returns that with
// the body, which is sent as it is; or false, and has done nothing then. It must
// not wait.
type Answerer func(g *Glance, out []byte) (head, body []byte, ok bool)

// Fields goes through the fields but Host, in their order, by their canonical
// names.
func (g *Glance) Fields() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for i := range g.fields[:g.n] {
			if f := &g.fields[i]; !yield(f.name, f.value) {
				return
			}
		}
	}
}

// quickly has Server.Quick answer the request whose head of n bytes was read,
// before it is parsed; false if it does not, and nothing has happened then.
func (c *conn) quickly(n int) bool {
	if c.s.Quick == nil || c.s.stopping.Load() {
		return false
	}
	answer := c.s.Quick()
	if answer == nil || !c.glance(c.buf[c.r:c.r+n]) {
		return false
	}
	c.reply.begin(false)
	w := &c.reply
	out, body, ok := answer(&c.desk.glimpse, w.out)
	if !ok {
		return false
	}
	c.r += n
	c.served, c.blanks = true, blanksAfter
	now := time.Now()
	if w.out = out; len(body) < uncopied {
		w.out = append(w.out, body...)
		w.send(now, w.out)
	} else {
		w.vector[0], w.vector[1] = w.out, body
		w.sendVector(now)
	}
	return true
}

// glance reads the head of a GET as parse does, and reports whether parse would
// take it and Quick may be asked.
func (c *conn) glance(b []byte) bool {
	const get = "GET "
	if string(b[:min(len(b), len(get))]) != get {
		return false
	}
	g := &c.desk.glimpse
	text := string(b) // every string of it is a part of this one
	line, rest, _ := strings.Cut(text, lineEnd)
	target, ok := strings.CutSuffix(line[len(get):], requestEnd)
	if !ok || !c.head.parseTarget(target) {
		return false
	}
	g.Target, g.URL, g.Host, g.Remote, g.TLS, g.n = target, &c.head.url, "", c.remote, c.secure != nil, 0
	for rest != lineEnd {
		line, rest, _ = strings.Cut(rest, lineEnd)
		if !g.field(line) {
			return false
		}
	}
	return g.Host != ""
}

func (g *Glance) field(line string) bool {
	key, value, ok := splitField(line)
	if !ok {
		return false
	}
	switch key {
	case "Host":
		if g.Host != "" || !plainHost(value) {
			return false
		}
		g.Host = value
		return true
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
	case "Content-Length", "Transfer-Encoding", "Trailer", "Te", "Upgrade", "Expect", "Proxy-Connection", "Keep-Alive", "Http2-Settings":
		return false
	}
	if g.n == len(g.fields) {
		return false
	}
	g.fields[g.n].name, g.fields[g.n].value = key, value
	g.n++
	return true
}

// Date is a time as the head of an answer says it.
func Date(t time.Time) string { return date(t) }
