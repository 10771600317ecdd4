package memcachedserver

import (
	"math"
	"time"

	"github.com/dayfly-dev/dayfly/cache"
)

const (
	maxKey    = cache.MaxKeyLen
	maxFields = 8 // of a command that is not a get; the most any needs is 7

	// A ttl up to 30 days counts from now, one above is a Unix time
	// (memcached's protocol.txt, "Expiration times").
	maxRelative = 60 * 60 * 24 * 30
)

// next cuts the first word off a line; words are separated by spaces. word is
// empty at the end of the line.
func next(line []byte) (word, rest []byte) {
	i := 0
	for i < len(line) && line[i] == ' ' {
		i++
	}
	j := i
	for j < len(line) && line[j] != ' ' {
		j++
	}
	return line[i:j], line[j:]
}

// split puts the words of a line into fields; ok is false if there are too many.
func split(line []byte, fields *[maxFields][]byte) (f [][]byte, ok bool) {
	n := 0
	for {
		var word []byte
		word, line = next(line)
		if len(word) == 0 {
			return fields[:n], true
		}
		if n == maxFields {
			return fields[:n], false
		}
		fields[n] = word
		n++
	}
}

// number reads a decimal number up to limit.
func number(b []byte, limit uint64) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	for _, ch := range b {
		d := uint64(ch - '0')
		if d > 9 || n > (limit-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// expiry reads a ttl of the protocol and returns one of the engine: 0 stays,
// negative means at once.
func expiry(b []byte) (ttl time.Duration, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	n, ok := number(b, math.MaxInt64)
	switch {
	case !ok:
		return 0, false
	case negative && n > 0:
		return -1, true
	case n <= maxRelative:
		return time.Duration(n) * time.Second, true
	}
	// A century is as good as any time beyond it, and fits a Duration.
	const century = 100 * 365 * 24 * time.Hour
	now := time.Now()
	if n > uint64(now.Unix())+uint64(century/time.Second) {
		return century, true
	}
	if d := time.Unix(int64(n), 0).Sub(now); d > 0 {
		return d, true
	}
	return -1, true
}
