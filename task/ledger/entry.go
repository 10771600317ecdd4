package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/records"
)

// State of an effect. ABSENT is that there is no record.
type State string

// States of a record.
const (
	StateClaimed State = "claimed"  // somebody is about to bring it about; nothing has happened
	StateSending State = "sending"  // it may be happening
	StateSent    State = "sent"     // it happened
	StateNotSent State = "not-sent" // it certainly did not happen, and may be claimed
	StateUnknown State = "unknown"  // it may have happened
)

// Policy says what follows when nobody knows whether an effect happened.
type Policy string

// Policies.
const (
	// AtMostOnce leaves it to a person: the effect does not begin again
	// before that person has said so.
	AtMostOnce Policy = "at-most-once"
	// AtLeastOnce brings the effect about again after a quarantine, perhaps
	// for the second time.
	AtLeastOnce Policy = "at-least-once"
)

// Bounds of an entry, in bytes unless it says otherwise.
const (
	// MaxKey is the longest key.
	MaxKey = 480
	// MaxResult is the longest result that is kept; what is longer is cut.
	MaxResult = 1024

	maxOwner  = 64
	maxWorker = 128
	maxName   = 128 // of task and queue
	maxRun    = 256
	maxError  = 1024
	maxSends  = 16 // in number
	hashSize  = 64 // of a SHA-256 in hexadecimal
)

// Entry is what the ledger knows of one effect.
type Entry struct {
	Key    string
	State  State
	Policy Policy // of the run that wrote last
	// Epoch counts the claims of the key, Attempt the effects begun.
	Epoch, Attempt int
	// Owner is a random name of the run whose claim or effect it is; each run
	// has its own, and begins at most one effect.
	Owner string
	// Worker is the owner's machine and process, for people.
	Worker string
	// Payload is a SHA-256 in hexadecimal of what the effect is about, or "".
	Payload string
	// At is when the state was written, by the clock of who wrote it; Until
	// when a claim or a quarantine ends, and until when an effect is believed
	// to be under way.
	At, Until time.Time
	// Task, Run and Queue say which task's run it was: its name, its id, and
	// the queue its message came from; each may be "".
	Task, Run, Queue string
	// Result is what the effect returned, an id the provider gave.
	Result string
	// Error is why it was not sent, or is unknown.
	Error string
	// Parked is a random name of the dead letter that came last: since then it is
	// for a person, or for whoever resolves the effect, to send back what runs
	// left that met it UNKNOWN. "" when that was done. See UnknownError.Park.
	Parked string
	// Sends are the owners whose effect is known to have happened: more than
	// one means that it happened more than once. Empty in SENT: a person said so.
	Sends []string
}

// marks by which records are found again: what is not at rest.
const (
	markUnknown = "unknown"
	markSending = "sending"
	markParked  = "parked"
)

// prefix of the ledger's keys in the store, which it shares.
const prefix = "once/"

func (e *Entry) mark() string {
	switch {
	case e.State == StateUnknown:
		return markUnknown
	case e.State == StateSending:
		return markSending
	case e.Parked != "":
		return markParked
	}
	return ""
}

// expires is when the record may go: never while somebody has to see to it.
func (e *Entry) expires(retention time.Duration) time.Time {
	if e.State == StateUnknown || e.State == StateSending {
		return time.Time{}
	}
	return e.At.Add(retention)
}

// overdue reports whether an effect in SENDING has gone without a word from its
// owner for so long that it counts as unknown.
func (e *Entry) overdue(now time.Time, quarantine time.Duration) bool {
	return e.State == StateSending && now.After(e.Until.Add(quarantine))
}

// CheckKey reports what is wrong with a key: it is 1–480 bytes of UTF-8
// without control characters.
func CheckKey(key string) error {
	if len(key) > MaxKey {
		return fmt.Errorf("ledger: the key %.40q… has %d bytes, more than %d", key, len(key), MaxKey)
	}
	if key == "" {
		return fmt.Errorf("ledger: the key is empty: name what must happen once, and to whom")
	}
	if err := records.CheckKey(prefix + key); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

func (e *Entry) check() error {
	switch e.State {
	case StateClaimed, StateSending, StateSent, StateNotSent, StateUnknown:
	default:
		return fmt.Errorf("state %.20q is none of claimed, sending, sent, not-sent, unknown", e.State)
	}
	if e.Policy != AtMostOnce && e.Policy != AtLeastOnce {
		return fmt.Errorf("policy %.20q is neither at-most-once nor at-least-once", e.Policy)
	}
	if e.Epoch < 1 || e.Attempt < 0 || e.Attempt > e.Epoch {
		return fmt.Errorf("epoch %d with attempt %d", e.Epoch, e.Attempt)
	}
	if e.Owner == "" || e.At.IsZero() {
		return fmt.Errorf("owner or at is missing")
	}
	if e.Payload != "" && (len(e.Payload) != hashSize || strings.Trim(e.Payload, "0123456789abcdef") != "") {
		return fmt.Errorf("payload is not a SHA-256 in hexadecimal")
	}
	if len(e.Sends) > maxSends {
		return fmt.Errorf("sends has %d owners, more than %d", len(e.Sends), maxSends)
	}
	for _, f := range []struct {
		name, value string
		max         int
	}{
		{"owner", e.Owner, maxOwner}, {"worker", e.Worker, maxWorker}, {"task", e.Task, maxName},
		{"run", e.Run, maxRun}, {"queue", e.Queue, maxName}, {"result", e.Result, MaxResult}, {"error", e.Error, maxError}, {"parked", e.Parked, maxOwner},
		{"sends", slices.MaxFunc(append(e.Sends, ""), func(a, b string) int { return len(a) - len(b) }), maxOwner},
	} {
		if len(f.value) > f.max || !utf8.ValidString(f.value) {
			return fmt.Errorf("%s has %d bytes, more than %d, or is not UTF-8", f.name, len(f.value), f.max)
		}
	}
	return nil
}

// cut makes text for an entry: valid, printable, at most max bytes.
func cut(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), 4*max)], "\uFFFD"))
	for len(s) > max || !utf8.ValidString(s) {
		s = s[:min(len(s)-1, max)]
	}
	return s
}
