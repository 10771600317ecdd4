package task

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// TestKilledFlows: three processes over SQS's protocol and a SQLite file make
// chains and batches and run them, and are killed (SIGKILL) at random moments: in
// the middle of an Enqueue, of a run, of a count. In the end every chain reached
// its end with the result of its steps, every batch's completion came after all
// of its members and had its effect once, and nothing is left or dead.
//
// Then a batch has two members that kill each process that runs them, until the
// queue itself dead-letters them: its completion comes, and is told of them.
func TestKilledFlows(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	k := newKilling(t)
	var children sync.WaitGroup
	kill, stop := make(chan struct{}), make(chan struct{})
	deaths := make([]int, 3)
	for i := range deaths {
		pauses := rand.New(rand.NewPCG(random.Uint64(), 0))
		children.Go(func() { deaths[i] = k.children(pauses, kill, stop) })
	}
	const flows = 60
	for i := range flows {
		must[string](t)(k.f.make.Enqueue(t.Context(), k.f.client, i))
		time.Sleep(rand.N(150 * time.Millisecond)) // the pace of the application
	}
	k.eventually("all ends and completions", func() bool { return k.effects() == flows })
	close(kill) // from here on nobody is killed from outside
	k.rest("default")
	k.account(flows)

	id := must[string](t)(k.f.batch(k.f.kill.With(0), k.f.kill.With(1)).Enqueue(t.Context(), NewClient(k.q.Queue("poison"), nil), k.f.store, ID("poisoned")))
	k.eventually("the completion of the poisoned batch", func() bool { return k.effect(id+thenSuffix) != "" })
	k.rest("poison")
	k.poisoned(id)
	close(stop)
	children.Wait()
	if deaths[0]+deaths[1]+deaths[2] < 5 {
		t.Errorf("no more than %v processes were killed", deaths)
	}
	t.Logf("%v processes killed; of %d effects %d were begun twice", deaths, flows, k.twice)
}

// killing is what the test knows of the processes it kills.
type killing struct {
	*testing.T
	flowPlaces
	q     *queue.Service
	f     *flow
	twice int
}

func newKilling(t *testing.T) *killing {
	t.Helper()
	dir := t.TempDir()
	k := &killing{T: t, flowPlaces: flowPlaces{Endpoint: endpoint(t), Records: "sqlite:///" + filepath.Join(dir, "records.db"), Diary: filepath.Join(dir, "diary")}}
	k.q = k.queues()
	t.Cleanup(func() { k.q.Close() })
	for name, attempts := range map[string]int{"default": 1000, "poison": 2} {
		a := queue.Attributes{Visibility: 2 * time.Second, DeadLetter: &queue.DeadLetter{Queue: name + "-dead", MaxReceives: attempts}}
		for _, err := range []error{k.q.CreateQueue(t.Context(), name+"-dead", queue.Attributes{}, nil), k.q.CreateQueue(t.Context(), name, a, nil)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	k.f = must[*flow](t)(newFlow(t.Context(), k.flowPlaces))
	t.Cleanup(func() { k.f.store.Close() })
	return k
}

// children starts a process whenever there is none, until stop, and until kill is
// closed kills each after a while. It returns how many it killed.
func (k *killing) children(random *rand.Rand, kill, stop <-chan struct{}) (n int) {
	places, err := json.Marshal(k.flowPlaces)
	if err != nil {
		k.Error(err)
		return 0
	}
	for {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), flowProcess+"="+string(places))
		if err := c.Start(); err != nil {
			k.Error(err)
			return n
		}
		ended := make(chan struct{})
		go func() { defer close(ended); c.Wait() }() // it is killed, below or by itself
		later := time.NewTimer(200*time.Millisecond + time.Duration(random.IntN(1500))*time.Millisecond)
		over := false
		select {
		case <-kill:
			select {
			case <-ended:
			case <-stop:
				over = true
			}
		case <-later.C:
			n++
		case <-ended:
		}
		later.Stop()
		c.Process.Kill()
		<-ended
		if over {
			return n
		}
	}
}

// eventually waits for a condition; on a machine under load for long.
func (k *killing) eventually(what string, ok func() bool) {
	k.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(3 * time.Minute); !ok(); <-tick.C {
		if time.Now().After(end) {
			k.Fatalf("did not come: %s; %d effects", what, k.effects())
		}
	}
}

func (k *killing) rest(name string) {
	k.Helper()
	k.eventually(name+" is empty", func() bool {
		d := must[queue.Description](k.T)(k.q.Describe(k.Context(), name))
		return d.Visible+d.Delayed+d.InFlight == 0
	})
}

// diary has the lines of each task, in order.
func (k *killing) diary() (lines []string) {
	text, err := os.ReadFile(k.Diary)
	if err != nil && !os.IsNotExist(err) {
		k.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// effects is how many tasks have had theirs.
func (k *killing) effects() int {
	seen := map[string]bool{}
	for _, line := range k.diary() {
		if id, _, found := strings.Cut(line, " effect "); found && k.effect(id) != "" {
			seen[id] = true
		}
	}
	return len(seen)
}

func (k *killing) effect(id string) string {
	r, err := k.f.store.Get(k.Context(), "effect/"+id)
	if err != nil {
		return ""
	}
	return string(r.Value)
}

// account checks each chain and each batch.
func (k *killing) account(flows int) {
	k.Helper()
	ran, tries := map[string]bool{}, map[string][]string{}
	for _, line := range k.diary() {
		id, what, _ := strings.Cut(line, " ")
		if what == "member" {
			ran[id] = true
			continue
		}
		tries[id] = append(tries[id], strings.TrimPrefix(what, "effect "))
		if batch, is := strings.CutSuffix(id, thenSuffix); is {
			for i := range flowMembers {
				if !ran[memberID(batch, i)] {
					k.Errorf("the completion of %s ran before its member %d", batch, i)
				}
			}
		}
	}
	for i := range flows {
		id, want := fmt.Sprintf("%s/%d", chainID(i), flowSteps), fmt.Sprint(flowSteps-1)
		if i%2 == 1 {
			id, want = batchID(i)+thenSuffix, "[]"
			if st := must[BatchStatus](k.T)(BatchOf(k.Context(), k.f.store, batchID(i))); st.Settled != flowMembers || st.Complete.IsZero() || len(st.Failed) > 0 {
				k.Errorf("%+v", st)
			}
		}
		if got := k.effect(id); got != want {
			k.Errorf("%s: %q, not %q", id, got, want)
		}
		for _, got := range tries[id] {
			if got != want {
				k.Errorf("a run of %s had %q, not %q", id, got, want)
			}
		}
		if len(tries[id]) > 1 {
			k.twice++
		}
		delete(tries, id)
	}
	if len(tries) > 0 {
		k.Errorf("nobody asked for %v", tries)
	}
	if d := must[queue.Description](k.T)(k.q.Describe(k.Context(), "default-dead")); d.Visible+d.InFlight > 0 {
		k.Errorf("%d dead letters", d.Visible+d.InFlight)
	}
}

// poisoned checks the batch whose members kill: each of them has failed, and each
// of the others is done or, where it was in the hands of those that died, failed.
func (k *killing) poisoned(id string) {
	k.Helper()
	st := must[BatchStatus](k.T)(BatchOf(k.Context(), k.f.store, id))
	var told []Failure
	if err := json.Unmarshal([]byte(k.effect(id+thenSuffix)), &told); err != nil {
		k.Fatal(err)
	}
	failed := map[string]bool{}
	for _, f := range told {
		failed[f.ID] = true
	}
	if st.Complete.IsZero() || !failed[memberID(id, flowMembers)] || !failed[memberID(id, flowMembers+1)] {
		k.Errorf("%+v; the completion was told of %+v", st, told)
	}
	for _, line := range k.diary() {
		if member, is := strings.CutSuffix(line, " member"); is && strings.HasPrefix(member, id) {
			failed[member] = true // or rather: seen to
		}
	}
	if len(failed) != flowMembers+2 {
		k.Errorf("%d of %d members are done or failed", len(failed), flowMembers+2)
	}
}
