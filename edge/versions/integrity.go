package versions

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
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

// newIntegrity is an integrity attribute's value for a version: the one that is
// written where that is not the file's, or where the file has not changed.
func newIntegrity(written string, v *Version) string {
	if !v.Rewritten() || !matches(written, v.file.Data) {
		return written
	}
	words := strings.Fields(written)
	for i, word := range words {
		word, options, has := strings.Cut(word, "?")
		algorithm, _, _ := strings.Cut(word, "-")
		for _, s := range sums {
			if s.name == algorithm {
				words[i] = integrity(algorithm, s.sum(v.Data))
				if has {
					words[i] += "?" + options
				}
			}
		}
	}
	return strings.Join(slices.Compact(words), " ")
}

func integrity(algorithm string, sum []byte) string {
	return algorithm + "-" + base64.StdEncoding.EncodeToString(sum)
}

// matches reports whether a browser would load the content: one of the hashes of
// the strongest kind there is must be its own.
func matches(written string, data []byte) bool {
	for _, s := range slices.Backward(sums) {
		known := false
		for word := range strings.FieldsSeq(written) {
			word, _, _ = strings.Cut(word, "?")
			if strings.HasPrefix(word, s.name+"-") {
				known = true
				if word == integrity(s.name, s.sum(data)) {
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
