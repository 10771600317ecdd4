package records

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds, the same over every driver, in bytes.
const (
	MaxKey     = 512
	MaxValue   = 256 << 10
	MaxMark    = 64
	MaxVersion = 128
	MaxList    = 1000 // records, not bytes
)

// lastExpiry is the last second of the year 9999: databases and JSON end there.
var lastExpiry = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// CheckKey returns an *InvalidError unless key is 1–512 bytes of UTF-8 without
// control characters.
func CheckKey(key string) error {
	bad := func(reason string) error { return &InvalidError{"key", shortened(key), reason} }
	switch {
	case key == "":
		return bad("is empty")
	case len(key) > MaxKey:
		return bad(fmt.Sprintf("is %d bytes long, the most is %d; hash the long part of it", len(key), MaxKey))
	case !utf8.ValidString(key):
		return bad("is not UTF-8")
	}
	for _, r := range key {
		if unicode.IsControl(r) {
			return bad("has a control character")
		}
	}
	return nil
}

// CheckMark returns an *InvalidError unless mark is 1–64 of a–z, 0–9 and "-".
// A record without a mark has "".
func CheckMark(mark string) error {
	if mark == "" || len(mark) > MaxMark {
		return &InvalidError{"mark", shortened(mark), fmt.Sprintf("is %d bytes long; a mark is 1–%d", len(mark), MaxMark)}
	}
	for _, r := range mark {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return &InvalidError{"mark", shortened(mark), "has other characters than a–z, 0–9 and -"}
		}
	}
	return nil
}

func checkVersion(version string) error {
	if len(version) > MaxVersion {
		return &InvalidError{"version", shortened(version), fmt.Sprintf("is %d bytes long, the most is %d", len(version), MaxVersion)}
	}
	for i := range len(version) {
		if version[i] < ' ' || version[i] > '~' {
			return &InvalidError{"version", shortened(version), "is not printable ASCII: pass the one that Get, List or Put returned"}
		}
	}
	return nil
}

// checked returns the record as drivers are given it: its expiry a whole
// second, rounded up, so that no record ends early.
func checked(r Record) (Record, error) {
	if len(r.Value) > MaxValue {
		return r, &InvalidError{"value", "", fmt.Sprintf("is %d bytes long, the most is %d: keep the bulk in a bucket", len(r.Value), MaxValue)}
	}
	if r.Mark != "" {
		if err := CheckMark(r.Mark); err != nil {
			return r, err
		}
	}
	if err := checkVersion(r.Version); err != nil {
		return r, err
	}
	if r.Expires.IsZero() {
		return r, nil
	}
	at := r.Expires.UTC().Truncate(time.Second)
	if at.Before(r.Expires) {
		at = at.Add(time.Second)
	}
	if at.Unix() < 1 || at.After(lastExpiry) {
		return r, &InvalidError{"expiry", r.Expires.UTC().Format(time.RFC3339), "is not in the years 1970 to 9999; the zero time is never"}
	}
	r.Expires = at
	return r, nil
}

// shortened keeps a long argument out of logs.
func shortened(s string) string {
	if len(s) <= 64 {
		return s
	}
	return s[:64] + "…"
}
