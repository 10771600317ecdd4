package manifest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span written with a unit: "90s", "2m", "1h30m", "4d".
type Duration time.Duration

// UnmarshalText reads a duration; d (24 h) may lead the units of Go's
// time.ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := parseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// String is the duration with the units that a person would write: 12h, not
// 12h0m0s.
func (d Duration) String() string { return plain(time.Duration(d)) }

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration; write a number with a unit, such as \"30s\", \"2m\", \"1h30m\" or \"4d\"", s)
	var days time.Duration
	rest := s
	if before, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil || n > 36500 {
			return 0, bad
		}
		days, rest = time.Duration(n)*24*time.Hour, after
		if rest == "" {
			return days, nil
		}
	}
	v, err := time.ParseDuration(rest)
	if err != nil || v < 0 || v > math.MaxInt64-days {
		return 0, bad
	}
	return days + v, nil
}

// Size is a number of bytes written with a unit: "64MiB", "1GiB", "500kB".
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalText reads a size; a number without a unit is an error.
func (z *Size) UnmarshalText(text []byte) error {
	s := string(text)
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			break
		}
		*z = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size; write a number with a unit, such as \"64MiB\" or \"500kB\"", s)
}

// String is the size with the largest binary unit it is a whole number of:
// 64MiB, not 67108864B.
func (z Size) String() string {
	n, unit := int64(z), "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, larger
	}
	return strconv.FormatInt(n, 10) + unit
}

// plain drops zero minutes and seconds, and writes whole days as such.
func plain(d time.Duration) string {
	if d > 0 && d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
