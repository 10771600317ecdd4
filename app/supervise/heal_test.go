package supervise

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hang stops the process of an instance and has the front say that it fails
// its checks, as the edge would.
func (f *front) hang(t *testing.T, s Status) {
	t.Helper()
	if err := syscall.Kill(s.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down == nil {
		f.down = map[string]time.Time{}
	}
	f.down[s.Target] = time.Now()
}

// An instance that hangs is replaced after its time, without a gap, and ended.
func TestHungInstanceIsReplaced(t *testing.T) {
	spec, o, f, out := webFixture(t)
	spec.RestartUnhealthy, spec.StopTimeout = 50*time.Millisecond, 50*time.Millisecond
	g := startReady(t, spec, o)
	before := g.Status()[0]
	f.hang(t, before)
	eventually(t, "another instance", func() bool {
		s := g.Status()[0]
		return s.State == Running && s.PID != 0 && s.PID != before.PID && !alive(before.PID)
	})
	s := g.Status()[0]
	if s.Restarts != 1 || !strings.Contains(s.LastExit, "did not pass its health check for") || !strings.Contains(s.LastExit, "no answer to GET /healthz") {
		t.Errorf("%+v", s)
	}
	out.wait(t, "it is replaced")
	f.mu.Lock()
	defer f.mu.Unlock()
	if want := []string{"add", "add", "drain"}; !slices.Equal(f.events, want) {
		t.Errorf("the front was told %v, want %v", f.events, want)
	}
}

// Where a successor does not become healthy either, the instance stays and may
// recover; it is tried again later and later.
func TestUnhealthyInstanceWithoutSuccessorStays(t *testing.T) {
	t.Parallel()
	spec, o, f, out := webFixture(t)
	spec.RestartUnhealthy, spec.StartTimeout = 20*time.Millisecond, slowStart
	g := startReady(t, spec, o)
	before := g.Status()[0]
	sick := filepath.Join(spec.Dir, "sick")
	if err := os.WriteFile(sick, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.down = map[string]time.Time{before.Target: time.Now()}
	f.mu.Unlock()
	out.wait(t, "has no successor (it did not answer its health check within "+slowStart.String()+")")
	if s := g.Status()[0]; s.PID != before.PID || s.State != Running || s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
	f.mu.Lock()
	clear(f.down)
	f.mu.Unlock()
	if err := os.Remove(sick); err != nil {
		t.Fatal(err)
	}
	if err := g.Restart(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// Of two that hang, one is replaced after the other.
func TestUnhealthyInstancesAreReplacedInTurn(t *testing.T) {
	spec, o, f, _ := webFixture(t)
	spec.RestartUnhealthy, spec.StopTimeout, spec.Instances = 20*time.Millisecond, 50*time.Millisecond, 2
	g := startReady(t, spec, o)
	all := g.Status()
	for _, s := range all {
		f.hang(t, s)
	}
	eventually(t, "both replaced", func() bool {
		for i, s := range g.Status() {
			if s.State != Running || s.Restarts != 1 || s.PID == all[i].PID {
				return false
			}
		}
		return true
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if want := []string{"add", "add", "add", "drain", "add", "drain"}; !slices.Equal(f.events, want) {
		t.Errorf("the front was told %v, want %v", f.events, want)
	}
}

func startReady(t *testing.T, spec Spec, o Options) *Group {
	t.Helper()
	g := start(t, spec, o)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}
