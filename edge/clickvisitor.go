package edge

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

const (
	// maxVisits bounds what is remembered of one day; beyond, nobody is new.
	maxVisits = 200_000
	// Who follows more than burstLinks links within burstTime is a program that
	// says it is a browser, as scanners of mail do.
	burstLinks = 10
	burstTime  = 10 * time.Second
	maxBursts  = 10_000
	// visitsPerLine is how many of a file's line, of 19 bytes each.
	visitsPerLine = 100
)

// clicker is who followed a link, as far as it is looked at.
type clicker struct {
	person bool   // by what the request says of itself
	client string // address
	agent  string // User-Agent
}

// visitors tells the people of one day apart. What it keeps of them are hashes
// with a salt that ends with the day; then nobody can try addresses out.
type visitors struct {
	day  string // of the salt; "": none yet
	salt [32]byte
	seen map[uint64]struct{} // who followed which link

	bursts map[uint64]int // links that one followed since
	since  time.Time
}

// begin makes a salt for a day, and forgets those of the day before.
func (v *visitors) begin(day string) {
	v.day, v.seen, v.bursts = day, map[uint64]struct{}{}, nil
	rand.Read(v.salt[:]) //nolint:errcheck // it never fails
}

// hash is of parts, with the day's salt.
func (v *visitors) hash(parts ...string) uint64 {
	h := hmac.New(sha256.New, v.salt[:])
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// first reports whether one follows a link for the first time that day, and what
// is to be remembered of it.
func (v *visitors) first(by clicker, campaign, path string) (visit uint64, first bool) {
	visit = v.hash(by.client, by.agent, campaign, path)
	_, known := v.seen[visit]
	if known || len(v.seen) >= maxVisits {
		return 0, false
	}
	v.seen[visit] = struct{}{}
	return visit, true
}

// hurries reports whether one follows more links than a person does.
func (v *visitors) hurries(by clicker, now time.Time) bool {
	if v.bursts == nil || now.Sub(v.since) > burstTime || now.Before(v.since) || len(v.bursts) >= maxBursts {
		v.bursts, v.since = map[uint64]int{}, now
	}
	who := v.hash(by.client, by.agent)
	v.bursts[who]++
	return v.bursts[who] > burstLinks
}

// lines are what a file has to say of the day.
func (v *visitors) lines() []clickLine {
	if v.day == "" {
		return nil
	}
	all := []clickLine{{Day: v.day, Salt: hex.EncodeToString(v.salt[:])}}
	var next clickLine
	for visit := range v.seen {
		if next.Seen = append(next.Seen, visitText(visit)); len(next.Seen) == visitsPerLine {
			next.Day = v.day
			all, next = append(all, next), clickLine{}
		}
	}
	if len(next.Seen) > 0 {
		next.Day = v.day
		all = append(all, next)
	}
	return all
}

// recall takes what a line of the file says of the day.
func (v *visitors) recall(c clickLine, today string) error {
	if c.Day != today {
		return nil
	}
	if c.Salt != "" {
		salt, err := hex.DecodeString(c.Salt)
		if err != nil || len(salt) != len(v.salt) {
			return fmt.Errorf("%q is no salt", c.Salt)
		}
		v.begin(c.Day)
		copy(v.salt[:], salt)
	}
	for _, text := range c.Seen {
		visit, err := hex.DecodeString(text)
		if err != nil || len(visit) != 8 {
			return fmt.Errorf("%q is no visit", text)
		}
		if v.day == today && len(v.seen) < maxVisits {
			v.seen[binary.BigEndian.Uint64(visit)] = struct{}{}
		}
	}
	return nil
}

func visitText(visit uint64) string { return fmt.Sprintf("%016x", visit) }
