package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// leafLife is how long a local certificate is good; it is made anew at half of
// that, and at each start.
const leafLife = 30 * 24 * time.Hour

// maxLocal bounds the names that a local source keeps certificates of.
const maxLocal = 1000

// local makes certificates for the names that are asked for.
type local struct {
	root *Root

	mu    sync.Mutex
	certs map[string]*tls.Certificate // by name
}

// OpenLocal makes certificates by a root for localhost, all names below it and
// below .test, and loopback addresses. They are kept in memory only.
func OpenLocal(root *Root) Source { return &local{root: root, certs: map[string]*tls.Certificate{}} }

// LocalName reports whether the root can vouch for a name.
func LocalName(name string) bool {
	name = strings.ToLower(name)
	if ip := net.ParseIP(name); ip != nil {
		return ip.IsLoopback()
	}
	for _, c := range constrained {
		if name == c || strings.HasSuffix(name, "."+c) {
			return true
		}
	}
	return false
}

func (l *local) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" {
		name = "localhost" // asked by address
	}
	if !LocalName(name) || len(name) > 253 {
		return nil, fmt.Errorf("no certificate for %q: local ones are for localhost, NAME.localhost and NAME.test", hello.ServerName)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.certs[name]; c != nil && time.Until(c.Leaf.NotAfter) > leafLife/2 {
		return c, nil
	}
	if len(l.certs) >= maxLocal {
		clear(l.certs)
	}
	c, err := l.issue(name)
	if err != nil {
		return nil, err
	}
	l.certs[name] = c
	return c, nil
}

func (l *local) issue(name string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	der, err := sign(&x509.Certificate{
		Subject:   pkix.Name{CommonName: name, Organization: []string{"Dayfly, for development"}},
		NotBefore: now.Add(-time.Hour), NotAfter: earlier(now.Add(leafLife), l.root.Cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}, l.root.Cert, key.Public(), l.root.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Config implements Source.
func (l *local) Config() *tls.Config { return config(l.get) }

// Ready implements Source.
func (l *local) Ready() bool { return true }

// Close implements Source.
func (l *local) Close() error { return nil }
