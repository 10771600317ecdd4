package ledger

import "time"

// action is what an attempt wants done next.
type action int

const (
	actRead    action = iota // read the record; then call read
	actWrite                 // write want on top of base; then wrote
	actPrepare               // make ready, with nothing happening yet; then prepared
	actPerform               // bring the effect about; then performed
	actEnd                   // nothing: end has the verdict
)

// goal is what the writes of an attempt are about.
type goal int

const (
	goalClaim   goal = iota // to have the key
	goalDeclare             // to declare another's effect unknown, then to go on
	goalBarrier             // to have SENDING in the store
	goalRecord              // to have the outcome in the store
)

// written is how a write went.
type written int

const (
	wroteIt     written = iota
	wroteNot            // certainly not: the record has another version
	wroteMaybe          // it may have happened, or happen later
	wroteNoMore         // as wroteMaybe, and the store cannot be asked
)

// fate is what is known of an effect.
type fate int

const (
	fateNone fate = iota // it did not begin
	fateSent
	fateNotSent // certainly nothing happened
	fateUnknown
)

// outcome of an effect.
type outcome struct {
	fate   fate
	result string
	why    string // of not sent and unknown
}

// ending is how an attempt ended.
type ending int

const (
	endSent        ending = iota + 1 // by this run
	endDuplicate                     // before this run
	endNotSent                       // certainly not, by this run's effect
	endUnknown                       // parked
	endAgain                         // unknown, and to be begun again at until
	endHeld                          // by another, until
	endPayload                       // the key is on record with another payload
	endUnreachable                   // the ledger cannot be asked; nothing was begun
	endUnrecorded                    // the outcome is known and could not be recorded
)

// verdict is an ending and what goes with it.
type verdict struct {
	ending ending
	until  time.Time
	entry  Entry
}
