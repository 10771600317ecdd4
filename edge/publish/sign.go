package publish

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

const keySize = 32

func newKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key) //nolint:errcheck // it never fails
	return key
}

// Rotate has the state sign with a new key: every preview that was given out
// ends.
func (s *Store) Rotate(ctx context.Context) error {
	key := newKey()
	_, err := s.update(ctx, func(st *State) error {
		st.Key = key
		return nil
	})
	return err
}

// Sign lets a bearer do something (what is a word) with a release until a time,
// to the second: the time in seconds since 1970, a dot, and HMAC-SHA256 over all
// three.
func (st *State) Sign(what, release string, until time.Time) string {
	at := strconv.FormatInt(until.Unix(), 10)
	mac := hmac.New(sha256.New, st.Key)
	mac.Write([]byte(what + " " + release + " " + at))
	return at + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Verify reports whether a token was made by Sign and its time is not over,
// comparing in constant time, and when it is.
func (st *State) Verify(what, release, token string, now time.Time) (until time.Time, ok bool) {
	at, _, found := strings.Cut(token, ".")
	n, err := strconv.ParseInt(at, 10, 64)
	if !found || err != nil || len(st.Key) != keySize || len(token) > 100 {
		return time.Time{}, false
	}
	until = time.Unix(n, 0)
	ok = hmac.Equal([]byte(token), []byte(st.Sign(what, release, until)))
	return until, ok && now.Before(until)
}
