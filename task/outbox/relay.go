package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue"
)

// RelayOptions of a relay; nil means the defaults.
type RelayOptions struct {
	// Queues are the queues besides the relay's own that rows may name, by the
	// name they use; a queue's own name does, too. Default none. Rows that name
	// any other are set aside.
	Queues map[string]*queue.Queue
	// Dialect of the database; default: it is asked.
	Dialect Dialect
	// Poll is how often an idle relay looks for rows, 10 ms–1 min; default
	// 200 ms. See Wake.
	Poll time.Duration
	// Lease is for how long a relay that was killed keeps others from sending,
	// 1 s–10 min; default 10 s. A request to the queue never takes longer. All
	// relays of an outbox have the same.
	Lease time.Duration
	// Batch is how many rows are read, sent and deleted in one round: as many
	// may be sent twice after a crash. 1–1000, default 100.
	Batch int
	// Log takes what happens; default nothing is logged.
	Log *slog.Logger
}

// Relay takes rows of an outbox to their queues.
type Relay struct {
	db      *sql.DB
	o       RelayOptions
	lanes   []*lane          // in the order of their names; the relay's own queue first
	byName  map[string]*lane // what rows may name
	wake    chan struct{}
	running atomic.Bool
}

// NewRelay checks the options and returns a relay that sends rows that name no
// queue to q. Nothing happens before Run.
func NewRelay(db *sql.DB, q *queue.Queue, options *RelayOptions) (*Relay, error) {
	o, err := options.normalise()
	if err != nil {
		return nil, err
	}
	if db == nil || q == nil {
		return nil, errors.New("outbox: a relay needs a database and a queue")
	}
	r := &Relay{db: db, o: o, byName: map[string]*lane{}, wake: make(chan struct{}, 1)}
	r.know("", q)
	for _, name := range slices.Sorted(maps.Keys(o.Queues)) {
		r.know(name, o.Queues[name])
	}
	return r, nil
}

// know has rows of that name go to q, and those of q's own name.
func (r *Relay) know(name string, q *queue.Queue) {
	for _, l := range r.lanes {
		if l.q.Name() == q.Name() && l.q.Service() == q.Service() {
			l.names = append(l.names, name)
			r.byName[name] = l
			return
		}
	}
	l := &lane{q: q, names: []string{name}}
	r.lanes = append(r.lanes, l)
	r.byName[name] = l
	if _, taken := r.byName[q.Name()]; !taken {
		l.names = append(l.names, q.Name())
		r.byName[q.Name()] = l
	}
}

func (options *RelayOptions) normalise() (RelayOptions, error) {
	var o RelayOptions
	if options != nil {
		o = *options
	}
	setDefault(&o.Poll, 200*time.Millisecond)
	setDefault(&o.Lease, 10*time.Second)
	setDefault(&o.Batch, 100)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var errs []error
	wrong := func(bad bool, field string, value any, want string) {
		if bad {
			errs = append(errs, fmt.Errorf("outbox: RelayOptions.%s is %v, not %s", field, value, want))
		}
	}
	wrong(o.Poll < 10*time.Millisecond || o.Poll > time.Minute, "Poll", o.Poll, "10ms–1m")
	wrong(o.Lease < time.Second || o.Lease > 10*time.Minute, "Lease", o.Lease, "1s–10m")
	wrong(o.Batch < 1 || o.Batch > 1000, "Batch", o.Batch, "1–1000")
	for name, q := range o.Queues {
		wrong(q == nil || name == "", "Queues", name, "a name with a queue")
	}
	if o.Dialect != "" {
		errs = append(errs, o.Dialect.check())
	}
	return o, errors.Join(errs...)
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Wake has the relay look for rows now, for the program that has just
// committed some and does not want to wait for the next poll.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run creates the tables if they are missing and relays until ctx ends; then
// it finishes the round that is under way, for at most 5 s, and returns nil. A
// database or a queue that cannot be reached is logged and tried again, for as
// long as it takes; only tables of a newer version are an error. Any number of
// relays may run on one outbox; one Run of this one at a time.
func (r *Relay) Run(ctx context.Context) error {
	if !r.running.CompareAndSwap(false, true) {
		return errors.New("outbox: the relay runs already")
	}
	defer r.running.Store(false)
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(5*time.Second, cancel) })()
	s := &shift{Relay: r, owner: uuid.NewString(), log: r.o.Log}
	defer s.end(work)
	failures := 0
	for ctx.Err() == nil {
		pause, err := s.step(work)
		switch {
		case err == nil:
			if failures > 0 {
				s.log.Info("outbox: the database answers again")
			}
			failures = 0
		case isVersion(err):
			return err
		case ctx.Err() != nil:
			return nil
		default:
			failures++
			pause = backoff(failures)
			s.log.Warn("outbox: the database fails", "error", err, "failures", failures, "pause", pause)
		}
		if pause > 0 {
			wait(ctx, r.wake, pause)
		}
	}
	return nil
}

func isVersion(err error) bool {
	_, ok := errors.AsType[*VersionError](err)
	return ok
}

// backoff after so many failures in a row: 100 ms to 5 s.
func backoff(failures int) time.Duration {
	return min(5*time.Second, 50*time.Millisecond<<min(failures, 10))
}

// wait until d is over, ctx ends, or woken is signalled.
func wait(ctx context.Context, woken <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-woken:
	}
}

// shift is one Run of a relay.
type shift struct {
	*Relay
	owner   string
	dialect Dialect   // "" until the tables were seen
	until   time.Time // the lease is over; zero: this relay has none
	leads   bool      // it had it when it last asked
	sent    []int64   // not yet deleted
	log     *slog.Logger
}

// step does one round, if this relay has the lease, and says how long to wait
// before the next. An error is one of the database.
func (s *shift) step(ctx context.Context) (pause time.Duration, err error) {
	if s.dialect == "" {
		if err := s.prepare(ctx); err != nil {
			return 0, err
		}
	}
	// What was sent is deleted before anything else, else it is sent twice.
	if err := s.remove(ctx); err != nil {
		return 0, err
	}
	if time.Until(s.until) < s.o.Lease/2 {
		if ok, err := s.take(ctx); err != nil || !ok {
			return s.o.Lease / 4, err
		}
	}
	return s.round(ctx)
}

func (s *shift) prepare(ctx context.Context) error {
	d := s.o.Dialect
	if d == "" {
		var err error
		if d, err = ask(ctx, s.db); err != nil {
			return err
		}
	}
	if err := d.create(ctx, s.db); err != nil {
		return err
	}
	s.dialect = d
	return nil
}

// take takes or renews the lease. It counts from before the request: it is over
// here before it is over there.
func (s *shift) take(ctx context.Context) (ok bool, err error) {
	begun, now := time.Now(), s.dialect.now()
	// The term makes each renewal a change, as MySQL counts rows that changed.
	result, err := s.db.ExecContext(ctx, s.dialect.bind("UPDATE dayfly_outbox_relay SET owner = ?, term = term + 1, expires_ms = "+now+" + ?"+
		" WHERE id = 1 AND (owner = ? OR expires_ms < "+now+")"), s.owner, s.o.Lease.Milliseconds(), s.owner)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, err
	}
	if ok = n > 0; ok != s.leads {
		s.leads = ok
		s.log.Info(map[bool]string{true: "outbox: this relay sends now", false: "outbox: another relay sends now"}[ok], "relay", s.owner)
	}
	s.until = time.Time{}
	if ok {
		s.until = begun.Add(s.o.Lease)
	}
	return ok, nil
}

// remove deletes the rows that were sent.
func (s *shift) remove(ctx context.Context) error {
	if err := s.dialect.remove(ctx, s.db, s.sent); err != nil {
		return fmt.Errorf("delete what was sent: %w", err)
	}
	s.sent = s.sent[:0]
	return nil
}

// yield ends the lease, so that another relay may begin at once.
func (s *shift) yield(ctx context.Context) error {
	s.until = time.Time{}
	_, err := s.db.ExecContext(ctx, s.dialect.bind("UPDATE dayfly_outbox_relay SET expires_ms = 0 WHERE id = 1 AND owner = ?"), s.owner)
	return err
}

// end leaves nothing undone that can be done.
func (s *shift) end(ctx context.Context) {
	if s.dialect == "" {
		return
	}
	if err := s.remove(ctx); err != nil {
		s.log.Warn("outbox: rows that were sent will be sent again", "rows", len(s.sent), "error", err)
	}
	if !s.leads {
		return
	}
	if err := s.yield(ctx); err != nil {
		s.log.Warn("outbox: the lease cannot be given back; other relays wait for its end", "error", err)
	}
}
