package manifest

import (
	"strings"
	"testing"
	"time"
)

func TestEdgeHTTPS(t *testing.T) {
	m, err := Parse("/srv/m.toml", []byte("name = \"a\"\n[edge]\nhost = \"www.shop.example\"\nhosts = [\"shop.other.example\"]\n"+
		"trusted = [\"10.0.0.0/8\", \"private\", \"cloudfront\", \"aws:globalaccelerator\"]\naws_ranges = \"ranges.json\"\nproxy_protocol = true\n"+
		"hsts = { subdomains = true, preload = true }\n[edge.tls]\nacme = \"letsencrypt\"\nemail = \"ops@shop.example\"\nagree = true\n"+
		"[listen]\nedge = \"0.0.0.0:80\"\nhttps = \"0.0.0.0:443\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := m.Edge.HTTPSOptions()
	if !o.Redirect || !o.Own || o.HSTS.Header() != "max-age=31536000; includeSubDomains; preload" || o.Hosts[0] != "shop.other.example" {
		t.Errorf("%+v", o)
	}
	m, err = Parse("m.toml", []byte("name = \"a\"\n[edge]\nhttps = false\ntls.local = true\n"))
	if err != nil || m.Edge.HTTPS || m.Listen.HTTPS != "127.0.0.1:8443" {
		t.Errorf("%v, %+v", err, m)
	}
	m, err = Parse("m.toml", []byte("name = \"a\"\n[edge]\nhost = \"www.a.example\"\ntrusted = [\"private\"]\nhttps = true\nhsts = { max_age = \"1h\" }\n"))
	if err != nil || m.Edge.HTTPSOptions().Own || m.Listen.HTTPS != "" || m.Edge.HTTPSOptions().HSTS.MaxAge != time.Hour {
		t.Errorf("%v, %+v", err, m)
	}
}

func TestEdgeHTTPSErrors(t *testing.T) {
	for text, want := range map[string]string{
		"trusted = [\"vpc\"]":     "m.toml:3:1: edge.trusted: \"vpc\" is neither a network such as \"10.0.0.0/8\" nor one of loopback, private, cloudfront and aws:SERVICE",
		"trusted = [\"aws:ec2\"]": "to trust it is to trust everybody",
		"trusted = [\"aws:elb\"]": "write \"private\", or the VPC's network",
		"aws_ranges = \"x\"":      "edge.aws_ranges is of no use",
		"trusted = [\"cloudfront\"]\naws_ranges = \"http://a.example/x\"": "m.toml:4:1: edge.aws_ranges is \"http://a.example/x\"; write an https address, or the path of a file",
		"hosts = [\"http://a\"]":                         "edge.hosts has \"http://a\"",
		"proxy_protocol = true":                          "edge.proxy_protocol is for connections from networks in edge.trusted, which has none",
		"https = true":                                   "edge.https needs something that ends TLS: add [edge.tls], or the balancer's networks",
		"[listen]\nhttps = \"127.0.0.1:1\"":              "listen.https needs a certificate",
		"[edge.tls]":                                     "[edge.tls] has 0 sources of certificates",
		"tls = { local = true, acme = \"letsencrypt\" }": "[edge.tls] has 2 sources",
		"tls = { local = true, agree = true }":           "edge.tls.agree is for certificates by acme",
		"tls = { cert = \"a.pem\" }":                     "[edge.tls] needs both cert and key",
		"host = \"www.a.example\"\ntls.local = true":     "m.toml:4:5: a local certificate is for localhost, NAME.localhost and NAME.test, not for \"www.a.example\"",
		"tls = { acme = \"letsencrypt\" }":               "needs agree = true",
		"tls = { acme = \"lets\", agree = true }":        "edge.tls.acme is \"lets\"; it is \"letsencrypt\" or the https address",
		"tls = { acme = \"letsencrypt\", agree = true }": "a certificate is for a host",
		"host = \"www.a.example\"\ntls = { acme = \"letsencrypt\", agree = true, email = \"ops\" }":              "edge.tls.email is \"ops\"",
		"host = \"www.a.example\"\ntls = { acme = \"letsencrypt\", agree = true }":                               "has to reach this machine, which listens to itself only",
		"host = \"www.a.test\"\ntls = { acme = \"letsencrypt\", agree = true }\n[listen]\nedge = \"0.0.0.0:80\"": "has no certificates for \"www.a.test\": take local = true",
		"hsts = {}":                                      "edge.hsts is for a host",
		"host = \"www.a.example\"\nhsts = {}":            "edge.hsts is sent over https only, which there is none",
		"host = \"a.test\"\ntls.local = true\nhsts = {}": "edge.hsts with local certificates would keep browsers on this machine from http for 365d",
		"host = \"www.a.example\"\ntrusted = [\"private\"]\nhsts = { preload = true }":   "edge.hsts.preload needs subdomains = true",
		"host = \"www.a.example\"\ntrusted = [\"private\"]\nhsts = { max_age = \"0s\" }": "edge.hsts.max_age is 0s; it must be between 1s and 3650d",
		"host = \"www.a.example\"\ntrusted = [\"private\"]\nhsts = { max_age = 300 }":    "a duration in quotes",
		"[edge.tls]\nlcoal = true": "unknown key \"lcoal\" in [edge.tls]; did you mean \"local\"?",
	} {
		_, err := Parse("m.toml", []byte("name = \"a\"\n[edge]\n"+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
