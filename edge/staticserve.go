package edge

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge/accept"
)

// serve answers a request below the prefix.
func (s *staticFiles) serve(x *exchange) {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.page(http.StatusMethodNotAllowed, pageText{"Not possible here", "A file can only be read."})
		return
	}
	name := strings.TrimPrefix(x.r.URL.Path, s.opt.Prefix)
	t := s.table.Load()
	if f := t.byAddress[name]; f != nil {
		f.serve(x, immutable)
	} else if f := t.byName[name]; f != nil {
		f.serve(x, revalidated)
	} else if f := s.past.get(name); f != nil {
		f.serve(x, immutable)
	} else {
		s.serveArchived(x, name)
	}
}

var (
	immutable   = []string{"public, max-age=31536000, immutable"}
	revalidated = []string{"no-cache"}
	varyOn      = []string{"Accept-Encoding"}
	nosniff     = []string{"nosniff"}
	byteRanges  = []string{"bytes"}
)

// serve answers with the file in the encoding that suits the client best.
func (f *staticFile) serve(x *exchange, cacheControl []string) {
	h := x.Header()
	enc := identity
	if f.compressible {
		h["Vary"] = varyOn
		enc = f.choose(accept.ParseEncoding(x.r.Header["Accept-Encoding"]))
	}
	ranged := rangeAsked(x.r)
	if ranged {
		enc = identity // ranges are of the file as it is
	}
	v := f.variants[enc].Load()
	h["Content-Type"] = f.contentType
	h["Cache-Control"] = cacheControl
	h["X-Content-Type-Options"] = nosniff
	h["Etag"] = v.etag
	if enc == identity {
		h["Accept-Ranges"] = byteRanges
	}
	x.setup.cors.Apply(h, x.r)
	if ranged {
		http.ServeContent(x, x.r, "", time.Time{}, bytes.NewReader(v.data))
		return
	}
	if im := x.r.Header["If-Match"]; im != nil && !f.current(im) {
		delete(h, "Content-Type")
		h["Content-Length"] = []string{"0"}
		x.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	if inm := x.r.Header["If-None-Match"]; inm != nil && matchesETag(inm, v.etag[0]) {
		delete(h, "Content-Type")
		x.WriteHeader(http.StatusNotModified)
		return
	}
	if enc != identity {
		h["Content-Encoding"] = v.encoding
	}
	h["Content-Length"] = v.length
	x.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		v.write(x)
	}
}
