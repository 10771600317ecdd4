package cert

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	ticketsKey = "certificate-tickets"
	// A key makes tickets for a day, and is good for those it made for two more.
	ticketTurn = 24 * time.Hour
	ticketLife = 3 * ticketTurn
	// The next key is in the records so long before it is used, for all to know it.
	ticketLead = time.Hour
	// maxTicketKeys bounds what is believed of a record.
	maxTicketKeys = 16
)

// Tickets are the keys of the tickets by which clients resume sessions (RFC 8446,
// section 2.2), kept in the records: all processes on these, those after a restart
// too, take each other's. A new key comes every day.
type Tickets struct {
	opt  TicketOptions
	said string // the error that was last logged
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// TicketOptions are of Tickets.
type TicketOptions struct {
	// Records keep the keys. Required. Who can read them can read what was sent in
	// the sessions that were resumed by them, if it was recorded.
	Records *records.Store
	// Every is the time between looks at the records. Default 10 min.
	Every time.Duration
	Log   *slog.Logger // default discards
}

// ticketKey is one key in the record.
type ticketKey struct {
	Key  []byte    `json:"key"`  // 32 bytes
	From time.Time `json:"from"` // when it begins to make tickets
}

// OpenTickets has config make and take tickets by the keys in the records from
// now on. As long as these cannot be read it uses the keys it has: those it read
// before, or its own.
func OpenTickets(o TicketOptions, config *tls.Config) (*Tickets, error) {
	if o.Records == nil {
		return nil, errors.New("cert: tickets need records")
	}
	o.Every = cmp.Or(o.Every, 10*time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	t := &Tickets{opt: o, stop: stop}
	t.look(ctx, config)
	t.wg.Go(func() {
		tick := time.NewTicker(o.Every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				t.look(ctx, config)
			}
		}
	})
	return t, nil
}

// Close ends looking. The keys stay in use.
func (t *Tickets) Close() error {
	t.stop()
	t.wg.Wait()
	return nil
}

// look reads the keys, and writes the next one if it is time.
func (t *Tickets) look(ctx context.Context, config *tls.Config) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	now := time.Now()
	r, err := t.opt.Records.Update(ctx, ticketsKey, func(old *records.Record) (records.Record, error) {
		var keys []ticketKey
		if old != nil {
			keys = readTickets(old.Value)
		}
		next, changed := turnTickets(keys, now)
		if !changed {
			return records.Record{}, records.ErrUnchanged
		}
		value, err := json.Marshal(next)
		return records.Record{Value: value, Expires: now.Add(2 * ticketLife)}, err
	})
	if err != nil {
		if err.Error() != t.said && ctx.Err() == nil {
			t.said = err.Error()
			t.opt.Log.Warn("the keys of TLS sessions cannot be read from the records; those that there are stay in use", "error", err)
		}
		return
	}
	t.said = ""
	if keys := inUse(readTickets(r.Value), now); len(keys) > 0 {
		config.SetSessionTicketKeys(keys)
	}
}

// readTickets reads a record. One that is broken has no keys, and is replaced.
func readTickets(value []byte) []ticketKey {
	var keys []ticketKey
	if err := json.Unmarshal(value, &keys); err != nil || len(keys) > maxTicketKeys {
		return nil
	}
	return slices.DeleteFunc(keys, func(k ticketKey) bool { return len(k.Key) != 32 })
}

// turnTickets takes out keys that are over and adds the one that is next, the
// latest first. One from far ahead, of a clock that was wrong, is over too.
func turnTickets(keys []ticketKey, now time.Time) (next []ticketKey, changed bool) {
	next = slices.DeleteFunc(slices.Clone(keys), func(k ticketKey) bool {
		return now.Sub(k.From) > ticketLife || k.From.Sub(now) > ticketTurn
	})
	slices.SortFunc(next, func(a, b ticketKey) int { return b.From.Compare(a.From) })
	from := now
	if len(next) > 0 {
		from = next[0].From.Add(ticketTurn)
	}
	if len(next) == 0 || !from.After(now.Add(ticketLead)) {
		if earliest := now.Add(ticketLead); len(next) > 0 && from.Before(earliest) {
			from = earliest
		}
		key := make([]byte, 32)
		rand.Read(key) //nolint:errcheck // never fails
		next = slices.Insert(next, 0, ticketKey{key, from.UTC()})
	}
	return next, fmt.Sprint(next) != fmt.Sprint(keys)
}

// inUse is what crypto/tls is told: first the key that makes tickets, then those
// whose tickets are taken.
func inUse(keys []ticketKey, now time.Time) [][32]byte {
	var all [][32]byte
	made := false
	for _, k := range keys { // the latest first
		if !made && !k.From.After(now) {
			made = true
			all = slices.Insert(all, 0, [32]byte(k.Key))
			continue
		}
		all = append(all, [32]byte(k.Key))
	}
	return all
}
