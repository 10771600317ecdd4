package test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFaultsUnderLoad breaks one of three instances while visitors come: dayfly
// takes it out and starts another in its place. What may be sent again does
// not fail; a form that was with the instance gets the page that says that it may
// have been processed, and none is processed twice.
func TestFaultsUnderLoad(t *testing.T) {
	t.Parallel()
	const visitors = 12
	for _, tc := range []struct {
		name   string
		signal syscall.Signal
		forms  int64 // may fail at most
	}{
		{"killed (SIGKILL)", syscall.SIGKILL, visitors / 2},
		{"hangs (SIGSTOP)", syscall.SIGSTOP, visitors / 2},
		{"accepts and never answers", syscall.SIGUSR1, visitors / 2},
		// Until three failures have ejected it, with those under way; and again
		// each time it is tried before its checks have taken it out.
		{"answers garbage", syscall.SIGUSR2, 3 + 4*visitors/2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			record := filepath.Join(t.TempDir(), "forms")
			dir := application(t, fmt.Sprintf(`name = "faults"
[process.web]
command = "%s web"
http = true
health = "/healthz"
instances = { min = 3 }
restart_unhealthy = "1s"
stop_timeout = "1s"
env = { RECORD_FILE = "%s" }
[edge]
hold = "5m"
`, build(t, "./test/app"), record)+anyPorts)
			h := up(t, dir, filepath.Join(dir, ".dayfly"))
			v := visit(t, h.env["SITE_URL"], visitors)
			v.more(t, 50)
			struck := h.group("web").Processes[0].PID
			if err := syscall.Kill(struck, tc.signal); err != nil {
				t.Fatal(err)
			}
			eventually(t, "another runs in its place", func() bool { return whole(h, struck) })
			v.more(t, 50)
			v.leave()
			t.Logf("| %s | %d | %d | %d | %d |", tc.name, v.gets.served.Load(), v.gets.failed.Load(), v.posts.served.Load(), v.posts.failed.Load())
			if n := v.gets.failed.Load(); n > 0 {
				t.Errorf("%d GETs failed, the last: %s", n, v.gets.said())
			}
			if n := v.posts.failed.Load(); n > tc.forms {
				t.Errorf("%d forms failed, at most %d may; the last: %s", n, tc.forms, v.posts.said())
			}
			if n := v.posts.unsure.Load(); n != v.posts.failed.Load() {
				t.Errorf("of %d failed forms %d were told that they may have been processed; the last: %s", v.posts.failed.Load(), n, v.posts.said())
			}
			v.audit(t, record)
			h.down()
			noneLeft(t, h.data)
		})
	}
}

// whole reports whether three instances pass their checks, and the one that was
// struck is none of them.
func whole(h *house, struck int) bool {
	healthy := 0
	for _, p := range h.group("web").Processes {
		if p.PID == struck {
			return false
		}
		if p.State == "running" && p.Healthy {
			healthy++
		}
	}
	return healthy == 3
}
