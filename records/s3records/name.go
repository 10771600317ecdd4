package s3records

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Folders under the prefix.
const (
	recordFolder = "records/" // HASH: a record
	markFolder   = "marks/"   // MARK/HASH.ENTRY: the record may have the mark
	expiryFolder = "expiry/"  // TIME.HASH: the record may have expired by then
	probeFolder  = "probe/"
)

// hashOf is the name of a key's record: keys may be of any bytes, and one may be
// another's folder. SHA-256 in hexadecimal; the object has the key itself.
func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

const hashLen = 2 * sha256.Size

// entryLen is the length of the random part of a mark's object, 50 bits: it
// tells apart what was written for one key and mark at different times.
const entryLen = 10

func newEntry() string { return strings.ToLower(rand.Text())[:entryLen] }

func (s *Store) recordName(hash string) string { return s.prefix + recordFolder + hash }

func (s *Store) markName(mark, hash, entry string) string {
	return s.prefix + markFolder + mark + "/" + hash + "." + entry
}

func (s *Store) expiryName(hash string, due int64) string {
	return s.prefix + expiryFolder + time.Unix(due, 0).UTC().Format(dueForm) + "." + hash
}

// dueForm sorts by time.
const dueForm = "20060102T150405Z"

// parseMark takes the rest of a mark's object's name apart.
func parseMark(rest string) (hash, entry string, ok bool) {
	hash, entry, ok = strings.Cut(rest, ".")
	return hash, entry, ok && isHash(hash) && isWord(entry, entryLen)
}

// parseExpiry takes the rest of an expiry's object's name apart.
func parseExpiry(rest string) (due int64, hash string, ok bool) {
	form, hash, ok := strings.Cut(rest, ".")
	at, err := time.Parse(dueForm, form)
	return at.Unix(), hash, ok && err == nil && isHash(hash)
}

func isHash(s string) bool {
	return len(s) == hashLen && strings.Trim(s, "0123456789abcdef") == ""
}

// isWord says whether s is n of [a-z0-9].
func isWord(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
