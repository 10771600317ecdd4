package s3records

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
)

// state is what a version says of a record, so that whoever writes on top need
// not read it first.
type state struct {
	etag  string // without quotes
	mark  string
	entry string // of the mark's object; "" if there is no mark
	due   int64  // of the expiry's object, in Unix seconds; 0 if there is none
}

// maxETag is how long an ETag may be for a version to have at most 128 bytes.
// Amazon's have 32.
const maxETag = 128 - 64 - entryLen - 8 - sumLen - 4

// sumLen is the length of a version's check sum, 30 bits. S3 compares the ETag
// alone; the sum has the rest compared too.
const sumLen = 6

// version puts a state into one word: MARK.ENTRY.DUE.SUM.ETAG.
func (st state) version(key string) string {
	due := ""
	if st.due != 0 {
		due = strconv.FormatInt(st.due, 36)
	}
	return strings.Join([]string{st.mark, st.entry, due, st.sum(key), st.etag}, ".")
}

func (st state) sum(key string) string {
	h := sha256.Sum256([]byte(key + "\n" + st.mark + "\n" + st.entry + "\n" + strconv.FormatInt(st.due, 10) + "\n" + st.etag))
	return strings.ToLower(base32.StdEncoding.EncodeToString(h[:]))[:sumLen]
}

// parseVersion returns false for what version never made of that key: no record
// is at that version.
func parseVersion(key, version string) (state, bool) {
	part := strings.SplitN(version, ".", 5)
	if len(part) != 5 {
		return state{}, false
	}
	st := state{mark: part[0], entry: part[1], etag: part[4]}
	if part[2] != "" {
		due, err := strconv.ParseInt(part[2], 36, 64)
		if err != nil {
			return state{}, false
		}
		st.due = due
	}
	return st, st.version(key) == version && goodETag(st.etag)
}

// goodETag keeps what could be read as another condition out of a header.
func goodETag(etag string) bool {
	if etag == "" || len(etag) > maxETag || etag == "*" {
		return false
	}
	for i := range len(etag) {
		if c := etag[i]; c <= ' ' || c > '~' || c == '"' || c == ',' {
			return false
		}
	}
	return true
}
