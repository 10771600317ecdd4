package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Credentials of one client.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
}

// Options of New.
type Options struct {
	// Credentials that are accepted; at least one.
	Credentials []Credentials
	// MaxSkew is how far a request's time may be from ours; 0 means 15 minutes,
	// as SQS and S3 have it.
	MaxSkew time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Verifier proves claims. It may be used by any number of goroutines.
type Verifier struct {
	secrets map[string]string // by access key
	skew    time.Duration
	now     func() time.Time
	keys    keyCache
	buffers sync.Pool // of *[]byte, for canonical requests
}

// New returns a verifier.
func New(o Options) (*Verifier, error) {
	v := &Verifier{secrets: map[string]string{}, skew: o.MaxSkew, now: o.Now}
	if v.skew == 0 {
		v.skew = 15 * time.Minute
	}
	if v.skew < 0 {
		return nil, errors.New("sigv4: MaxSkew must not be negative")
	}
	if v.now == nil {
		v.now = time.Now
	}
	for _, c := range o.Credentials {
		if c.AccessKeyID == "" || c.SecretAccessKey == "" {
			return nil, errors.New("sigv4: credentials need an access key and a secret")
		}
		v.secrets[c.AccessKeyID] = c.SecretAccessKey
	}
	if len(v.secrets) == 0 {
		return nil, errors.New("sigv4: no credentials to accept")
	}
	v.buffers.New = func() any { b := make([]byte, 0, 1024); return &b }
	return v, nil
}

// precheck looks at what can be told without the body: that the access key is
// known, the time right and everything signed that must be.
func (v *Verifier) precheck(r *http.Request, c *Claim) error {
	if _, ok := v.secrets[c.AccessKeyID]; !ok {
		return &Error{UnknownKey, "The security token included in the request is invalid."}
	}
	if err := v.checkTime(c); err != nil {
		return err
	}
	if name := unsigned(r, c.SignedHeaders); name != "" {
		return mismatch("'" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
}

// Verify proves that the request with this body was signed with the secret of
// the claim's access key. On failure the error is an *Error, or body's own.
//
// Body is called once, and only after everything was found in order that can be
// told without it: no bodies are read in vain.
//
// A session token is ignored: the credentials accepted here are long-lived.
func (v *Verifier) Verify(r *http.Request, c *Claim, body func() ([]byte, error)) error {
	if err := v.precheck(r, c); err != nil {
		return err
	}
	text, err := body()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	var hexed [64]byte
	hex.Encode(hexed[:], sum[:])
	if h := r.Header["X-Amz-Content-Sha256"]; len(h) > 0 && !strings.EqualFold(h[0], string(hexed[:])) {
		return mismatch("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	var given [32]byte
	if n, err := hex.Decode(given[:], []byte(c.Signature)); err != nil || n != len(given) {
		return incomplete("the signature must be 64 hexadecimal digits")
	}
	key, known := v.keys.get(c)
	if !known {
		key = newSigningKey(v.secrets[c.AccessKeyID], c)
	}
	path := wirePath(r)
	ok := v.matches(key, r, c, path, string(hexed[:]), &given)
	if clean := cleanPath(path); !ok && clean != path {
		ok = v.matches(key, r, c, clean, string(hexed[:]), &given)
	}
	if !ok {
		return mismatch("The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	if !known {
		// Only keys that proved something are kept: a stranger cannot fill the cache.
		v.keys.put(c, key)
	}
	return nil
}

func (v *Verifier) checkTime(c *Claim) error {
	now := v.now().UTC()
	if early := c.Time.Add(-v.skew); now.Before(early) {
		return &Error{Skewed, "Signature not yet current: " + c.Stamp + " is still later than " +
			now.Add(v.skew).Format(stampForm) + " (" + now.Format(stampForm) + " + " + minutes(v.skew) + ")"}
	}
	if c.Presigned {
		if now.After(c.Time.Add(c.Expires)) {
			return &Error{Expired, "Request has expired."}
		}
		return nil
	}
	if now.After(c.Time.Add(v.skew)) {
		return &Error{Skewed, "Signature expired: " + c.Stamp + " is now earlier than " +
			now.Add(-v.skew).Format(stampForm) + " (" + now.Format(stampForm) + " - " + minutes(v.skew) + ")"}
	}
	return nil
}

func minutes(d time.Duration) string { return strconv.Itoa(int(d.Minutes())) + " min." }

// matches computes the signature of the canonical request and compares it in
// constant time.
func (v *Verifier) matches(key *signingKey, r *http.Request, c *Claim, path, sum string, given *[32]byte) bool {
	buf := v.buffers.Get().(*[]byte)
	defer v.buffers.Put(buf)
	b := appendCanonical((*buf)[:0], r, c, path, sum)
	of := sha256.Sum256(b)

	b = append(b[:0], algorithm...)
	b = append(b, '\n')
	b = append(b, c.Stamp...)
	b = append(b, '\n')
	b = append(b, c.Date...)
	b = append(b, '/')
	b = append(b, c.Region...)
	b = append(b, '/')
	b = append(b, c.Service...)
	b = append(b, '/')
	b = append(b, terminator...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, of[:])

	mac := key.macs.Get().(hash.Hash)
	defer key.macs.Put(mac)
	mac.Reset()
	mac.Write(b)
	*buf = mac.Sum(b) // in the same memory: nothing is allocated
	return hmac.Equal((*buf)[len(b):], given[:])
}

// signingKey is the derived key of one access key, date, region and service.
type signingKey struct {
	macs sync.Pool // of HMACs with this key
}

func newSigningKey(secret string, c *Claim) *signingKey {
	key := []byte("AWS4" + secret)
	for _, part := range []string{c.Date, c.Region, c.Service, terminator} {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(part))
		key = m.Sum(nil)
	}
	k := &signingKey{}
	k.macs.New = func() any { return hmac.New(sha256.New, key) }
	return k
}

// keyCache keeps derived keys; clients use one a day.
type keyCache struct {
	mu   sync.RWMutex
	keys map[scope]*signingKey
}

type scope struct{ accessKeyID, date, region, service string }

const maxKeys = 256

func (k *keyCache) get(c *Claim) (*signingKey, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	s, ok := k.keys[scope{c.AccessKeyID, c.Date, c.Region, c.Service}]
	return s, ok
}

func (k *keyCache) put(c *Claim, s *signingKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil || len(k.keys) >= maxKeys {
		k.keys = map[scope]*signingKey{}
	}
	// Clones: the claim's strings are parts of a request's header.
	k.keys[scope{strings.Clone(c.AccessKeyID), strings.Clone(c.Date), strings.Clone(c.Region), strings.Clone(c.Service)}] = s
}
