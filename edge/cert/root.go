package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	rootLife = 10 * 365 * 24 * time.Hour
	rootFile = "root.pem"
	keyFile  = "root-key.pem"
)

// constrained are the only names for which the root's certificates are good,
// with all below them: who steals its key can be no other site's.
var constrained = []string{"localhost", "test"}

// Root is an authority for a developer's machine.
type Root struct {
	// Path of its certificate, PEM.
	Path string
	Cert *x509.Certificate
	key  crypto.Signer
}

// OpenRoot opens the root in a folder, or makes one if there is none: a
// certificate and a key (mode 0600), good for ten years and, by a critical name
// constraint, for localhost, .test and loopback addresses alone. Nothing trusts
// it until it is told to.
func OpenRoot(dir string) (*Root, error) {
	r := &Root{Path: filepath.Join(dir, rootFile)}
	certText, err := readBounded(r.Path)
	keyText, errKey := readBounded(filepath.Join(dir, keyFile))
	switch {
	case errors.Is(err, os.ErrNotExist) && errors.Is(errKey, os.ErrNotExist):
		return r, r.make(dir)
	case err != nil || errKey != nil:
		return nil, fmt.Errorf("the root for local certificates cannot be read: %w; delete %s to have a new one made", errors.Join(err, errKey), dir)
	}
	if err := r.parse(certText, keyText); err != nil {
		return nil, fmt.Errorf("%s does not hold a root and its key: %w; delete it to have a new one made", dir, err)
	}
	return r, nil
}

func (r *Root) parse(certText, keyText []byte) error {
	c, _ := pem.Decode(certText)
	k, _ := pem.Decode(keyText)
	if c == nil || k == nil {
		return errors.New("not PEM")
	}
	var err error
	if r.Cert, err = x509.ParseCertificate(c.Bytes); err != nil {
		return err
	}
	key, err := x509.ParsePKCS8PrivateKey(k.Bytes)
	if err != nil {
		return err
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(r.Cert.PublicKey) || !r.Cert.IsCA {
		return errors.New("the key is another's")
	}
	if time.Now().After(r.Cert.NotAfter) {
		return fmt.Errorf("it ended on %s", r.Cert.NotAfter.Format(time.DateOnly))
	}
	r.key = signer
	return nil
}

func (r *Root) make(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "this machine"
	}
	now := time.Now()
	der, err := sign(&x509.Certificate{
		Subject:   pkix.Name{CommonName: "Dayfly, for development on " + machine, Organization: []string{"Dayfly"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(rootLife),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: constrained,
		PermittedIPRanges: []*net.IPNet{{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}, {IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)}},
	}, nil, key.Public(), key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	// Of two that make it at once, one has it; the other reads it at its next start.
	if err := writeNew(filepath.Join(dir, keyFile), keyText, 0o600); err != nil {
		return err
	}
	if err := writeNew(r.Path, certText, 0o644); err != nil {
		return err
	}
	return r.parse(certText, keyText)
}

// writeNew writes a file that was not there, synced.
func writeNew(path string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sign makes a certificate with a random serial number; parent nil is by itself.
func sign(c, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = serial
	if parent == nil {
		parent = c
	}
	return x509.CreateCertificate(rand.Reader, c, parent, public, key)
}

// Fingerprint is the first 8 bytes of the SHA-256 of the certificate, in hex.
func (r *Root) Fingerprint() string {
	sum := sha256.Sum256(r.Cert.Raw)
	return hex.EncodeToString(sum[:8])
}
