package cache

import "strconv"

// MaxKeyLen is the longest key in bytes, memcached's bound.
const MaxKeyLen = 250

// CheckKey returns an *InvalidError unless key is 1–250 bytes without spaces
// and control characters (bytes up to 0x20, and 0x7f). Any other byte may be
// in a key, so UTF-8 is fine; length counts bytes.
func CheckKey(key string) error {
	if key == "" {
		return &InvalidError{Field: "key", Reason: "is empty"}
	}
	if len(key) > MaxKeyLen {
		return &InvalidError{Field: "key", Value: key[:32] + "…",
			Reason: "is " + strconv.Itoa(len(key)) + " bytes long, the most is " + strconv.Itoa(MaxKeyLen) + "; hash the long part of it"}
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return &InvalidError{Field: "key", Value: key, Reason: "has a space or control character"}
		}
	}
	return nil
}
