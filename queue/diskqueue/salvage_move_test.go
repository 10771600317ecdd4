package diskqueue

import (
	"errors"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// TestDeadLetterOfADamagedQueue flips a bit in each byte of a checkpoint after
// which a message became a dead letter: the log alone says where it is now.
func TestDeadLetterOfADamagedQueue(t *testing.T) {
	fsys := faultfs.New()
	e, err := open(fsys, busyOptions())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	a := driver.Attributes{Retention: unnamedAttributes.Retention, MaxMessageSize: 1 << 20}
	errs := []error{e.CreateQueue(ctx, "dead", a, nil)}
	a.DeadLetter = &driver.DeadLetter{Queue: "dead", MaxReceives: 1}
	errs = append(errs, e.CreateQueue(ctx, "q", a, nil))
	_, err = e.Send(ctx, "q", []driver.Outgoing{{Body: "m", Delay: -1}})
	errs = append(errs, err)
	receive := func() int {
		m, err := e.Receive(ctx, "q", driver.ReceiveOptions{Max: 1})
		errs = append(errs, err)
		return len(m)
	}
	first := receive()
	errs = append(errs, e.checkpoint())
	second := receive() // moves it
	if err := errors.Join(append(errs, e.SetTags(ctx, "dead", nil))...); err != nil || first != 1 || second != 0 {
		t.Fatal(first, second, err)
	}
	killed := fsys.Kill()
	e.Close()
	for at := range fileSize(t, killed, checkpointName) {
		damaged := killed.Kill()
		damaged.Corrupt(checkpointName, func(b []byte) []byte { b[at] ^= 1; return b })
		if newer(damaged) {
			continue
		}
		found := 0
		x := exportOf(t, damaged, ExportOptions{})
		for _, messages := range x.messages {
			found += len(messages)
		}
		if found != 1 || len(x.damage) == 0 {
			t.Errorf("byte %d: %d messages, damage %+v", at, found, x.damage)
		}
	}
}
