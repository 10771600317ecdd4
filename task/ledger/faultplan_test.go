package ledger_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// Times of the fault test: short, and still long beside what a machine under
// load mostly does with a process. Where it does worse, the trace shows it.
const (
	faultLease      = 1500 * time.Millisecond
	faultQuarantine = 1500 * time.Millisecond
	faultPause      = faultLease + faultQuarantine + 600*time.Millisecond // of a SIGSTOP
	faultVisibility = 2 * time.Second
	faultCopies     = 3 // messages of one key
	faultWorkers    = 5
)

// skews of the workers' clocks, more than the quarantine: clocks must not matter.
var skews = [faultWorkers]time.Duration{0, 5 * time.Second, -5 * time.Second, 0, 700 * time.Millisecond}

// plan is what goes wrong with one key, the first time it can.
type plan struct {
	Key    string `json:"key"`
	Policy string `json:"policy"` // of ledger
	Guard  string `json:"guard"`  // "ledger", or a control
	State  string `json:"state"`  // at the write of this state
	After  bool   `json:"after"`  // it was written
	Action string `json:"action"` // "kill", "stop", "error"
	Mail   string `json:"mail"`   // what the mail server does: "drop", "refuse"
}

func (p plan) name() string {
	b, _ := json.Marshal(p)
	return string(b)
}

// mayBeUnknown says whether the fault falls where nobody can know whether the
// mail was sent: from the intent being durable to the end being on record.
func (p plan) mayBeUnknown() bool {
	switch {
	case p.Mail == "drop":
		return true
	case p.Action != "kill":
		return false // who was stopped, or had no answer, says it later
	}
	return p.State == "sending" && p.After || p.State == "sent" && !p.After
}

// plans are all faults for both policies, n times, in an order of the seed.
func plans(seed uint64, n int) []plan {
	var all []plan
	add := func(p plan) {
		p.Guard = "ledger"
		for _, p.Policy = range []string{"at-most-once", "at-least-once"} {
			p.Key = fmt.Sprintf("k%d", len(all))
			all = append(all, p)
		}
	}
	for range n {
		add(plan{})
		add(plan{Mail: "drop"})
		add(plan{Mail: "refuse"})
		for _, state := range []string{"claimed", "sending", "sent"} {
			for _, after := range []bool{false, true} {
				for _, action := range []string{"kill", "stop", "error"} {
					add(plan{State: state, After: after, Action: action})
				}
			}
		}
	}
	shuffle(seed, all)
	return all
}

// controlPlans are those that each control must fail under.
func controlPlans(seed uint64, guard string) []plan {
	var all []plan
	for _, action := range []string{"kill", "stop"} {
		for range 2 {
			all = append(all, plan{Key: fmt.Sprintf("%s%d", guard, len(all)), Policy: "at-most-once", Guard: guard, State: "sent", Action: action})
		}
	}
	shuffle(seed, all)
	return all
}

func shuffle(seed uint64, all []plan) {
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
}
