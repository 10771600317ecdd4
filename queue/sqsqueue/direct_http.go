package sqsqueue

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
)

const (
	// maxReply is the longest reply that is read, bytes: ten messages of 1 MiB,
	// their characters escaped.
	maxReply = 64 << 20
	// firstRead is how much of a reply is read at first, bytes.
	firstRead = 8 << 10
	// atOnce is the least by which a buffer grows, bytes; and it at most doubles,
	// however long the reply says it is.
	atOnce = 64 << 10
)

// readReply reads a reply and returns its body, which is valid until the next;
// false unless it is a 200.
func (c *conn) readReply() ([]byte, bool) {
	in := slices.Grow(c.in[:0], firstRead)
	end := -1
	for end < 0 && len(in) < firstRead {
		n, err := c.Read(in[len(in):cap(in)])
		if err != nil {
			return nil, false
		}
		from := max(0, len(in)-3)
		in = in[:len(in)+n]
		if i := bytes.Index(in[from:], []byte("\r\n\r\n")); i >= 0 {
			end = from + i + 4
		}
	}
	c.in = in
	if end < 0 {
		return c.readUnusual(in)
	}
	length, entries, ok := plainHead(in[:end])
	c.entries = int32(entries)
	if !ok {
		return c.readUnusual(in)
	}
	for end+length > len(in) {
		if len(in) == cap(in) {
			in = slices.Grow(in, min(end+length-len(in), max(len(in), atOnce)))
		}
		n, err := c.Read(in[len(in):min(cap(in), end+length)])
		if err != nil {
			return nil, false
		}
		in = in[:len(in)+n]
	}
	c.in = in
	c.whole = len(in) == end+length // else there is more than was asked for
	return in[end : end+length], true
}

// readUnusual has net/http read the reply of which the first bytes are given.
func (c *conn) readUnusual(in []byte) ([]byte, bool) {
	begun := bytes.NewReader(bytes.Clone(in))
	r := bufio.NewReader(io.MultiReader(begun, c.Conn))
	reply, err := http.ReadResponse(r, nil) //nolint:bodyclose // which would read all of one that is too long
	if err != nil {
		return nil, false
	}
	b := bytes.NewBuffer(c.in[:0])
	if n, err := b.ReadFrom(io.LimitReader(reply.Body, maxReply+1)); err != nil || n > maxReply {
		return nil, false
	}
	c.in = b.Bytes()
	c.whole = !reply.Close && r.Buffered() == 0 && begun.Len() == 0
	return c.in, reply.StatusCode == http.StatusOK
}

// plainHead reads the head of a reply, its blank line included, and returns the
// length of the body, and how many entries a request may have if it says so;
// false where the head is not one of status 200 that says the length, or has what
// only net/http understands.
func plainHead(head []byte) (length, entries int, ok bool) {
	const ok200 = "HTTP/1.1 200 OK\r\n"
	if !bytes.HasPrefix(head, []byte(ok200)) {
		return 0, 0, false
	}
	length = -1
	for rest := head[len(ok200):]; len(rest) > 2; {
		line, after, _ := bytes.Cut(rest, []byte("\r\n"))
		rest = after
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !plainField(name, value) {
			return 0, 0, false
		}
		switch {
		case is(name, "Content-Length"):
			if length >= 0 {
				return 0, 0, false
			}
			if length, ok = bodyLength(bytes.Trim(value, " \t")); !ok {
				return 0, 0, false
			}
		case is(name, entriesHeader):
			n, _ := bodyLength(bytes.Trim(value, " \t")) // 0 if it is none
			entries = min(n, largeBatch)
		case is(name, "Connection"), is(name, "Transfer-Encoding"), is(name, "Trailer"):
			return 0, 0, false
		}
	}
	return length, entries, length >= 0
}

func is(name []byte, what string) bool {
	return len(name) == len(what) && strings.EqualFold(string(name), what)
}

// plainField reports whether a header line has only what such lines usually
// have: a name of letters, digits and -, a value of printable ASCII.
func plainField(name, value []byte) bool {
	for _, c := range name {
		if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	for _, c := range value {
		if c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return len(name) > 0
}

// bodyLength reads a length, of at most maxReply.
func bodyLength(digits []byte) (n int, ok bool) {
	if len(digits) == 0 || len(digits) > 8 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= maxReply
}
