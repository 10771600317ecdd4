// Package compress compresses the answers of an http.Handler: gzip, Brotli and
// Zstandard, whichever the client weighs highest in Accept-Encoding; of equals
// the one that costs least for answers made anew each time (zstd, gzip, br).
//
// An answer is compressed if its type is one that shrinks and it is not known
// to be small, in a coding already, part of a representation (206) or marked
// no-transform. An answer of known length is compressed into the same bytes each
// time, so its strong entity tag stays strong: "abc" is "abc-br" outside, and
// is translated back in If-None-Match, If-Match and If-Range. One without a
// length is passed on with each flush, which leaves traces in its bytes: its
// tag is weak outside. Weak tags are left alone.
//
// A stream holds a compressor of 0.5 to 1.1 MiB until it ends; they are used
// again. Nothing else of an answer is held but 32 KiB of what is compressed,
// and of an answer without a length its first bytes, up to Options.MinSize.
package compress

import (
	"fmt"
	"maps"
	"net/http"

	"github.com/dayfly-dev/dayfly/edge/accept"
	"github.com/dayfly-dev/dayfly/edge/prefix"
)

// Options say what is compressed. The zero value compresses text and the like
// from 1 KiB on.
type Options struct {
	// Types are media types: "text/html", "text/*", "*+json". Default
	// DefaultTypes. Event streams are among no pattern and have to be named:
	// each one would hold a compressor as long as it lasts.
	Types []string
	// MinSize is the least length in bytes of what is compressed: 1 to 64 KiB,
	// default 1 KiB. Below, a packet is saved at best.
	MinSize int
	// Off are paths at and below which nothing is compressed: answers that hold
	// both a secret and what someone else could have put into the request, whose
	// length then tells the secret piece by piece (BREACH). Default none.
	Off []string
}

const (
	defaultMinSize = 1 << 10
	maxMinSize     = 64 << 10
)

type handler struct {
	next  http.Handler
	opt   Options
	types types
}

// Check returns what is wrong with the options.
func (o *Options) Check() error {
	_, _, err := o.normalize()
	return err
}

func (o *Options) normalize() (Options, types, error) {
	n := *o
	if n.MinSize == 0 {
		n.MinSize = defaultMinSize
	}
	if n.MinSize < 1 || n.MinSize > maxMinSize {
		return n, types{}, fmt.Errorf("MinSize is %d; it must be between 1 and %d", n.MinSize, maxMinSize)
	}
	if n.Types == nil {
		n.Types = DefaultTypes()
	}
	t, err := parseTypes(n.Types)
	for _, p := range n.Off {
		if err == nil {
			err = prefix.Check(p)
		}
	}
	return n, t, err
}

// New returns a handler that has next answer and compresses that. Everything an
// http.ResponseController does works through it.
func New(next http.Handler, o Options) (http.Handler, error) {
	o, t, err := o.normalize()
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return &handler{next: next, opt: o, types: t}, nil
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if prefix.HasAny(r.URL.Path, h.opt.Off) {
		h.next.ServeHTTP(w, r)
		return
	}
	c := writer{w: w, h: h, r: r, coding: choose(accept.ParseEncoding(r.Header["Accept-Encoding"])), length: -1}
	defer c.release()
	h.next.ServeHTTP(&c, translated(r))
	c.finish() // not after a panic: what broke off must not look whole
}

// preferred is the order among encodings of equal weight, by what a KiB costs
// (doc/edge-answers.md has the measurements).
var preferred = [...]accept.Encoding{accept.Zstd, accept.Gzip, accept.Brotli, accept.Identity}

// choose returns the encoding with the highest weight. If nothing is acceptable
// it is identity: better than no answer.
func choose(a accept.Weights) accept.Encoding {
	best := accept.Identity
	for _, e := range preferred {
		if a[e] > a[best] || a[e] > 0 && a[e] == a[best] && best == accept.Identity {
			best = e
		}
	}
	return best
}

// translated is the request as next is to see it: with its own entity tags.
func translated(r *http.Request) *http.Request {
	var header http.Header
	set := func(name string, values []string) {
		if header == nil {
			header = maps.Clone(r.Header)
		}
		if values == nil {
			delete(header, name)
		} else {
			header[name] = values
		}
	}
	for _, name := range [...]string{"If-None-Match", "If-Match"} {
		if values := r.Header[name]; values != nil {
			if own, changed := inside(values); changed {
				set(name, own)
			}
		}
	}
	if values := r.Header["If-Range"]; len(values) == 1 {
		if tag, coding, ok := parseOutside(values[0]); ok && coding != accept.Identity {
			// The client has a part of what is compressed, and ranges are of the
			// answer as it is: it gets the whole anew.
			set("Range", nil)
			set("If-Range", nil)
		} else if ok && tag != values[0] {
			set("If-Range", []string{tag})
		}
	}
	if header == nil {
		return r
	}
	own := *r
	own.Header = header
	return &own
}
