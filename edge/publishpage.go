package edge

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge/publish"
)

//go:embed publishpage.html
var previewHTML string

var previewTemplate = template.Must(template.New("preview").Parse(previewHTML))

// mostListed is how many paths of each kind the page has.
const mostListed = 500

type previewData struct {
	Release, Live  string
	At, Until      string
	By, From, Note string
	IsLive         bool
	Pages          int
	Lists          []previewList
	Same           bool // as what is live
	Begin, Leave   string
}

type previewList struct {
	Title string
	Total int
	Links []previewLink
	Gone  bool // there is nothing to open
	More  int
}

type previewLink struct{ Text, URL string }

// previewPage shows what a release changes, with a way to each of its pages and
// out.
func (p *publisher) previewPage(x *exchange) {
	n := p.now.Load()
	id, until, ok := readPreviewCookie(n.state, previewCookieOf(x.r))
	if !ok {
		x.page(http.StatusForbidden, pageNoPreview)
		return
	}
	r := p.previewed(x, id)
	if r == nil {
		return
	}
	x.release = id
	d := previewData{Release: id, Live: nameOf(n.live), At: r.At.UTC().Format("2006-01-02 15:04 UTC"), By: r.By, From: r.From, Note: r.Note, Pages: len(r.list),
		Until: until.UTC().Format("2006-01-02 15:04 UTC") + ", in " + daysAndHours(time.Until(until)), IsLive: nameOf(n.live) == id,
		Begin: firstPage(r), Leave: PreviewPath + "/leave"}
	diff := publish.Compare(listOf(n.live), r.list)
	d.Same = diff.Same()
	d.Lists = []previewList{listed("Added", diff.Added, false), listed("Changed", diff.Changed, false), listed("Removed", diff.Removed, true)}
	var b bytes.Buffer
	if err := previewTemplate.Execute(&b, d); err != nil {
		p.e.log.Error("page not made", "page", "preview", "error", err)
		x.page(http.StatusInternalServerError, pageText{"No page", "This page could not be made."})
		return
	}
	h := x.Header()
	x.origin.tell(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	x.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		x.Write(b.Bytes())
	}
}

// firstPage is where to begin: the front page, or else the first there is.
func firstPage(r *release) string {
	if r.pages["/"] != nil || len(r.list) == 0 {
		return "/"
	}
	return publishedTarget(r.list[0].Key())
}

func listed(title string, keys []string, gone bool) previewList {
	l := previewList{Title: title, Total: len(keys), Gone: gone}
	for _, key := range keys {
		if len(l.Links) == mostListed {
			l.More = len(keys) - mostListed
			break
		}
		l.Links = append(l.Links, previewLink{key, publishedTarget(key)})
	}
	return l
}

// PublishedTarget is the key of a publish.Page as a request has it, escaped.
func PublishedTarget(key string) string { return publishedTarget(key) }

func publishedTarget(key string) string {
	path, query, with := strings.Cut(key, "?")
	target := (&url.URL{Path: path}).EscapedPath()
	if with {
		target += "?" + query
	}
	return target
}
