package drivertest

import (
	"math"
	"strings"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

func numbers(s *suite) {
	for _, tc := range []struct {
		start string
		delta uint64
		down  bool
		want  uint64
	}{
		{"0", 1, false, 1},
		{"41", 1, false, 42},
		{"99", 1, false, 100},
		{"18446744073709551615", 2, false, 1},
		{"0", math.MaxUint64, false, math.MaxUint64},
		{"5", 0, false, 5},
		{"10", 1, true, 9},
		{"5", 6, true, 0},
		{"18446744073709551615", 1, true, math.MaxUint64 - 1},
		{"0007", 1, false, 8},
	} {
		s.set("n", tc.start, 0)
		do := s.c.Increment
		if tc.down {
			do = s.c.Decrement
		}
		got, err := do(s.ctx, "n", tc.delta)
		if err != nil || got != tc.want {
			s.Errorf("%s changed by %d (down: %v): %d, %v; want %d", tc.start, tc.delta, tc.down, got, err, tc.want)
		}
		// What was returned is what is there.
		if again, err := s.c.Increment(s.ctx, "n", 0); err != nil || again != tc.want {
			s.Errorf("then %d, %v; want %d", again, err, tc.want)
		}
	}
}

func numbersRefused(s *suite) {
	_, err := s.c.Increment(s.ctx, "n", 1)
	s.fails(err, driver.ErrNotFound)
	_, err = s.c.Decrement(s.ctx, "n", 1)
	s.fails(err, driver.ErrNotFound)
	s.hasNot("n")
	for _, value := range []string{"", "x", "-1", "1x", "1.5", strings.Repeat("9", 40), "18446744073709551616"} {
		s.set("n", value, 0)
		_, err := s.c.Increment(s.ctx, "n", 1)
		s.fails(err, driver.ErrNotNumber)
		_, err = s.c.Decrement(s.ctx, "n", 1)
		s.fails(err, driver.ErrNotNumber)
		s.has("n", value)
	}
}
