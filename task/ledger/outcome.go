package ledger

import (
	"slices"
	"time"
)

// performed takes how the effect ended. Its record is written on top of what
// was seen last; if that changed the machine reads.
func (a *attempt) performed(o outcome, now time.Time) {
	a.outcome, a.goal = o, goalRecord
	a.record(now)
}

// record writes the outcome, or ends if the store has it, or has better.
func (a *attempt) record(now time.Time) {
	owned := a.base != "" && a.seen.Owner == a.owner
	open := owned && (a.seen.State == StateClaimed || a.seen.State == StateSending || a.seen.State == StateUnknown)
	switch a.outcome.fate {
	case fateSent:
		a.recordSent(now)
	case fateNotSent:
		if !open {
			a.conclude(endNotSent, time.Time{})
			return
		}
		e := a.seen
		if e.State == StateUnknown && a.policy == AtMostOnce {
			a.recordParked(e, now)
			return
		}
		e.State, e.At, e.Until, e.Error = StateNotSent, now, time.Time{}, a.outcome.why
		a.write(e)
	default:
		if open && a.seen.State == StateSending {
			e := a.seen
			e.State, e.At, e.Until, e.Error = StateUnknown, now, now.Add(a.quarantine), a.outcome.why
			a.write(e)
			return
		}
		a.concludeUnknown()
	}
}

// recordParked keeps an effect that others have declared unknown in the list of
// those a person sees to, though it is certain now that it did not happen:
// whoever found it unknown parked its message, so no run may come any more.
func (a *attempt) recordParked(e Entry, now time.Time) {
	why := cut("it was not sent, says the worker, which was silent for too long; resend it: "+a.outcome.why, maxError)
	if e.Error == why {
		a.conclude(endNotSent, time.Time{})
		return
	}
	e.Error, e.At, e.Until = why, now, now
	a.write(e)
}

func (a *attempt) recordSent(now time.Time) {
	e := a.seen
	if a.base == "" { // the record was deleted under us
		e = a.mine
	}
	switch {
	case a.base != "" && e.State == StateSent && slices.Contains(e.Sends, a.owner):
		a.conclude(endSent, time.Time{})
		return
	case a.base != "" && e.State == StateSent && len(e.Sends) >= maxSends:
		a.conclude(endSent, time.Time{})
		return
	case e.State != StateSent:
		e.Owner, e.Worker, e.Result, e.Error = a.owner, a.worker, a.outcome.result, ""
		e.At, e.Until = now, time.Time{}
	}
	e.State, e.Sends = StateSent, append(slices.Clone(e.Sends), a.owner)
	a.write(e)
}

// concludeUnknown ends a run that does not know what its effect did.
func (a *attempt) concludeUnknown() {
	switch {
	case a.base != "" && a.seen.State == StateSent:
		a.conclude(endDuplicate, time.Time{})
	case a.policy == AtMostOnce:
		a.conclude(endUnknown, time.Time{})
	default:
		a.conclude(endAgain, a.seen.Until)
	}
}
