package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func full() Entry {
	at := time.Date(2026, 11, 21, 19, 0, 0, 123, time.UTC)
	return Entry{
		Key: "digest/1/ann@example.com", State: StateUnknown, Policy: AtMostOnce, Epoch: 3, Attempt: 2, Owner: "OWNER", Worker: "host/1",
		Payload: Hash([]byte("x")), At: at, Until: at.Add(time.Minute), Task: "digest", Run: "id", Queue: "default",
		Result: "r", Error: "lost", Sends: []string{"A", "B"},
	}
}

func TestEncode(t *testing.T) {
	e := full()
	value, err := e.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(e.Key, value)
	if diff := cmp.Diff(e, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// TestLargest: the largest entry there can be is readable.
func TestLargest(t *testing.T) {
	long := func(n int) string { return strings.Repeat("\x7f\"<", n)[:n] }
	e := full()
	e.Owner, e.Worker, e.Task, e.Queue = long(maxOwner), long(maxWorker), long(maxName), long(maxName)
	e.Run, e.Result, e.Error = long(maxRun), long(MaxResult), long(maxError)
	e.Sends = nil
	for range maxSends {
		e.Sends = append(e.Sends, long(maxOwner))
	}
	value, err := e.encode()
	if err != nil || len(value) > maxEntry {
		t.Fatalf("%d bytes, %v", len(value), err)
	}
	if _, err := decode(e.Key, value); err != nil {
		t.Error(err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := `{"v":1,"state":"sent","policy":"at-most-once","epoch":1,"attempt":1,"owner":"O","at":"2026-11-21T19:00:00Z"}`
	if _, err := decode("k", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"not JSON":        {`{"v"`, `{"v`},
		"a newer version": {`"v":1`, `"v":2`},
		"no version":      {`"v":1`, `"v":0`},
		"a new member":    {`"v":1`, `"v":1,"hold":true`},
		"a state":         {`"sent"`, `"perhaps"`},
		"a policy":        {`at-most-once`, `at-most-twice`},
		"an epoch":        {`"epoch":1`, `"epoch":0`},
		"an attempt":      {`"attempt":1`, `"attempt":2`},
		"no owner":        {`"O"`, `""`},
		"no time":         {`2026-11-21T19:00:00Z`, `yesterday`},
		"a payload":       {`"v":1`, `"v":1,"payload":"abc"`},
		"something after": {`Z"}`, `Z"}{}`},
		"too large":       {`"O"`, `"` + strings.Repeat("O", maxEntry) + `"`},
		"a long owner":    {`"O"`, `"` + strings.Repeat("O", maxOwner+1) + `"`},
	} {
		_, err := decode("k", []byte(strings.Replace(good, change[0], change[1], 1)))
		if err == nil || !strings.Contains(err.Error(), "nothing is sent") {
			t.Errorf("%s: %v", name, err)
		}
		if newer := name == "a newer version"; errors.Is(err, ErrNewer) != newer {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCut(t *testing.T) {
	for in, want := range map[string]string{"": "", "abc": "abc", "abcdefghi": "abcdefgh", "äöüßx": "äöüß", "a\nb\xff": "a b\uFFFD"} {
		if got := cut(in, 8); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzDecode: what is read can be written, and then reads the same.
func FuzzDecode(f *testing.F) {
	e := full()
	value, err := e.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := decode("k", value)
		if err != nil {
			return
		}
		again, err := e.encode()
		if err != nil {
			t.Fatalf("read and cannot be written: %v", err)
		}
		back, err := decode("k", again)
		if diff := cmp.Diff(e, back); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}
