package edge

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/dayfly-dev/dayfly/edge/publish"
	"github.com/dayfly-dev/dayfly/edge/traffic"
)

// A release is one in memory. Its pages are never changed but for compressed
// forms that are added.
type release struct {
	publish.Entry
	list     []publish.Page
	pages    map[string]*publishedPage
	contents map[string]*publishedContent // by hash; releases share them
	warm     atomic.Bool                  // every compressed form that will be is there
	pending  []int                        // of list: to be compressed; the loader's own
	left     atomic.Int32                 // how many those are
}

// publishedContent is a content with its compressed forms.
type publishedContent struct {
	forms [encodings]atomic.Pointer[[]byte] // nil: none
	done  atomic.Bool                       // all that will be are there
}

func (c *publishedContent) plain() []byte { return *c.forms[identity].Load() }

func (c *publishedContent) size() int64 {
	var n int64
	for e := range c.forms {
		if b := c.forms[e].Load(); b != nil {
			n += int64(len(*b))
		}
	}
	return n
}

type publishedPage struct {
	*staticFile
	any    bool
	tag    string
	status int
	header []publishedField
	cache  []string
}

type publishedField struct {
	name  string
	value []string
}

// newRelease puts pages together with their contents, which are all there.
func newRelease(e publish.Entry, list []publish.Page, contents map[string]*publishedContent) *release {
	r := &release{Entry: e, list: list, pages: make(map[string]*publishedPage, len(list)), contents: contents}
	for i := range list {
		p := &list[i]
		page := &publishedPage{any: p.Any, tag: p.Tag(), status: p.Status, cache: revalidated,
			staticFile: &staticFile{name: p.Path, address: p.Path, size: p.Size}}
		if p.Type != "" {
			page.contentType = []string{p.Type}
		}
		page.compressible = p.Size >= minCompress && isCompressible(p.Type)
		page.variants[identity].Store(newVariant(contents[p.Hash].plain(), page.tag, identity))
		for name, value := range p.Header {
			if name == "Cache-Control" {
				page.cache = []string{value}
				continue
			}
			page.header = append(page.header, publishedField{name, []string{value}})
		}
		r.pages[p.Key()] = page
		if page.compressible {
			r.pending = append(r.pending, i)
		}
	}
	r.addForms()
	return r
}

// addForms gives pages the compressed forms that their contents have, up to the
// first whose content is not compressed yet.
func (r *release) addForms() {
	for len(r.pending) > 0 {
		p := &r.list[r.pending[0]]
		page, content := r.pages[p.Key()], r.contents[p.Hash]
		if !content.done.Load() {
			r.left.Store(int32(len(r.pending))) //nolint:gosec // at most publish.MaxPages
			return
		}
		for e := range content.forms {
			if form := content.forms[e].Load(); form != nil && page.variants[e].Load() == nil {
				page.variants[e].Store(newVariant(*form, page.tag, encoding(e)))
			}
		}
		r.pending = r.pending[1:]
	}
	r.left.Store(0)
	r.warm.Store(true)
}

// find returns the page a request is for, nil if the release has none. Of a
// query, what campaigns added does not count.
func (r *release) find(q *http.Request) *publishedPage {
	path := q.URL.Path
	if q.URL.RawPath != "" && strings.Contains(strings.ToLower(q.URL.RawPath), "%2f") || strings.IndexByte(path, '?') >= 0 {
		return nil // a slash or a question mark in a name is another path
	}
	page := r.pages[path]
	if page != nil && (page.any || q.URL.RawQuery == "") || q.URL.RawQuery == "" {
		return page
	}
	if query := withoutCampaign(q.URL.RawQuery); query != "" {
		return r.pages[path+"?"+query]
	}
	return page
}

// withoutCampaign takes utm_* out of a query.
func withoutCampaign(query string) string {
	if !strings.Contains(query, "utm_") {
		return query
	}
	var b strings.Builder
	for part := range strings.SplitSeq(query, "&") {
		if strings.HasPrefix(part, "utm_") {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(part)
	}
	return b.String()
}

// serve answers GET and HEAD.
func (p *publishedPage) serve(x *exchange) {
	x.kind = traffic.Static
	h := x.Header()
	x.origin.tell(h)
	for _, f := range p.header {
		h[f.name] = f.value
	}
	if p.status == http.StatusOK {
		p.staticFile.serve(x, p.cache)
		return
	}
	if p.any && x.r.URL.RawQuery != "" {
		h["Location"] = []string{h["Location"][0] + "?" + x.r.URL.RawQuery}
	}
	v := p.variants[identity].Load()
	h["Cache-Control"] = p.cache
	h["Content-Length"] = v.length
	if p.contentType != nil {
		h["Content-Type"] = p.contentType
	}
	x.WriteHeader(p.status)
	if x.r.Method != http.MethodHead {
		x.Write(v.data)
	}
}
