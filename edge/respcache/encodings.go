package respcache

import (
	"maps"
	"sync/atomic"
)

// encodings remembers the forms of the Accept-Encodings that come most: there
// are a few, of browsers, and to read them anew would cost more than all the rest
// of a hit.
type encodings struct {
	known atomic.Pointer[map[string]string]
}

const maxEncodings = 64

func (e *encodings) form(values []string) string {
	if len(values) != 1 || len(values[0]) > 200 {
		return string(appendEncodings(nil, values))
	}
	old := e.known.Load()
	if old != nil {
		if form, ok := (*old)[values[0]]; ok {
			return form
		}
	}
	form := string(appendEncodings(nil, values))
	if old == nil || len(*old) < maxEncodings {
		grown := map[string]string{}
		if old != nil {
			grown = maps.Clone(*old)
		}
		grown[values[0]] = form
		e.known.CompareAndSwap(old, &grown) // another's entry is as good
	}
	return form
}
