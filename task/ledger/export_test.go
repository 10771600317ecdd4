package ledger

import "time"

// SetTimes gives a ledger times that are shorter than Options takes, and
// another clock.
func (l *Ledger) SetTimes(lease, quarantine time.Duration, now func() time.Time) {
	l.o.Lease, l.o.Quarantine, l.now = lease, quarantine, now
}

// StateOf reads the state in the value of a record.
func StateOf(key string, value []byte) State {
	e, err := decode(key, value)
	if err != nil {
		return ""
	}
	return e.State
}

// EntryOf reads the value of a record.
func EntryOf(key string, value []byte) (Entry, error) { return decode(key, value) }

// Prefix of the ledger's keys.
const Prefix = prefix
