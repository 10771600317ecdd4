package cert

import (
	"context"
	"crypto/x509"
	"net"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/dayfly-dev/dayfly/records"
)

// Sign signs whatever it is told to, as a thief of the root's key would.
func Sign(r *Root, name string) (*x509.Certificate, error) {
	c := &x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := sign(c, r.Cert, r.key.Public(), r.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// NewStorage is the storage of a process that ends with the function returned.
func NewStorage(r *records.Store) (s certmagic.Storage, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	own := newStorage(ctx, r)
	return own, func() { cancel(); own.close() }
}
