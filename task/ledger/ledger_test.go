package ledger

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

func newLedger(t *testing.T, s driver.Store, o *Options) *Ledger {
	t.Helper()
	l, err := New(records.New(s), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// effect counts and returns.
func effect(n *int, result string, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { *n++; return result, err }
}

func TestOnce(t *testing.T) {
	l, n := newLedger(t, memrecords.New(), nil), 0
	r, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "id-1", nil)})
	if err != nil || r.Result != "id-1" || r.Duplicate {
		t.Fatalf("%+v, %v", r, err)
	}
	r, err = l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "id-2", nil)})
	if err != nil || r.Result != "id-1" || !r.Duplicate || n != 1 {
		t.Errorf("%+v, %v after %d effects", r, err, n)
	}
}

func TestNotSentBeginsAgain(t *testing.T) {
	l, n, no := newLedger(t, memrecords.New(), nil), 0, errors.New("refused")
	if _, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", NotSent(no))}); !errors.Is(err, no) {
		t.Error(err)
	}
	if _, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil), Prepare: func(context.Context) error { return no }}); !errors.Is(err, no) || n != 1 {
		t.Errorf("%v after %d effects", err, n)
	}
	if _, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil)}); err != nil || n != 2 {
		t.Errorf("%v after %d effects", err, n)
	}
}

func TestUnknownIsParked(t *testing.T) {
	for name, fail := range map[string]func(context.Context) (string, error){
		"an error": func(context.Context) (string, error) { return "", errors.New("connection lost") },
		"a panic":  func(context.Context) (string, error) { panic("connection lost") },
		"an exit":  func(context.Context) (string, error) { runtime.Goexit(); return "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			l, n := newLedger(t, memrecords.New(), nil), 0
			if _, err := l.Do(t.Context(), Call{Key: "k", Effect: fail}); !errors.Is(err, ErrUnknown) {
				t.Errorf("at first: %v", err)
			}
			if _, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil)}); !errors.Is(err, ErrUnknown) || n != 0 {
				t.Errorf("then: %v after %d effects", err, n)
			}
			var found []string
			for e, err := range l.Unknown(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, e.Key)
			}
			if !slices.Equal(found, []string{"k"}) {
				t.Errorf("unknown: %q", found)
			}
			if _, err := l.ResolveNotSent(t.Context(), "k", "ann"); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil)}); err != nil || n != 1 {
				t.Errorf("after a resend: %v after %d effects", err, n)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	l, n := newLedger(t, memrecords.New(), nil), 0
	if _, err := l.ResolveSent(t.Context(), "k", "ann"); !errors.Is(err, ErrNoEntry) {
		t.Errorf("absent: %v", err)
	}
	l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", errors.New("lost"))})
	e, err := l.ResolveSent(t.Context(), "k", "ann")
	if err != nil || e.State != StateSent || !strings.Contains(e.Error, "ann") {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil)}); err != nil || n != 1 {
		t.Errorf("%v after %d effects", err, n)
	}
	var no *NotUnknownError
	if _, err := l.ResolveNotSent(t.Context(), "k", "ann"); !errors.As(err, &no) || no.Entry.State != StateSent {
		t.Errorf("resend of what was sent: %v", err)
	}
}

func TestAtLeastOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, n := newLedger(t, memrecords.New(), nil), 0
		var again *UncertainError
		c := Call{Key: "k", Policy: AtLeastOnce, Effect: effect(&n, "", errors.New("lost"))}
		if _, err := l.Do(t.Context(), c); !errors.As(err, &again) || time.Until(again.Until) != DefaultQuarantine {
			t.Fatalf("%v", err)
		}
		c.Effect = effect(&n, "", nil)
		var held *HeldError
		if _, err := l.Do(t.Context(), c); !errors.As(err, &held) || n != 1 {
			t.Fatalf("in quarantine: %v after %d effects", err, n)
		}
		time.Sleep(DefaultQuarantine + time.Second) // of the bubble
		if _, err := l.Do(t.Context(), c); err != nil || n != 2 {
			t.Errorf("after it: %v after %d effects", err, n)
		}
	})
}

// TestHeartbeat: an effect ten times as long as lease and quarantine is not
// declared unknown, and one whose worker stopped to say so is.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shaky{Store: memrecords.New()}
		l, n := newLedger(t, s, nil), 0
		other := newLedger(t, s.Store, nil)
		var held *HeldError
		_, err := l.Do(t.Context(), Call{Key: "k", Effect: func(context.Context) (string, error) {
			for range 20 {
				time.Sleep(time.Minute) // of the bubble
				if _, err := other.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil)}); !errors.As(err, &held) {
					t.Errorf("while it is under way: %v", err)
				}
			}
			// The store is lost to the owner, for too long, and is back
			// between two of its beats: at a beat's own instant either
			// could come first.
			s.breaks(func(int, driver.Record) (error, error) { return errors.New("away"), nil })
			time.Sleep(5*time.Minute + DefaultLease/6)
			s.breaks(nil)
			if _, err := other.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil)}); !errors.Is(err, ErrUnknown) {
				t.Errorf("after silence: %v", err)
			}
			return "id", nil
		}})
		if err != nil || n != 0 {
			t.Errorf("%v; %d effects of others", err, n)
		}
		if e, err := l.Get(t.Context(), "k"); err != nil || e.State != StateSent || e.Result != "id" {
			t.Errorf("who knows did not have the last word: %+v, %v", e, err)
		}
	})
}

// TestStoreFails fails each write in turn, before and after it happened: the
// effect happens at most once, and an error that is nil is the truth.
func TestStoreFails(t *testing.T) {
	away := errors.New("away")
	for n := 1; n <= 3; n++ {
		for _, landed := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s, effects := &shaky{Store: memrecords.New()}, 0
				s.put = func(i int, _ driver.Record) (before, after error) {
					switch {
					case i != n:
						return nil, nil
					case landed:
						return nil, away
					}
					return away, nil
				}
				l := newLedger(t, s, nil)
				if _, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&effects, "", nil)}); err != nil || effects != 1 {
					t.Errorf("write %d failed once (landed: %v): %v after %d effects", n, landed, err, effects)
				}
			})
		}
	}
}

// TestUnreachable: a store that does not answer has nothing sent, and one that
// falls silent in the effect leaves it to be found as unknown.
func TestUnreachable(t *testing.T) {
	away := errors.New("away")
	for last := range 3 { // the last write that works
		synctest.Test(t, func(t *testing.T) {
			s, n := &shaky{Store: memrecords.New()}, 0
			s.put = func(i int, _ driver.Record) (before, after error) {
				if i > last {
					s.get = func() error { return away }
					return away, nil
				}
				return nil, nil
			}
			l := newLedger(t, s, nil)
			_, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil)})
			var unrecorded *UnrecordedError
			if last < 2 && (!errors.Is(err, ErrUnreachable) || n != 0) || last == 2 && (!errors.As(err, &unrecorded) || !unrecorded.Sent || n != 1) {
				t.Errorf("after %d writes: %v after %d effects", last, err, n)
			}
			s.get, s.put = nil, nil
			time.Sleep(time.Hour) // of the bubble
			_, err = l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil)})
			if last < 2 && (err != nil || n != 1) || last == 2 && (!errors.Is(err, ErrUnknown) || n != 1) {
				t.Errorf("after %d writes and an hour: %v after %d effects", last, err, n)
			}
		})
	}
}

// TestStopped: a context that ends before the effect has nothing sent.
func TestStopped(t *testing.T) {
	l, n := newLedger(t, memrecords.New(), nil), 0
	ctx, cancel := context.WithCancel(t.Context())
	_, err := l.Do(ctx, Call{Key: "k", Effect: effect(&n, "", nil), Prepare: func(context.Context) error { cancel(); return nil }})
	if !errors.Is(err, context.Canceled) || n != 0 {
		t.Errorf("%v after %d effects", err, n)
	}
	if _, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", nil)}); err != nil || n != 1 {
		t.Errorf("the next: %v after %d effects", err, n)
	}
}

func TestPayload(t *testing.T) {
	l, n := newLedger(t, memrecords.New(), nil), 0
	a, b := Hash([]byte("a")), Hash([]byte("b"))
	var other *PayloadError
	for _, c := range []struct {
		payload string
		refused bool
	}{{a, false}, {b, true}, {a, false}, {"", false}} {
		_, err := l.Do(t.Context(), Call{Key: "k", Payload: c.payload, Effect: effect(&n, "", nil)})
		if errors.As(err, &other) != c.refused || !c.refused && err != nil {
			t.Errorf("%.4s: %v", c.payload, err)
		}
	}
	if n != 1 {
		t.Errorf("%d effects", n)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{Lease: time.Millisecond}, {Lease: -1}, {Quarantine: 48 * time.Hour}, {Retention: 14 * 24 * time.Hour}} {
		if _, err := New(records.New(memrecords.New()), &o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	l := newLedger(t, memrecords.New(), nil)
	for _, key := range []string{"", "a\nb", strings.Repeat("k", MaxKey+1), "\xff"} {
		if _, err := l.Do(t.Context(), Call{Key: key, Effect: func(context.Context) (string, error) { return "", nil }}); err == nil {
			t.Errorf("%.20q was taken", key)
		}
	}
}
