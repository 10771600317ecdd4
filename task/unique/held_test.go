package unique

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

func sentKey(t *testing.T, k *Keys, key, id string) {
	t.Helper()
	c, err := k.Claim(t.Context(), Call{Key: key, ID: id, Queue: "q", Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c.Sent(t.Context())
}

// TestHeld: every key that is taken is listed, page by page, with its task, since
// when and until when; one that is free is not.
func TestHeld(t *testing.T) {
	k := New(records.New(memrecords.New()))
	now := time.Now().Truncate(time.Second)
	k.now = func() time.Time { return now }
	want := []string{}
	for i := range 25 {
		key := fmt.Sprintf("mail/send key %02d", i)
		sentKey(t, k, key, fmt.Sprint(i))
		want = append(want, key)
	}
	sentKey(t, k, "import#beef", "done")
	if err := k.Done(t.Context(), "import#beef", "done"); err != nil {
		t.Fatal(err)
	}
	var got []string
	pages := 0
	for from := ""; ; pages++ {
		all, next, err := k.List(t.Context(), from, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range all {
			got = append(got, h.Key)
		}
		if from = next; next == "" {
			break
		}
	}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" || pages == 0 {
		t.Errorf("%d pages\n%s", pages, d)
	}
	h, err := k.Get(t.Context(), want[7])
	if d := cmp.Diff(Held{Key: want[7], ID: "7", Queue: "q", State: "sent", Since: now.UTC(), Until: now.Add(time.Hour).UTC()}, h); d != "" || err != nil {
		t.Error(err, d)
	}
	if h.Task() != "mail/send" || h.Name() != "key 07" {
		t.Errorf("%q, %q", h.Task(), h.Name())
	}
	if h := (Held{Key: "import#beef"}); h.Task() != "import" || h.Name() != "" {
		t.Errorf("%q, %q", h.Task(), h.Name())
	}
	if _, err := k.Get(t.Context(), "import#beef"); !errors.Is(err, ErrNotHeld) {
		t.Errorf("a key that is free: %v", err)
	}
}

// TestRelease: a key is freed only for the task that is named; whose task it is
// next then keeps it, though the first ends after that; and one that a program is
// about to use is left alone until that must be over.
func TestRelease(t *testing.T) {
	k := New(records.New(memrecords.New()))
	now := time.Now()
	k.now = func() time.Time { return now }
	sentKey(t, k, "t x", "1")
	if err := k.Release(t.Context(), "t x", "2"); !errors.Is(err, ErrNotHeld) {
		t.Errorf("by another id: %v", err)
	}
	if err := k.Release(t.Context(), "t x", "1"); err != nil {
		t.Fatal(err)
	}
	if err := k.Release(t.Context(), "t x", "1"); !errors.Is(err, ErrNotHeld) {
		t.Errorf("a second time: %v", err)
	}
	sentKey(t, k, "t x", "2")
	if err := k.Done(t.Context(), "t x", "1"); err != nil { // the first ends
		t.Fatal(err)
	}
	if h, err := k.Get(t.Context(), "t x"); err != nil || h.ID != "2" {
		t.Errorf("%+v, %v", h, err)
	}
	c, err := k.Claim(t.Context(), Call{Key: "t y", ID: "3", Queue: "q", Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Release(t.Context(), "t y", "3"); !errors.Is(err, ErrPending) {
		t.Errorf("while it is about to be sent: %v", err)
	}
	now = now.Add(Lease + time.Second) // its program is stopped, or dead
	if err := k.Release(t.Context(), "t y", "3"); err != nil {
		t.Fatal(err)
	}
	if err := c.Hold(t.Context()); !errors.Is(err, ErrOvertaken) { // so nothing is sent that nobody knows of
		t.Errorf("the program goes on: %v", err)
	}
	if err := k.Release(t.Context(), "t none", "4"); !errors.Is(err, ErrNotHeld) {
		t.Error(err)
	}
	if err := k.Release(t.Context(), "t\x00", "4"); err == nil {
		t.Error("a key that cannot be one was taken")
	}
}
