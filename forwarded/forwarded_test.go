package forwarded

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func header(kv ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(kv); i += 2 {
		h.Add(kv[i], kv[i+1])
	}
	return h
}

func TestRead(t *testing.T) {
	aws, err := ParseNetworks([]string{"private", "cloudfront"}, list(t))
	if err != nil {
		t.Fatal(err)
	}
	const alb, cloudFront, stranger = "10.1.1.1:5", "130.176.1.1:5", "192.0.2.1:5"
	for _, tt := range []struct {
		name   string
		peer   string
		tls    bool
		header http.Header
		want   string // address chain proto host port trusted told
	}{
		{"plain", stranger, false, header(), "192.0.2.1 [192.0.2.1] http site:81 81 false false"},
		{"TLS", stranger, true, header("X-Forwarded-Proto", "http"), "192.0.2.1 [192.0.2.1] https site:81 81 false false"},
		{"a stranger's claims", stranger, false, header("X-Forwarded-For", "1.1.1.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil", "X-Forwarded-Port", "1",
			"Forwarded", "for=1.1.1.1;proto=https;host=evil", "CloudFront-Forwarded-Proto", "https"), "192.0.2.1 [192.0.2.1] http site:81 81 false false"},
		{"a balancer", alb, false, header("X-Forwarded-For", "192.0.2.7", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "443"), "192.0.2.7 [192.0.2.7, 10.1.1.1] https site:81 443 true true"},
		{"a balancer that says nothing", alb, false, header(), "10.1.1.1 [10.1.1.1] http site:81 81 true false"},
		{"claims through a balancer", alb, false, header("X-Forwarded-For", "10.9.9.9, 192.0.2.7"), "192.0.2.7 [192.0.2.7, 10.1.1.1] http site:81 81 true false"},
		{"several headers", alb, false, header("X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "192.0.2.7", "X-Forwarded-Proto", "http", "X-Forwarded-Proto", "https"),
			"192.0.2.7 [192.0.2.7, 10.1.1.1] https site:81 81 true true"},
		{"CloudFront and a balancer", alb, false, header("X-Forwarded-For", "192.0.2.7, 130.176.1.1", "X-Forwarded-Proto", "http", "CloudFront-Forwarded-Proto", "https"),
			"192.0.2.7 [192.0.2.7, 130.176.1.1, 10.1.1.1] https site:81 81 true true"},
		{"CloudFront's header past CloudFront", alb, false, header("X-Forwarded-For", "130.176.1.1, 192.0.2.7", "X-Forwarded-Proto", "http", "CloudFront-Forwarded-Proto", "https"),
			"192.0.2.7 [192.0.2.7, 10.1.1.1] http site:81 81 true true"},
		{"CloudFront alone", cloudFront, true, header("X-Forwarded-For", "2001:db8::9", "CloudFront-Forwarded-Proto", "http"), "2001:db8::9 [2001:db8::9, 130.176.1.1] http site:81 81 true true"},
		{"Forwarded, two proxies", alb, false, header("Forwarded", `for=192.0.2.7;proto=https;host="www.site:8443", for=10.2.2.2;proto=http;host=inner`),
			"192.0.2.7 [192.0.2.7, 10.2.2.2, 10.1.1.1] https www.site:8443 8443 true true"},
		{"Forwarded, claims before it", alb, false, header("Forwarded", `for=1.1.1.1;proto=https;host=evil, for=192.0.2.7;proto=http`), "192.0.2.7 [192.0.2.7, 10.1.1.1] http site:81 81 true true"},
		{"Forwarded, quoted", alb, false, header("Forwarded", `FOR="[2001:db8::9]:99"; Proto="https" ;host="www.\site"`), "2001:db8::9 [2001:db8::9, 10.1.1.1] https www.site 443 true true"},
		{"Forwarded, unknown", alb, false, header("Forwarded", `for=unknown;proto=https`), "10.1.1.1 [10.1.1.1] https site:81 81 true true"},
		{"Forwarded, a proxy hides the client", alb, false, header("Forwarded", `for="_hidden";proto=https;host=www.site, for="10.2.2.2:99";proto=http;host=inner`),
			"10.2.2.2 [10.2.2.2, 10.1.1.1] https www.site 443 true true"},
		{"Forwarded, one that is not trusted hides", alb, false, header("Forwarded", `for=_hidden;proto=https;host=evil, for=192.0.2.7;proto=http;host=inner`),
			"192.0.2.7 [192.0.2.7, 10.1.1.1] http inner 80 true true"},
		{"Forwarded, a stranger's quote before it", alb, false, header("Forwarded", `for="1.1.1.1`, "Forwarded", `for="[2001:db8::9]:99";proto=https`),
			"2001:db8::9 [2001:db8::9, 10.1.1.1] https site:81 81 true true"},
		{"Forwarded, a stranger's chain without end", alb, false, header("Forwarded", strings.Repeat("for=10.0.0.1,", 10_000)+"for=192.0.2.7;proto=https"),
			"192.0.2.7 [192.0.2.7, 10.1.1.1] https site:81 81 true true"},
		{"empty elements", alb, false, header("X-Forwarded-For", "1.1.1.1,, 192.0.2.7, ", "X-Forwarded-Proto", "http, https ,"), "192.0.2.7 [192.0.2.7, 10.1.1.1] https site:81 81 true true"},
		{"ports and brackets", alb, false, header("X-Forwarded-For", "[2001:DB8::9]:443, [10.2.2.2]:1, 10.3.3.3:2"), "10.3.3.3 [10.3.3.3, 10.1.1.1] http site:81 81 true false"},
		{"IPv6, a port", alb, false, header("X-Forwarded-For", "[2001:DB8::9]:443, 10.3.3.3:2"), "2001:db8::9 [2001:db8::9, 10.3.3.3, 10.1.1.1] http site:81 81 true false"},
		{"a zone told", alb, false, header("X-Forwarded-For", "fe80::1%eth0"), "10.1.1.1 [10.1.1.1] http site:81 81 true false"},
		{"a zone of the peer's", "[fe80::1%eth0]:5", false, header(), "fe80::1 [fe80::1] http site:81 81 false false"},
		{"upper case", alb, false, header("X-Forwarded-Proto", "HTTPS", "X-Forwarded-Host", "WWW.Site."), "10.1.1.1 [10.1.1.1] https WWW.Site. 443 true true"},
		{"no such port", alb, false, header("X-Forwarded-Port", "65536", "X-Forwarded-Host", "a:99999"), "10.1.1.1 [10.1.1.1] http site:81 81 true false"},
		{"Forwarded, a quote that does not end", alb, false, header("Forwarded", `for="192.0.2.7;proto=https`), "10.1.1.1 [10.1.1.1] http site:81 81 true false"},
		{"a host with a line in it", alb, false, header("X-Forwarded-Host", "a\r\nb"), "10.1.1.1 [10.1.1.1] http site:81 81 true false"},
		{"nonsense", alb, false, header("X-Forwarded-For", "\x00, ;", "X-Forwarded-Proto", "gopher", "X-Forwarded-Port", "-1"), "10.1.1.1 [10.1.1.1] http site:81 81 true false"},
		{"a chain without end", alb, false, header("X-Forwarded-For", strings.Repeat("10.0.0.1,", 10_000)+"192.0.2.7"), "192.0.2.7 [192.0.2.7, 10.1.1.1] http site:81 81 true false"},
		{"mapped IPv4", "[::ffff:10.1.1.1]:5", false, header("X-Forwarded-For", "::ffff:192.0.2.7"), "192.0.2.7 [192.0.2.7, ::ffff:10.1.1.1] http site:81 81 true false"},
		{"no address", "@", false, header("X-Forwarded-For", "1.1.1.1", "X-Forwarded-Proto", "https"), " [] http site:81 81 false false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.peer, Host: "site:81", Header: tt.header}
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			c := aws.Read(r)
			if got := fmt.Sprintf("%s [%s] %s %s %s %t %t", c.Address, c.Chain, c.Proto, c.Host, c.Port, c.Trusted, c.Told); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{`for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8::1]:80"`, `host="a\"b";;,`, "1.1.1.1, 2.2.2.2:80,[::1]", `for="\`, ",,,"} {
		f.Add(s, s)
	}
	trusted, err := ParseNetworks([]string{"private"}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		h := http.Header{"Forwarded": {a, b}, "X-Forwarded-Host": {a}, "X-Forwarded-Proto": {b}, "X-Forwarded-Port": {a}}
		for range 2 {
			c := trusted.Read(&http.Request{RemoteAddr: "10.0.0.1:1", Host: "site", Header: h})
			if !ValidHost(c.Host) || !validPort(c.Port) || c.Proto != "http" && c.Proto != "https" || strings.Count(c.Chain, ",") > maxHops {
				t.Errorf("%+v", c)
			}
			if strings.Trim(c.Chain, "0123456789abcdef:., ") != "" || !strings.HasSuffix(c.Chain, "10.0.0.1") || !strings.HasPrefix(c.Chain, c.Address) {
				t.Errorf("chain %q", c.Chain)
			}
			if n := len(parseForwarded(a)); n > maxHops {
				t.Errorf("%d elements", n)
			}
			h["X-Forwarded-For"] = []string{a, b}
		}
	})
}
