package respcache

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"time"
)

// confirm takes a 304 for what is stored: its header replaces fields of the
// stored one (RFC 9111, section 4.3.4).
func (x *fill) confirm(old *object) {
	x.mode = dropping
	f, now := x.f, time.Now()
	was := old.meta.Load()
	state := ready
	if etag := first(x.header["Etag"]); etag != "" && was.etag != "" && strings.TrimPrefix(etag, "W/") != strings.TrimPrefix(was.etag, "W/") {
		// It confirms something else: what is stored is neither this nor current.
		x.h.remove(old)
		state = apart
	} else {
		m, stays := x.h.updated(old, was, x.header, f.started, now)
		f.mu.Lock()
		f.o, f.m = old, m
		f.mu.Unlock()
		if !stays {
			x.h.remove(old)
			state = apart
		} else {
			x.h.replace(old, m, f)
		}
	}
	f.end()
	f.become(state)
}

// updated is the meta after a 304; false if what is stored may not stay. What
// describes the body that is stored is not replaced.
func (c *Cache) updated(o *object, was *meta, news http.Header, asked, now time.Time) (*meta, bool) {
	merged := was.header.Clone()
	delete(merged, "Age")
	for name, values := range news {
		switch name {
		case "Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Content-Md5", "Set-Cookie", "Etag":
			continue
		}
		if c.keeps(name) || name == "Age" {
			merged[name] = values
		}
	}
	if news["Date"] == nil {
		merged["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	}
	// Whose request was confirmed does not matter: the body was stored before.
	p := c.options().judge(nil, was.status, merged)
	m, ok := c.newMeta(was.status, merged, p, asked, now)
	if !ok {
		return was, false
	}
	names, ok := varyNames(m.header["Vary"])
	return m, ok && p.anybody && len(names) == len(o.vary) && strings.Join(names, ",") == strings.Join(o.vary, ",")
}

// answerConfirmed answers with what the 304 was for; if it was for nothing
// that is stored, the application is asked once more.
func (x *fill) answerConfirmed() {
	f := x.f
	if f.o != nil {
		if body, ok := x.h.bodyOf(f.o); ok {
			x.h.tell(x.r, Revalidated)
			x.h.serve(x.client, x.r, f.o, f.m, body, x.why+"; fwd-status=304", time.Now())
			return
		}
	}
	again, _ := x.h.board(f.s, f.key, f.hash, x.r, nil, true)
	x.h.fly(x.client, x.r, again, x.why)
}

// bodyOf is content, also of an object that was just taken out.
func (c *Cache) bodyOf(o *object) ([]byte, bool) {
	if b := o.body.Load(); b != nil {
		return *b, true
	}
	if o.gone.Load() {
		return nil, false
	}
	return c.content(o)
}

// freshen takes the answer to HEAD for what is stored: it updates what is the
// same and removes what is not (RFC 9111, section 4.3.5).
func (c *Cache) freshen(o *object, h http.Header, asked time.Time) {
	was := o.meta.Load()
	same := func(name string) bool { return h[name] == nil || first(h[name]) == first(was.header[name]) }
	if !same("Etag") || !same("Last-Modified") || h["Content-Length"] != nil && parseLength(h["Content-Length"][0]) != o.length {
		c.remove(o)
		return
	}
	if h["Etag"] == nil && h["Last-Modified"] == nil {
		return // nothing says that it is the same
	}
	m, ok := c.updated(o, was, maps.Clone(h), asked, time.Now())
	if !ok {
		c.remove(o)
		return
	}
	c.replace(o, m, nil)
}

func afterDone(ctx context.Context, do func()) func() bool { return context.AfterFunc(ctx, do) }
