package refs

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"iter"
	"slices"
	"strings"
)

type sum struct {
	name string
	sum  func([]byte) []byte
}

// sums are the hashes of Subresource Integrity (section 3.2), the strongest last.
var sums = []sum{
	{"sha256", func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }},
	{"sha384", func(b []byte) []byte { s := sha512.Sum384(b); return s[:] }},
	{"sha512", func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }},
}

// RenewIntegrity is an integrity attribute's value for content that was one thing
// and is another: what is written, where that was not the content's, or where
// that has not changed.
func RenewIntegrity(written string, was, is []byte) string {
	if bytes.Equal(was, is) || !HasIntegrity(written, was) {
		return written
	}
	words := strings.Fields(written)
	for i, word := range words {
		word, options, has := strings.Cut(word, "?")
		algorithm, _, _ := strings.Cut(word, "-")
		for _, s := range sums {
			if s.name == algorithm {
				words[i] = s.of(is)
				if has {
					words[i] += "?" + options
				}
			}
		}
	}
	return strings.Join(slices.Compact(words), " ")
}

// of is how an integrity attribute names the content.
func (s sum) of(data []byte) string {
	return s.name + "-" + base64.StdEncoding.EncodeToString(s.sum(data))
}

// IntegrityOf is the value for a content, by SHA-384.
func IntegrityOf(data []byte) string { return sums[1].of(data) }

// HasIntegrity reports whether a browser would load the content: one of the
// hashes of the strongest kind there is must be its own.
func HasIntegrity(written string, data []byte) bool {
	for _, s := range slices.Backward(sums) {
		known := false
		for word := range strings.FieldsSeq(written) {
			word, _, _ = strings.Cut(word, "?")
			if strings.HasPrefix(word, s.name+"-") {
				known = true
				if word == s.of(data) {
					return true
				}
			}
		}
		if known {
			return false
		}
	}
	return true // nothing a browser would check
}

// Integrities returns a page in which another text stands in each integrity
// attribute: what the function returns for what it says and for the reference
// that it is about.
func Integrities(data []byte, all iter.Seq[Ref], text func(written, of string) string) []byte {
	return replace(data, all, func(r Ref) string {
		if r.Kind != Integrity {
			return r.Text
		}
		return text(r.Text, r.Of)
	})
}

// Guarded reports whether a page may have a policy that names hashes of its
// scripts and styles: what is changed would not run.
func Guarded(data []byte) bool {
	return slices.ContainsFunc(sums, func(s sum) bool { return bytes.Contains(data, []byte("'"+s.name+"-")) })
}
