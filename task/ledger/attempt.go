package ledger

import "time"

// attempt is one run at one effect: the machine that decides what to do next.
// It touches neither store nor clock. Whoever drives it (drive.go, and the
// exploration in the tests) asks next, does that, and says how it went.
//
// Invariants, by which an effect begins at most once until somebody who knows
// that it did not happen says so:
//
//   - SENDING is only written on top of one's own CLAIMED, and the effect
//     begins only after SENDING is known to be in the store.
//   - From SENDING and UNKNOWN a record becomes NOT_SENT, or SENDING anew, only
//     by the hand of its owner, who knows that nothing happened, or of a person.
//   - A run that has seen its effect happen writes SENT over whatever it finds:
//     knowledge beats every state.
//
// A write that may or may not have happened is settled by reading: the owner's
// name is in it. If it is not there yet the same write is made again on top of
// the same version, which bars the first from landing later.
type attempt struct {
	terms

	goal goal
	todo action

	base string // version of what was read last, on which want is written; "": no record
	seen Entry  // what was read last, or written
	want Entry  // what is being written
	mine Entry  // SENDING as this run wrote it

	late    int // times SENDING was in the store only after its lease
	outcome outcome
	end     verdict
}

// terms of an attempt: who makes it and how.
type terms struct {
	key        string
	owner      string
	worker     string
	payload    string
	policy     Policy
	lease      time.Duration
	quarantine time.Duration
	task       string
	run        string
	queue      string
}

func (a *attempt) next() action { return a.todo }

func (a *attempt) conclude(e ending, until time.Time) {
	a.todo, a.end = actEnd, verdict{e, until, a.seen}
}

func (a *attempt) write(e Entry) { a.todo, a.want = actWrite, e }

// read takes the record as it is now; version "" is that there is none.
func (a *attempt) read(e Entry, version string, now time.Time) {
	a.seen, a.base = e, version
	a.decide(now)
}

// wrote takes how writing want went.
func (a *attempt) wrote(how written, version string, now time.Time) {
	switch how {
	case wroteIt:
		a.seen, a.base = a.want, version
		a.decide(now)
	case wroteNot, wroteMaybe:
		a.todo = actRead
	case wroteNoMore:
		a.unreachable()
	}
}

// unreachable ends the attempt because the store does not answer.
func (a *attempt) unreachable() {
	if a.outcome.fate != fateNone {
		a.conclude(endUnrecorded, time.Time{})
		return
	}
	a.conclude(endUnreachable, time.Time{})
}

// decide goes on from what is in the store.
func (a *attempt) decide(now time.Time) {
	owned := a.base != "" && a.seen.Owner == a.owner
	switch a.goal {
	case goalClaim, goalDeclare:
		if owned && a.seen.State == StateClaimed {
			a.todo = actPrepare
			return
		}
		a.admit(now)
	case goalBarrier:
		switch {
		case owned && a.seen.State == StateClaimed:
			a.barrier(now)
		case owned && a.seen.State == StateSending && !now.After(a.seen.Until):
			a.mine, a.todo = a.seen, actPerform
		case owned && (a.seen.State == StateSending || a.seen.State == StateUnknown):
			// This run was stopped for longer than its lease before it could
			// begin. It knows that nothing happened, and goes on: others may
			// have parked the messages meanwhile, so nobody else would.
			a.lateToBegin(now)
		default: // the claim was taken over
			a.goal = goalClaim
			a.admit(now)
		}
	case goalRecord:
		a.record(now)
	}
}

// lateToBegin writes SENDING with a new lease, and gives up where the store
// takes longer than that each time.
func (a *attempt) lateToBegin(now time.Time) {
	if a.late++; a.late > maxLate {
		a.outcome = outcome{fate: fateNotSent, why: "each time the store had taken SENDING its lease was over"}
		a.goal = goalRecord
		a.record(now)
		return
	}
	e := a.seen
	e.State, e.Error, e.At, e.Until = StateSending, "", now, now.Add(a.lease)
	a.write(e)
}

// maxLate is how often SENDING is written anew.
const maxLate = 2

// admit decides about a record that is not this run's.
func (a *attempt) admit(now time.Time) {
	e := &a.seen
	quiet := e.Until.Add(a.quarantine)
	switch {
	case a.base == "":
		a.claim(now)
	case a.payload != "" && e.Payload != "" && e.Payload != a.payload:
		a.conclude(endPayload, time.Time{})
	case e.State == StateSent:
		a.conclude(endDuplicate, time.Time{})
	case e.State == StateNotSent:
		a.claim(now)
	case e.State == StateClaimed && now.After(e.Until):
		a.claim(now)
	case e.State == StateClaimed:
		a.conclude(endHeld, e.Until)
	case e.overdue(now, a.quarantine):
		a.goal = goalDeclare
		a.write(declared(*e, now))
	case e.State == StateSending:
		a.conclude(endHeld, quiet)
	case a.policy == AtMostOnce:
		a.conclude(endUnknown, time.Time{})
	case now.After(e.Until):
		a.claim(now)
	default:
		a.conclude(endHeld, e.Until)
	}
}

// declared is an effect in SENDING whose owner says nothing any more.
func declared(e Entry, now time.Time) Entry {
	e.State, e.At, e.Until = StateUnknown, now, now
	e.Error = "the worker that began it did not say how it ended"
	return e
}

// claim writes CLAIMED over a record that may be claimed, or over none.
func (a *attempt) claim(now time.Time) {
	a.goal = goalClaim
	e := a.seen
	e.Key, e.State, e.Policy, e.Epoch = a.key, StateClaimed, a.policy, e.Epoch+1
	e.Owner, e.Worker = a.owner, a.worker
	e.Task, e.Run, e.Queue = a.task, a.run, a.queue
	e.At, e.Until = now, now.Add(a.lease)
	if e.Payload == "" {
		e.Payload = a.payload
	}
	a.write(e)
}

// prepared takes that all is ready to begin, or why not.
func (a *attempt) prepared(why string, ok bool, now time.Time) {
	if !ok {
		a.outcome = outcome{fate: fateNotSent, why: why}
		a.goal = goalRecord
		a.record(now)
		return
	}
	a.barrier(now)
}

// barrier writes SENDING over one's own claim: the intent, durable before the
// first byte leaves. A claim that is past its lease but still there is as good.
func (a *attempt) barrier(now time.Time) {
	a.goal = goalBarrier
	e := a.seen
	e.State, e.Attempt, e.At, e.Until = StateSending, e.Attempt+1, now, now.Add(a.lease)
	a.write(e)
}

// renewal is SENDING with a new lease, to be written on top of base while the
// effect is under way; ok is false if the record is no longer this run's. It is
// written with the state unchanged, so a renewal that lands late does no harm.
func (a *attempt) renewal(now time.Time) (e Entry, ok bool) {
	e = a.seen
	if e.Owner != a.owner || e.State != StateSending {
		return e, false
	}
	e.Until = now.Add(a.lease)
	return e, true
}

// renewed takes what is in the store after a renewal.
func (a *attempt) renewed(e Entry, version string) { a.seen, a.base = e, version }
