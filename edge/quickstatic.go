package edge

import (
	"net/http"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge/accept"
	"github.com/dayfly-dev/dayfly/edge/traffic"
	"github.com/dayfly-dev/dayfly/internal/http1"
)

// quickFile is the file of the static folder that a GET is for, if the quick way
// can answer with one, and whether its address is that of this content only.
func (s *setup) quickFile(g *http1.Glance) (f *staticFile, lasting bool) {
	if s.static == nil || s.cors != nil || g.URL.Path == ScriptPath {
		return nil, false
	}
	name, below := strings.CutPrefix(g.URL.Path, s.Static.Prefix)
	if !below || len(s.Clicks) > 0 && g.URL.RawQuery != "" {
		return nil, false
	}
	t := s.static.table.Load()
	if f = t.byAddress[name]; f != nil {
		return f, true
	}
	return t.byName[name], false
}

// quickStatic appends the head of the answer with a file to out and returns it
// with the body; false where the usual way would answer something else.
func (x *exchange) quickStatic(f *staticFile, lasting bool, encoding string, out []byte) (head, body []byte, ok bool) {
	s := x.setup
	if s.apex != "" {
		if name, _ := splitHost(x.origin.host); strings.EqualFold(strings.TrimSuffix(name, "."), s.apex) {
			return nil, nil, false
		}
	}
	if !validHost(x.r.Host) {
		return nil, nil, false
	}
	enc := identity
	if f.compressible && encoding != "" {
		enc = f.choose(accept.ParseEncoding([]string{encoding}))
	}
	v := f.variants[enc].Load()
	if len(v.data) >= fromSystem && x.r.TLS == nil && v.system.of(v.data) != nil {
		return nil, nil, false // the usual way sends it without copying
	}
	out = append(out, f.head(v, enc, lasting)...)
	if strict := s.strict(&x.origin); strict != nil {
		out = append(append(append(out, "Strict-Transport-Security: "...), strict[0]...), "\r\n"...)
	}
	out = append(append(append(out, "Date: "...), http1.Date(x.start)...), "\r\n\r\n"...)
	x.kind, x.status, x.bytes, x.first = traffic.Static, http.StatusOK, int64(len(v.data)), time.Since(x.start)
	if enc != identity {
		x.encoding = v.encoding[0]
	}
	return out, v.data, true
}

// head is that of an answer with the whole file in one of its variants, but for
// what belongs to one request or one second.
func (f *staticFile) head(v *variant, enc encoding, lasting bool) []byte {
	kept, cacheControl := &v.heads[0], revalidated[0]
	if lasting {
		kept, cacheControl = &v.heads[1], immutable[0]
	}
	if b := kept.Load(); b != nil {
		return *b
	}
	b := []byte("HTTP/1.1 200 OK\r\n")
	field := func(name, value string) { b = append(b, name+": "+value+"\r\n"...) }
	if f.compressible {
		field("Vary", varyOn[0])
	}
	field("Content-Type", f.contentType[0])
	field("Cache-Control", cacheControl)
	field("X-Content-Type-Options", nosniff[0])
	field("Etag", v.etag[0])
	if enc == identity {
		field("Accept-Ranges", byteRanges[0])
	} else {
		field("Content-Encoding", v.encoding[0])
	}
	field("Content-Length", v.length[0])
	kept.Store(&b)
	return b
}
