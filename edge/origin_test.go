package edge

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/forwarded"
)

var balancers = forwarded.Of(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"))

func TestOrigin(t *testing.T) {
	h := func(kv ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			h.Add(kv[i], kv[i+1])
		}
		return h
	}
	for _, tc := range []struct {
		name   string
		peer   string
		tls    bool
		header http.Header
		want   string // client | chain | proto | host | port
	}{
		{"plain", "192.0.2.1:5", false, h(), "192.0.2.1|192.0.2.1|http|site:81|81"},
		{"tls", "192.0.2.1:5", true, h(), "192.0.2.1|192.0.2.1|https|site:81|81"},
		{"stranger claims", "192.0.2.1:5", false, h("X-Forwarded-For", "1.1.1.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil", "Forwarded", "for=1.1.1.1"),
			"192.0.2.1|192.0.2.1|http|site:81|81"},
		{"balancer", "10.1.1.1:5", false, h("X-Forwarded-For", "192.0.2.7", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "www.site", "X-Forwarded-Port", "443"),
			"192.0.2.7|192.0.2.7, 10.1.1.1|https|www.site|443"},
		{"client claims through balancer", "10.1.1.1:5", false, h("X-Forwarded-For", "1.1.1.1, 192.0.2.7"), "192.0.2.7|192.0.2.7, 10.1.1.1|http|site:81|81"},
		{"two balancers", "10.1.1.1:5", false, h("X-Forwarded-For", "1.1.1.1, 192.0.2.7", "X-Forwarded-For", "10.2.2.2"), "192.0.2.7|192.0.2.7, 10.2.2.2, 10.1.1.1|http|site:81|81"},
		{"all trusted", "10.1.1.1:5", false, h("X-Forwarded-For", "10.3.3.3, 10.2.2.2"), "10.3.3.3|10.3.3.3, 10.2.2.2, 10.1.1.1|http|site:81|81"},
		{"malformed hop", "10.1.1.1:5", false, h("X-Forwarded-For", "192.0.2.7, what, 10.2.2.2"), "10.2.2.2|10.2.2.2, 10.1.1.1|http|site:81|81"},
		{"empty", "10.1.1.1:5", false, h("X-Forwarded-For", ""), "10.1.1.1|10.1.1.1|http|site:81|81"},
		{"v6 balancer", "[fd00::1]:5", false, h("X-Forwarded-For", "[2001:db8::9]:99"), "2001:db8::9|2001:db8::9, fd00::1|http|site:81|81"},
		{"mapped v4 balancer", "[::ffff:10.1.1.1]:5", false, h("X-Forwarded-For", "192.0.2.7"), "192.0.2.7|192.0.2.7, ::ffff:10.1.1.1|http|site:81|81"},
		{"Forwarded", "10.1.1.1:5", false, h("Forwarded", `for=1.1.1.1;proto=http, FOR="[2001:db8::9]:99"; Proto=https;host="www.site:8443"`), "2001:db8::9|2001:db8::9, 10.1.1.1|https|www.site:8443|8443"},
		{"X-Forwarded before Forwarded", "10.1.1.1:5", false, h("Forwarded", "for=1.1.1.1;proto=https", "X-Forwarded-For", "192.0.2.7"), "192.0.2.7|192.0.2.7, 10.1.1.1|http|site:81|81"},
		{"nonsense", "10.1.1.1:5", false, h("X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "a b", "X-Forwarded-Port", "x"), "10.1.1.1|10.1.1.1|http|site:81|81"},
		{"list of schemes", "10.1.1.1:5", false, h("X-Forwarded-Proto", "http, HTTPS"), "10.1.1.1|10.1.1.1|https|site:81|81"},
		{"peer without address", "@", false, h("X-Forwarded-For", "1.1.1.1"), "||http|site:81|81"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.peer, Host: "site:81", Header: tc.header}
			if tc.tls {
				r.TLS = &tls.ConnectionState{}
			}
			var o origin
			o.learn(r, balancers)
			if got := strings.Join([]string{o.client, o.chain, o.proto, o.host, o.port}, "|"); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	for _, tc := range []struct {
		peer, id string
		kept     bool
	}{
		{"10.1.1.1:5", "0190f5f2-6e1f-7d3a-9c53-6d9b6c1b8a10", true}, {"10.1.1.1:5", "Root=1-67891233-abcdef012345678912345678", true},
		{"192.0.2.1:5", "0190f5f2-6e1f-7d3a-9c53-6d9b6c1b8a10", false}, {"10.1.1.1:5", "short", false}, {"10.1.1.1:5", "", false},
		{"10.1.1.1:5", "quote\"quote\"", false}, {"10.1.1.1:5", strings.Repeat("a", 129), false}, {"10.1.1.1:5", "line\nline\nline", false},
	} {
		var o origin
		o.learn(&http.Request{RemoteAddr: tc.peer, Header: http.Header{"X-Request-Id": {tc.id}}}, balancers)
		if (o.id == tc.id) != tc.kept || !validRequestID(o.id) {
			t.Errorf("%q from %s became %q", tc.id, tc.peer, o.id)
		}
	}
}

// What an application sees of a stranger who sends every header there is.
func TestStrangersHeadersAreStripped(t *testing.T) {
	s := newSite(t, Options{})
	seen := make(chan http.Header, 1)
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) { seen <- r.Header })
	s.get(t, "/", "Host", "shop.example", "X-Forwarded-For", "1.1.1.1", "X_Forwarded_For", "1.1.1.1", "X-Forwarded-Proto", "https", "x_forwarded-proto", "https",
		"X-Forwarded-Ssl", "on", "X-Forwarded-Prefix", "/x", "Forwarded", "for=1.1.1.1", "X-Real-Ip", "1.1.1.1", "X-Request-Id", "chosen-by-client", "Proxy", "evil",
		"Connection", "X-Drop, close", "X-Drop", "1", "X-Keep", "1", "Te", "trailers, gzip", "Keep-Alive", "1", "Proxy-Authorization", "secret", "Accept-Encoding", "identity", "User-Agent", "test")
	got := <-seen
	if id := got.Get("X-Request-Id"); len(id) != 32 {
		t.Errorf("request id %q", id)
	}
	got.Del("X-Request-Id")
	want := http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"shop.example"}, "X-Forwarded-Port": {"80"},
		"Forwarded": {`for=127.0.0.1;host="shop.example";proto=http`}, "X-Keep": {"1"}, "Te": {"trailers"}, "User-Agent": {"test"}, "Accept-Encoding": {"identity"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestForwardedIsWritten(t *testing.T) {
	for _, tc := range []struct {
		o    origin
		want string
	}{
		{origin{chain: "192.0.2.1", proto: "https", host: "a:1"}, `for=192.0.2.1;host="a:1";proto=https`},
		{origin{chain: "2001:db8::1, 10.0.0.1", proto: "http"}, `for="[2001:db8::1]";proto=http, for=10.0.0.1`},
		{origin{proto: "http", host: "a"}, `for=unknown;host="a";proto=http`},
	} {
		got := string(tc.o.appendForwarded(nil))
		if got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	for _, s := range []string{`for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8::1]:80"`, `host="a\"b";;,`, "1.1.1.1, 2.2.2.2:80,[::1]", `for="\`, ",,,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Host: "site", Header: http.Header{"Forwarded": {s}, "X-Forwarded-For": {s}, "X-Forwarded-Host": {s}, "X-Forwarded-Proto": {s}, "X-Forwarded-Port": {s}}}
		for _, drop := range []string{"", "X-Forwarded-For"} {
			r.Header.Del(drop)
			var o origin
			o.learn(r, balancers)
			head := string(o.appendHeaders(nil))
			if strings.Count(head, "\n") != 6 || strings.Count(head, "\r\n") != 6 || !validHost(o.host) {
				t.Errorf("headers %q", head)
			}
			for line := range strings.SplitSeq(head, "\r\n") {
				if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
					t.Errorf("line %q", line)
				}
			}
		}
	})
}

func TestApexRedirect(t *testing.T) {
	s := newSite(t, Options{Host: "www.shop.example", Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	s.add(t, "web.1", func(http.ResponseWriter, *http.Request) {})
	for _, tc := range []struct {
		method, host, path string
		header             []string
		status             int
		location           string
	}{
		{"GET", "shop.example", "/a%2fb?c=d", nil, 301, "http://www.shop.example/a%2fb?c=d"},
		{"GET", "SHOP.example.:8080", "/", nil, 301, "http://www.shop.example:8080/"},
		{"GET", "shop.example:", "/", nil, 301, "http://www.shop.example/"},
		{"GET", "shop.example:8443", "/", []string{"X-Forwarded-Proto", "HTTPS", "X-Forwarded-Port", "443"}, 301, "https://www.shop.example:8443/"},
		{"GET", "WWW.Shop.Example.:80", "/", nil, 200, ""},
		{"POST", "shop.example", "/form", nil, 308, "http://www.shop.example/form"},
		{"GET", "shop.example", "//evil.example/", nil, 301, "http://www.shop.example//evil.example/"},
		{"GET", "shop.example", "/", []string{"X-Forwarded-Proto", "https"}, 301, "https://www.shop.example/"},
		{"GET", "internal", "/", []string{"X-Forwarded-Host", "shop.example"}, 301, "http://www.shop.example/"},
		{"GET", "shop.example", "/", []string{"X-Forwarded-Host", "www.shop.example"}, 200, ""}, // or it would loop
		{"GET", "www.shop.example", "/", nil, 200, ""},
		{"GET", "other.example", "/", nil, 200, ""},
		{"GET", "notshop.example", "/", nil, 200, ""},
	} {
		res, _ := s.do(t, tc.method, tc.path, nil, append(tc.header, "Host", tc.host)...)
		if res.StatusCode != tc.status || res.Header.Get("Location") != tc.location {
			t.Errorf("%s %s%s: %d %q", tc.method, tc.host, tc.path, res.StatusCode, res.Header.Get("Location"))
		}
	}
	for host, want := range map[string]string{"": "", "localhost": "", "shop.example": "", "www.shop.example": "shop.example", "a.b.shop.example": "b.shop.example"} {
		if got := apexOf(host); got != want {
			t.Errorf("apex of %q: %q", host, got)
		}
	}
}

func TestHosts(t *testing.T) {
	for _, h := range []string{"a", "a:1", "127.0.0.1:8080", "[::1]", "[::1]:80", "my_app.test", "a:"} {
		if !validHost(h) {
			t.Errorf("%q was refused", h)
		}
	}
	for _, h := range []string{"", ":80", "a b", "a/b", "a\r\nb", "a:b", "a:123456", "[::1", "::1", "a@b", "[]", "[x]", "é", strings.Repeat("a", 256), `a\b`, "a,b", `a"`} {
		if validHost(h) {
			t.Errorf("%q was accepted", h)
		}
	}
}
