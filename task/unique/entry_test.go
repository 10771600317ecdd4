package unique

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEntryFormat: what doc/formats/task-records.md says is what is written.
func TestEntryFormat(t *testing.T) {
	e := entry{"k", pending, "0b6e", "default", "X3OK", epoch, epoch.Add(Lease)}
	value, err := e.encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"v":1,"state":"pending","id":"0b6e","queue":"default","owner":"X3OK","at":"2027-01-15T08:00:00Z","until":"2027-01-15T08:00:30Z"}`
	if d := cmp.Diff(want, string(value)); d != "" {
		t.Error(d)
	}
	got, err := decode("k", value)
	if err != nil || got != e {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEntryBad(t *testing.T) {
	good := `{"v":1,"state":"sent","id":"1","queue":"q","owner":"o","at":"2027-01-15T08:00:00Z"}`
	if _, err := decode("k", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"newer":      {`"v":1`, `"v":2`},
		"no version": {`"v":1`, `"v":0`},
		"state":      {`"sent"`, `"gone"`},
		"no lease":   {`"sent"`, `"pending"`},
		"no id":      {`"id":"1"`, `"id":""`},
		"long id":    {`"id":"1"`, `"id":"` + strings.Repeat("x", 257) + `"`},
		"no owner":   {`"owner":"o"`, `"owner":""`},
		"unknown":    {`"v":1`, `"v":1,"hold":true`},
		"time":       {`2027-01`, `2027-13`},
		"tail":       {`Z"}`, `Z"} {}`},
		"huge":       {`"queue":"q"`, `"queue":"` + strings.Repeat("x", maxEntry) + `"`},
	} {
		if e, err := decode("k", []byte(strings.Replace(good, change[0], change[1], 1))); err == nil {
			t.Errorf("%s was taken: %+v", name, e)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"state":"pending","id":"1","queue":"q","owner":"o","at":"2027-01-15T08:00:00Z","until":"2027-01-15T08:00:30Z"}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := decode("k", value)
		if err != nil {
			return
		}
		again, err := e.encode()
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", value, err)
		}
		if len(again) > maxEntry {
			t.Fatalf("%d bytes are written", len(again))
		}
	})
}

func TestCallBad(t *testing.T) {
	for name, c := range map[string]Call{
		"no key":   {Window: time.Hour},
		"long key": {Key: strings.Repeat("k", maxOfKey+1), Window: time.Hour},
		"control":  {Key: "a\nb", Window: time.Hour},
		"not UTF8": {Key: "\xff", Window: time.Hour},
		"short":    {Key: "k", Window: time.Millisecond},
		"long":     {Key: "k", Window: 367 * 24 * time.Hour},
	} {
		if c.check() == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
