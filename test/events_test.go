package test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
)

// TestEvents has Chromium's EventSource take events through dayfly: each as it is
// sent, and behind the last it had when the instance was replaced or died.
func TestEvents(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	app := build(t, "./test/edgeapp")
	dir := application(t, fmt.Sprintf("name = \"events\"\n[process.web]\ncommand = \"%s events\"\nhttp = true\nhealth = \"/healthz\"\n", app)+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))

	b.open(h.env["SITE_URL"] + "/")
	b.until("seen.length >= 5")
	if breaks := ask[int](b, "breaks"); breaks > 0 {
		t.Errorf("%d breaks while nothing happened", breaks)
	}
	h.cli("restart", "web")
	b.until(fmt.Sprintf("seen.at(-1).pid === %d", h.group("web").Processes[0].PID))
	before := h.group("web").Processes[0].PID
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.until(fmt.Sprintf("new Set(seen.map(e => e.pid)).size === 3 && seen.at(-1).pid !== %d", before))

	ids := ask[[]int](b, "seen.map(e => e.id)")
	for i, id := range ids {
		if id != i+1 {
			t.Fatalf("event %d has the number %d: one was lost or came twice", i+1, id)
		}
	}
	t.Logf("%d events of 3 processes, one by one, after %d breaks", len(ids), ask[int](b, "breaks"))
	h.down()
}
