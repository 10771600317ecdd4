// Package versions gives files addresses that change with their content, and
// rewrites the references between them, so that a file's address changes with
// everything it refers to as well.
//
// Read finds the references of one file, by package refs: what pages, style sheets
// and scripts load; sourceMappingURL, and the sources that a source
// map does not contain itself. Build gives all files their addresses. References
// to files that are not there, to other sites and to other paths of this one are
// left as they are, and so is every other byte.
//
// What is read is bounded: a file larger than MaxRead is taken as it is, and of
// one file MaxReferences references are rewritten at most. Reading takes time
// and memory in proportion to a file's size, however it is nested.
package versions

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

const (
	// MaxRead is the size in bytes up to which a file is looked through.
	MaxRead = 16 << 20
	// MaxReferences is how many references of a file are rewritten.
	MaxReferences = 50_000
)

// A File is one file as it is on disk, and what it refers to. It is not changed
// after Read.
type File struct {
	Name string // below the folder, with slashes: "css/app.css"
	Data []byte // as on disk

	refs   []reference // in the order of their place, without overlap
	unread string      // why it was not looked through, or ""
	line   int         // where that is, from 1
}

// A reference is a place in a file that names another.
type reference struct {
	start, end    int       // of what is replaced
	before, after string    // what is written around the target's new base name
	whole         *refs.Ref // where all of it is written anew; else nil
	target        string    // a name that may or may not be there
	text          string    // as written, for problems
	integrity     bool      // the place holds the target's integrity, not its address
	quiet         bool      // it is no problem if the target is not there
}

// A Version is a file under its address, with its references rewritten. It is
// never changed.
type Version struct {
	Name    string
	Address string // Name with Hash before its extension: "css/app.0123456789abcdef.css"
	Hash    string // 16 hex digits
	Data    []byte
	// Cyclic is true of a file that refers to itself, also by way of others. Its
	// hash is of all those files together, not of Data alone.
	Cyclic bool

	file *File
	deps []*Version // of file.refs; nil: not there
}

// Rewritten reports whether Data differs from what is on disk.
func (v *Version) Rewritten() bool { return len(v.deps) > 0 && slices.ContainsFunc(v.deps, exists) }

func exists(v *Version) bool { return v != nil }

// A Problem is something a person should know of a file.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1
	Text string `json:"text"`
}

// dirOf is the folder of a name, with a slash at its end, or "".
func dirOf(name string) string { return name[:strings.LastIndexByte(name, '/')+1] }

// Address puts a hash before a name's extension.
func Address(name, hash string) string {
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "." + hash + ext
}

// Parse takes an address apart; both parts are empty where that has not the form
// that Address gives, or is none that a file can have.
func Parse(address string) (name, hash string) {
	if len(address) > 1024 || strings.ContainsFunc(address, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f || r == '\uFFFD' }) {
		return "", ""
	}
	for part := range strings.SplitSeq(address, "/") {
		if part == "" || part[0] == '.' {
			return "", ""
		}
	}
	ext := path.Ext(address)
	if hash = strings.TrimPrefix(ext, "."); isHash(hash) && hash != ext {
		return strings.TrimSuffix(address, ext), hash // of a name without extension
	}
	rest := strings.TrimSuffix(address, ext)
	withHash := path.Ext(rest)
	if hash = strings.TrimPrefix(withHash, "."); isHash(hash) && hash != withHash {
		return strings.TrimSuffix(rest, withHash) + ext, hash
	}
	return "", ""
}

// IsAddress reports whether an address has the form that Address gives.
func IsAddress(address string) bool {
	_, hash := Parse(address)
	return hash != ""
}

func isHash(s string) bool {
	return len(s) == 16 && !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
