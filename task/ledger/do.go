package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Call is one effect.
type Call struct {
	// Key names what must happen once: a business key and who gets it, as
	// "digest/2026-11-21/ann@example.com". See CheckKey.
	Key string
	// Payload is a hash of what the effect is about, as Hash makes it; the
	// same key with another is an error. "" compares with nothing.
	Payload string
	// Policy; default AtMostOnce.
	Policy Policy
	// Effect brings it about and returns what is to be kept of it, at most
	// MaxResult bytes. nil: it happened. NotSent: it certainly did not. Any
	// other error, a panic, or runtime.Goexit: nobody knows. It should not
	// try again by itself.
	Effect func(context.Context) (result string, err error)
	// Prepare runs before, while the key is claimed and nothing can have
	// happened: what can fail or take time without harm. Default nothing. If it
	// takes longer than the lease another run may take the claim over.
	Prepare func(context.Context) error
	// Task, Run and Queue are kept for whoever looks at the record.
	Task, Run, Queue string
}

// Receipt of an effect that happened.
type Receipt struct {
	Result    string // what the effect returned, the first time
	Duplicate bool   // it had happened before
}

// Hash is the payload of some bytes.
func Hash(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:])
}

// Do brings the effect about, unless the ledger knows that it happened. The
// error is nil exactly if it is on record as having happened. Else it is an
// *UnknownError, an *UncertainError, a *HeldError, a *PayloadError, an
// *UnrecordedError, one that wraps ErrUnreachable, or, when it certainly did
// not happen, what the effect or Prepare returned.
//
// When ctx ends before the effect begins nothing is sent. The effect gets ctx;
// what it then returns is recorded though ctx ended, for which Do takes up to
// half a minute when the store does not answer.
func (l *Ledger) Do(ctx context.Context, c Call) (Receipt, error) {
	if err := c.check(); err != nil {
		return Receipt{}, err
	}
	if c.Policy == "" {
		c.Policy = AtMostOnce
	}
	d := &drive{Ledger: l, call: c}
	d.attempt.terms = terms{
		key: c.Key, owner: rand.Text(), worker: l.worker, payload: c.Payload, policy: c.Policy,
		lease: l.o.Lease, quarantine: l.o.Quarantine,
		task: cut(c.Task, maxName), run: cut(c.Run, maxRun), queue: cut(c.Queue, maxName),
	}
	d.run(ctx)
	return d.receipt()
}

func (c *Call) check() error {
	if err := CheckKey(c.Key); err != nil {
		return err
	}
	switch {
	case c.Effect == nil:
		return fmt.Errorf("ledger: %q: there is no effect", c.Key)
	case c.Payload != "" && len(c.Payload) != hashSize:
		return fmt.Errorf("ledger: %q: the payload is no hash: use Hash", c.Key)
	case c.Policy != "" && c.Policy != AtMostOnce && c.Policy != AtLeastOnce:
		return fmt.Errorf("ledger: %q: policy %q is neither AtMostOnce nor AtLeastOnce", c.Key, c.Policy)
	}
	return nil
}

// receipt puts the verdict into the words of Do.
func (d *drive) receipt() (Receipt, error) {
	key, v := d.call.Key, d.attempt.end
	switch v.ending {
	case endSent:
		if len(v.entry.Sends) > 1 {
			d.o.Log.Error("an effect happened more than once", "key", key, "times", len(v.entry.Sends), "policy", d.call.Policy)
		}
		return Receipt{Result: v.entry.Result}, nil
	case endDuplicate:
		return Receipt{Result: v.entry.Result, Duplicate: true}, nil
	case endNotSent:
		if d.effectErr == nil { // it was not even begun
			d.effectErr = NotSent(fmt.Errorf("ledger: %q: not sent: %s", key, d.attempt.outcome.why))
		}
		return Receipt{}, d.effectErr
	case endUnknown:
		return Receipt{}, &UnknownError{Key: key, Entry: v.entry, Err: d.effectErr, ledger: d.Ledger}
	case endAgain:
		return Receipt{}, &UncertainError{Key: key, Until: v.until, Err: d.effectErr}
	case endHeld:
		return Receipt{}, &HeldError{Key: key, Entry: v.entry, Until: v.until}
	case endPayload:
		return Receipt{}, &PayloadError{Key: key, Entry: v.entry}
	case endUnrecorded:
		return Receipt{}, &UnrecordedError{Key: key, Sent: d.attempt.outcome.fate == fateSent, Err: errors.Join(d.storeErr, d.effectErr)}
	}
	if unread, ok := errors.AsType[*unreadableError](d.storeErr); ok {
		return Receipt{}, unread // the store is there
	}
	return Receipt{}, fmt.Errorf("ledger: %q: %w: %w", key, ErrUnreachable, d.storeErr)
}
