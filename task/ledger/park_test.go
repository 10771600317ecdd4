package ledger

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// listed are the keys that a person has to see to, with their states.
func listed(t *testing.T, l *Ledger) (all []string) {
	t.Helper()
	for e, err := range l.Unknown(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Key+" "+string(e.State))
	}
	return all
}

func expectListed(t *testing.T, l *Ledger, want ...string) {
	t.Helper()
	if got := listed(t, l); !slices.Equal(got, want) {
		t.Errorf("listed are %q, not %q", got, want)
	}
}

// TestParked: a worker is silent for so long that another parks its message, and
// then comes back and says that it was sent: the letter stays listed until it is
// sent back, and one that came meanwhile beyond that.
func TestParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shaky{Store: memrecords.New()}
		l, other := newLedger(t, s, nil), newLedger(t, s.Store, nil)
		var parked *UnknownError
		_, err := l.Do(t.Context(), Call{Key: "k", Effect: func(context.Context) (string, error) {
			s.breaks(func(int, driver.Record) (error, error) { return errors.New("away"), nil })
			time.Sleep(5 * time.Minute) // of the bubble
			_, err := other.Do(t.Context(), Call{Key: "k", Effect: func(context.Context) (string, error) { t.Error("it began"); return "", nil }})
			if !errors.As(err, &parked) {
				t.Fatal(err)
			}
			if err := parked.Park(t.Context()); err != nil {
				t.Error(err)
			}
			expectListed(t, other, "k unknown")
			s.breaks(nil)
			return "id", nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		expectListed(t, l, "k sent")
		var no *NotUnknownError
		if _, err := l.ResolveNotSent(t.Context(), "k", "ann"); !errors.As(err, &no) {
			t.Errorf("resend of what was sent: %v", err)
		}
		e, err := l.ResolveSent(t.Context(), "k", "ann")
		if err != nil || e.Result != "id" || e.Parked == "" {
			t.Fatalf("%+v, %v", e, err)
		}
		if err := parked.Park(t.Context()); err != nil { // another letter, while the first is sent back
			t.Error(err)
		}
		if err := l.SentBack(t.Context(), e); err != nil {
			t.Error(err)
		}
		expectListed(t, l, "k sent")
		if e, err = l.ResolveSent(t.Context(), "k", "ann"); err == nil {
			err = l.SentBack(t.Context(), e)
		}
		if err != nil {
			t.Error(err)
		}
		expectListed(t, l)
		if r, err := l.Do(t.Context(), Call{Key: "k", Effect: func(context.Context) (string, error) { t.Error("it began"); return "", nil }}); err != nil || r.Result != "id" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// TestParkAmbiguous: a lost answer changes nothing, a store that is away is told,
// and an error that is not of Do says nothing.
func TestParkAmbiguous(t *testing.T) {
	s, n := &shaky{Store: memrecords.New()}, 0
	l := newLedger(t, s, nil)
	_, err := l.Do(t.Context(), Call{Key: "k", Effect: effect(&n, "", errors.New("lost"))})
	var parked *UnknownError
	if !errors.As(err, &parked) {
		t.Fatal(err)
	}
	lost := 1
	s.put = func(int, driver.Record) (before, after error) {
		if lost--; lost >= 0 {
			return nil, errors.New("the answer was lost")
		}
		return nil, nil
	}
	if err := parked.Park(t.Context()); err != nil {
		t.Error(err)
	}
	if e, err := l.Get(t.Context(), "k"); err != nil || e.Parked == "" || e.State != StateUnknown {
		t.Errorf("%+v, %v", e, err)
	}
	s.put = func(int, driver.Record) (before, after error) { return errors.New("away"), nil }
	if err := parked.Park(t.Context()); err == nil {
		t.Error("a store that is away took it")
	}
	if err := (&UnknownError{Key: "k"}).Park(t.Context()); err != nil {
		t.Error(err)
	}
}
