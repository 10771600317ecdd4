package limit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// usageOf is what the record of the limit says.
func usageOf(t *testing.T, s *records.Store) Usage {
	t.Helper()
	all, next, err := List(t.Context(), s, "", 10)
	if err != nil || next != "" || len(all) != 1 {
		t.Fatal(all, next, err)
	}
	return all[0]
}

// TestUsage: what a limit's record tells people is what holds: places and who has
// them, who waits, who was sent away and until when; and it ends by itself.
func TestUsage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := records.New(memrecords.New())
		first, second := NewBook(store), NewBook(store)
		terms := Terms{Concurrency: 3}
		var held []*Place
		for _, b := range []*Book{first, first, second} {
			p, err := b.Take(t.Context(), "q t=ann", terms)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, p)
		}
		answered := make(chan error, 1)
		go func() {
			_, err := second.Take(t.Context(), "q t=ann", terms)
			answered <- err
		}()
		time.Sleep(time.Second) // of the bubble
		if d := cmp.Diff(Usage{Name: "q t=ann", Terms: terms, Used: 3, Workers: 2, Waiting: 1}, usageOf(t, store)); d != "" {
			t.Errorf("while one waits:\n%s", d)
		}
		if err := <-answered; err == nil {
			t.Fatal("a fourth was let in")
		}
		synctest.Wait()
		u := usageOf(t, store)
		if u.Waiting != 0 || !u.Back.After(time.Now().Add(time.Second)) || u.Back.After(time.Now().Add(MaxPause)) {
			t.Errorf("after it was sent away: %+v", u)
		}
		for _, p := range held {
			p.Release()
		}
		first.Close()
		second.Close()
		time.Sleep(time.Minute)
		if d := cmp.Diff(Usage{Name: "q t=ann", Terms: terms}, usageOf(t, store)); d != "" {
			t.Errorf("a minute later:\n%s", d)
		}
		time.Sleep(2 * time.Hour)
		if all, _, err := List(t.Context(), store, "", 10); err != nil || len(all) != 0 {
			t.Errorf("after two hours: %v, %v", all, err)
		}
	})
}

// TestUsageRate: how many may begin at once, and when the next.
func TestUsageRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := records.New(memrecords.New())
		b := NewBook(store)
		terms := Terms{Rate: 1, Per: 10 * time.Second, Burst: 3}
		for want := 2; want >= 0; want-- {
			p, err := b.Take(t.Context(), "l", terms)
			if err != nil {
				t.Fatal(err)
			}
			p.Release()
			if u := usageOf(t, store); u.Free != want || (want == 0) != u.Next.After(time.Now()) {
				t.Errorf("%d may begin at once, the next at %v; want %d", u.Free, u.Next, want)
			}
		}
		begun := time.Now()
		if u := usageOf(t, store); u.Next.Sub(begun) > 10*time.Second {
			t.Errorf("the next begins in %v", u.Next.Sub(begun))
		}
		time.Sleep(11 * time.Second)
		if u := usageOf(t, store); u.Free != 1 {
			t.Errorf("after 11 s %d may begin", u.Free)
		}
		b.Close()
	})
}

// TestUsageBroken: one record that cannot be read hides none of the others.
func TestUsageBroken(t *testing.T) {
	store := records.New(memrecords.New())
	for key, value := range map[string]string{"limit/bad": `{"v":1,"holders":{"x":{"n":0}}}`, "limit/good": `{"v":1}`, "other": `{}`} {
		if _, err := store.Put(t.Context(), records.Record{Key: key, Value: []byte(value), Mark: mark}); err != nil {
			t.Fatal(err)
		}
	}
	all, _, err := List(t.Context(), store, "", 10)
	if err == nil || len(all) != 1 || all[0].Name != "good" {
		t.Errorf("%+v, %v", all, err)
	}
}
