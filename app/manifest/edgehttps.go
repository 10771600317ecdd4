package manifest

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/cert"
	"github.com/dayfly-dev/dayfly/forwarded"
)

// LetsEncrypt is how Let's Encrypt is named in a manifest.
const LetsEncrypt = "letsencrypt"

// EdgeHTTPS are the keys of [edge] about what stands in front of it, and https.
type EdgeHTTPS struct {
	Hosts         []string `toml:"hosts"`          // further names of the site, which keep theirs; default none
	HTTPS         bool     `toml:"https"`          // http is redirected to https; default true with [edge.tls], else false
	HSTS          *HSTS    `toml:"hsts"`           // default not sent
	TLS           *TLS     `toml:"tls"`            // TLS is ended here; default it is not
	ProxyProtocol bool     `toml:"proxy_protocol"` // connections from trusted networks begin with a PROXY header; default false
	AWSRanges     string   `toml:"aws_ranges"`     // address or file of the list that AWS publishes; default AWS's own
}

// TLS says where the site's certificates come from: one of Local, Cert with Key,
// and ACME.
type TLS struct {
	Local bool   `toml:"local"` // made for this machine, by a root of its own that `dayfly tls trust` has browsers trust
	Cert  string `toml:"cert"`  // PEM file, with the certificates between it and its root; below the manifest's folder or absolute
	Key   string `toml:"key"`   // PEM file of its key
	ACME  string `toml:"acme"`  // "letsencrypt", or the https address of another authority's directory
	Email string `toml:"email"` // where that writes; default none
	Agree bool   `toml:"agree"` // to its subscriber agreement; required with acme
	Roots string `toml:"roots"` // PEM file of whom to trust as the authority's server; default the system's
}

// HSTS has browsers keep to https.
type HSTS struct {
	MaxAge     Duration `toml:"max_age"`    // 1s–3650d, default 365d
	Subdomains bool     `toml:"subdomains"` // also for all names below
	Preload    bool     `toml:"preload"`    // to be built into browsers; needs subdomains and 365d
}

// options are what the edge is told.
func (h *HSTS) options() edge.HSTS {
	if h == nil {
		return edge.HSTS{}
	}
	return edge.HSTS{MaxAge: time.Duration(h.MaxAge), Subdomains: h.Subdomains, Preload: h.Preload}
}

// HTTPSOptions are what the edge is told of https, save for the port.
func (e *Edge) HTTPSOptions() edge.HTTPS {
	return edge.HTTPS{Redirect: e.HTTPS, Own: e.TLS != nil, Hosts: e.Hosts, HSTS: e.HSTS.options()}
}

// HTTPSLines say for people how the site is kept to https, and whom it trusts.
func (e *Edge) HTTPSLines() (lines []string) {
	if t := e.TLS; t != nil {
		switch {
		case t.Local:
			lines = append(lines, "local certificates, which `dayfly tls trust` has browsers trust")
		case t.ACME != "":
			lines = append(lines, "certificates from "+t.ACME)
		default:
			lines = append(lines, "the certificate in "+t.Cert)
		}
	}
	if e.HTTPS {
		lines = append(lines, "http is redirected to it")
	}
	if h := e.HSTS.options().Header(); h != "" {
		lines = append(lines, "browsers are told "+h)
	}
	if len(e.Trusted) > 0 {
		text := "believes " + strings.Join(e.Trusted, ", ")
		if e.ProxyProtocol {
			text += ", whose connections begin with a PROXY header"
		}
		lines = append(lines, text)
	}
	return lines
}

func (m *Manifest) httpsDefaults() {
	if m.Edge.TLS != nil {
		setDefault(&m.Listen.HTTPS, "127.0.0.1:8443")
		if !m.has("edge.https") {
			m.Edge.HTTPS = true
		}
	}
	if m.Edge.HSTS != nil && !m.has("edge.hsts.max_age") {
		m.Edge.HSTS.MaxAge = Duration(edge.Year)
	}
}

// https checks what is in front of the edge, and how it keeps to https.
func (c *checker) https() {
	e := &c.m.Edge
	for _, t := range e.Trusted {
		if err := forwarded.CheckNetwork(t); err != nil {
			c.fail("edge.trusted", "edge.trusted: %v", err)
		}
	}
	if c.m.has("edge.aws_ranges") {
		c.awsRanges()
	}
	for _, h := range e.Hosts {
		if strings.ContainsAny(h, "/: ") || h == "" {
			c.fail("edge.hosts", "edge.hosts has %q; write bare host names such as \"www.example.com\"", h)
		}
	}
	if e.ProxyProtocol && len(e.Trusted) == 0 {
		c.fail("edge.proxy_protocol", "edge.proxy_protocol is for connections from networks in edge.trusted, which has none: add the balancer's, such as trusted = [\"private\"]")
	}
	if e.HTTPS && e.TLS == nil && len(e.Trusted) == 0 {
		c.fail("edge.https", "edge.https needs something that ends TLS: add [edge.tls], or the balancer's networks to edge.trusted, such as trusted = [\"private\"]")
	}
	if e.TLS == nil && c.m.has("listen.https") {
		c.fail("listen.https", "listen.https needs a certificate: add [edge.tls] with local = true, cert and key, or acme = \"letsencrypt\"")
	}
	if e.TLS != nil {
		c.tls(e.TLS)
	}
	if e.HSTS != nil {
		c.hsts(e.HSTS)
	}
}

func (c *checker) awsRanges() {
	e := &c.m.Edge
	u, err := url.Parse(e.AWSRanges)
	switch {
	case !forwarded.UsesPublished(e.Trusted):
		c.fail("edge.aws_ranges", "edge.aws_ranges is of no use: edge.trusted has no name of AWS's list, such as \"cloudfront\"")
	case e.AWSRanges == "", err != nil, u.Scheme == "http" && !cert.LocalName(u.Hostname()), u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https":
		c.fail("edge.aws_ranges", "edge.aws_ranges is %q; write an https address, or the path of a file", e.AWSRanges)
	}
}

func (c *checker) hsts(h *HSTS) {
	e := &c.m.Edge
	c.duration("edge.hsts.max_age", h.MaxAge, time.Second, 3650*24*time.Hour)
	switch {
	case e.Host == "":
		c.fail("edge.hsts", "edge.hsts is for a host: add host = \"www.example.com\" to [edge]")
	case e.TLS == nil && len(e.Trusted) == 0:
		c.fail("edge.hsts", "edge.hsts is sent over https only, which there is none: add [edge.tls], or the balancer's networks to edge.trusted")
	case e.TLS != nil && e.TLS.Local:
		c.fail("edge.hsts", "edge.hsts with local certificates would keep browsers on this machine from http for %s", h.MaxAge)
	case h.Preload && (!h.Subdomains || time.Duration(h.MaxAge) < edge.Year):
		c.fail("edge.hsts.preload", "edge.hsts.preload needs subdomains = true and a max_age of at least 365d: the lists of browsers take no other")
	}
}

func (c *checker) tls(t *TLS) {
	e := &c.m.Edge
	ways := 0
	for _, way := range []bool{t.Local, t.Cert != "" || t.Key != "", t.ACME != ""} {
		if way {
			ways++
		}
	}
	if ways != 1 {
		c.fail("edge.tls", "[edge.tls] has %d sources of certificates; it is one of local = true, cert and key, and acme = \"letsencrypt\"", ways)
		return
	}
	if t.ACME == "" {
		for _, key := range []string{"email", "agree", "roots"} {
			if c.m.has("edge.tls." + key) {
				c.fail("edge.tls."+key, "edge.tls.%s is for certificates by acme", key)
			}
		}
	}
	switch {
	case t.Local:
		for _, h := range append([]string{e.Host}, e.Hosts...) {
			if h != "" && !cert.LocalName(h) {
				c.fail("edge.tls.local", "a local certificate is for localhost, NAME.localhost and NAME.test, not for %q", h)
			}
		}
	case t.ACME != "":
		c.acme(t)
	case t.Cert == "" || t.Key == "":
		c.fail("edge.tls", "[edge.tls] needs both cert and key, the paths of two PEM files")
	}
}

func (c *checker) acme(t *TLS) {
	e := &c.m.Edge
	u, err := url.Parse(t.ACME)
	switch {
	case t.ACME != LetsEncrypt && (err != nil || u.Scheme != "https" || u.Host == ""):
		c.fail("edge.tls.acme", "edge.tls.acme is %q; it is \"letsencrypt\" or the https address of an authority's directory", t.ACME)
	case !t.Agree:
		c.fail("edge.tls.acme", "a certificate by ACME needs agree = true: that you agree to the authority's subscriber agreement (Let's Encrypt's is at letsencrypt.org/repository)")
	case t.Email != "" && (!strings.Contains(t.Email, "@") || strings.ContainsAny(t.Email, " <>,")):
		c.fail("edge.tls.email", "edge.tls.email is %q; write an address such as \"ops@example.com\"", t.Email)
	case e.Host == "":
		c.fail("edge.tls.acme", "a certificate is for a host: add host = \"www.example.com\" to [edge]")
	}
	if t.ACME != LetsEncrypt {
		return
	}
	for _, h := range append([]string{e.Host}, e.Hosts...) {
		if _, err := netip.ParseAddr(h); err == nil || h != "" && (cert.LocalName(h) || !strings.Contains(h, ".")) {
			c.fail("edge.tls.acme", "Let's Encrypt has no certificates for %q: take local = true for development", h)
		}
	}
	if loopback(c.m.Listen.Edge) && loopback(c.m.Listen.HTTPS) {
		c.fail("edge.tls.acme", "Let's Encrypt has to reach this machine, which listens to itself only: set [listen] edge = \"0.0.0.0:80\" and https = \"0.0.0.0:443\"")
	}
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
