// Package sigv4 verifies AWS Signature Version 4 on requests, as a service
// does: in the Authorization header and presigned in the query, with the secret
// the server knows. It is the guard of the gateway's services except S3, whose
// server verifies by itself (chunked uploads, unsigned payloads).
//
// Parse reads what a request claims; Verifier.Verify proves it. The body is
// always part of the proof, so the caller reads it first, bounded.
//
// The algorithm is the one of the IAM user guide, "Create a signed AWS API
// request".
package sigv4

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	stampForm  = "20060102T150405Z"

	// Longest Authorization header looked at, bytes; SDKs send about 300.
	maxAuthorization = 8 << 10
	// Longest life of a presigned request, seconds (7 days).
	maxExpires = 604800
)

// Claim is what a request says about its signature, not verified yet.
type Claim struct {
	AccessKeyID string
	Date        string // yyyymmdd of the credential's scope
	Region      string
	Service     string // sqs, s3, ses, sns …

	SignedHeaders string // lower case, joined by ";"
	Signature     string // 64 hexadecimal digits

	Stamp     string    // when it was signed, as in the request: yyyymmddThhmmssZ
	Time      time.Time // the same, parsed
	Presigned bool
	Expires   time.Duration // life of a presigned request, else 0
}

// Parse reads the claim of a request. It fails with an *Error of kind Missing
// when the request is not signed in this way and Incomplete when it is
// malformed.
func Parse(r *http.Request) (Claim, error) {
	if a := r.Header["Authorization"]; len(a) > 0 {
		if len(a) > 1 {
			return Claim{}, incomplete("the Authorization header is there more than once")
		}
		return parseHeader(r, a[0])
	}
	if strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=") {
		return parseQuery(r.URL.Query())
	}
	return Claim{}, missing()
}

func parseHeader(r *http.Request, a string) (Claim, error) {
	c, err := parseAuthorization(a)
	if err != nil {
		return Claim{}, err
	}
	if s := r.Header.Get("X-Amz-Date"); s != "" {
		c.Stamp = s
	} else if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		c.Stamp = t.UTC().Format(stampForm)
	} else {
		return Claim{}, incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	return c, c.readStamp()
}

// parseAuthorization reads the value of the header. Parts are separated by
// commas and blanks in any mixture, and may be in any order.
func parseAuthorization(a string) (c Claim, err error) {
	if len(a) > maxAuthorization {
		return Claim{}, incomplete("the Authorization header is longer than " + strconv.Itoa(maxAuthorization) + " bytes")
	}
	rest, ok := strings.CutPrefix(a, algorithm)
	if !ok || rest == "" || rest[0] != ' ' {
		return Claim{}, incomplete("the Authorization header does not begin with " + algorithm)
	}
	var credential string
	for rest = strings.TrimLeft(rest, ", \t"); rest != ""; rest = strings.TrimLeft(rest, ", \t") {
		part := rest
		if i := strings.IndexAny(rest, ", \t"); i >= 0 {
			part = rest[:i]
		}
		rest = rest[len(part):]
		name, value, _ := strings.Cut(part, "=")
		var to *string
		switch name {
		case "Credential":
			to = &credential
		case "SignedHeaders":
			to = &c.SignedHeaders
		case "Signature":
			to = &c.Signature
		default:
			return Claim{}, incomplete("the Authorization header has an unknown part")
		}
		if *to != "" {
			return Claim{}, incomplete("the Authorization header has '" + name + "' more than once")
		}
		*to = value
	}
	return c, c.check(credential, "Authorization header requires '", "' parameter.")
}

// parseQuery reads a presigned request.
func parseQuery(q url.Values) (Claim, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date", "X-Amz-Expires"} {
		if len(q[name]) != 1 || q[name][0] == "" {
			return Claim{}, incomplete("the query must contain " + name + " once")
		}
	}
	if q.Get("X-Amz-Algorithm") != algorithm {
		return Claim{}, incomplete("X-Amz-Algorithm must be " + algorithm)
	}
	seconds, err := strconv.ParseUint(q.Get("X-Amz-Expires"), 10, 32)
	if err != nil || seconds < 1 || seconds > maxExpires {
		return Claim{}, incomplete("X-Amz-Expires must be 1 to 604800 seconds")
	}
	c := Claim{
		SignedHeaders: q.Get("X-Amz-SignedHeaders"),
		Signature:     q.Get("X-Amz-Signature"),
		Stamp:         q.Get("X-Amz-Date"),
		Presigned:     true,
		Expires:       time.Duration(seconds) * time.Second,
	}
	if err := c.check(q.Get("X-Amz-Credential"), "the query requires X-Amz-", "."); err != nil {
		return Claim{}, err
	}
	return c, c.readStamp()
}

// check takes the credential apart and looks at the other parts.
func (c *Claim) check(credential, before, after string) error {
	switch {
	case credential == "":
		return incomplete(before + "Credential" + after)
	case c.SignedHeaders == "":
		return incomplete(before + "SignedHeaders" + after)
	case len(c.Signature) != 64:
		return incomplete(before + "Signature" + after)
	}
	// From the right, since an access key might contain slashes.
	var end string
	rest := credential
	for _, to := range []*string{&end, &c.Service, &c.Region, &c.Date} {
		i := strings.LastIndexByte(rest, '/')
		if i < 0 {
			return incomplete("Credential must have the form access key/date/region/service/aws4_request")
		}
		rest, *to = rest[:i], rest[i+1:]
	}
	c.AccessKeyID = rest
	if end != terminator || rest == "" || c.Service == "" || c.Region == "" || len(c.Date) != 8 {
		return incomplete("Credential must have the form access key/date/region/service/aws4_request")
	}
	return nil
}

func (c *Claim) readStamp() error {
	t, err := time.Parse(stampForm, c.Stamp)
	if err != nil || len(c.Stamp) != len(stampForm) {
		return incomplete("Date must be in ISO-8601 'basic format', such as 20260131T235959Z")
	}
	if c.Stamp[:8] != c.Date {
		return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	}
	c.Time = t
	return nil
}
