package purgelog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/records"
)

// Options configure a Follower.
type Options struct {
	// Records are those that all machines of the application share. Required.
	Records *records.Store
	// Name tells this machine's cache from others. Required.
	Name string
	// Cache is purged. Required.
	Cache interface {
		Purge(respcache.Purge) (int, error)
	}
	// File keeps which purges were carried out, for a cache on disk. Default "": the
	// cache is empty at the start.
	File string
	// Every is the time between looks at the log, less up to a tenth. Default 1 s.
	Every time.Duration
	// Log receives what fails. Default: discarded.
	Log *slog.Logger
}

// A Follower carries out what is in the log.
type Follower struct {
	opt  Options
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
	look chan struct{}

	mu      sync.Mutex // held while purges are carried out
	known   bool       // seen is true
	seen    uint64     // purges up to this one were carried out
	version string     // of the log, when it was read last
	said    uint64     // the last number that was told to others
	saidAt  time.Time
	trouble bool
}

// maxStateFile bounds what is read of File.
const maxStateFile = 64

// Follow begins to follow the log. It returns when the cache is as the log has it,
// or ctx ends: then as soon as the log can be read.
func Follow(ctx context.Context, o Options) (*Follower, error) {
	if o.Records == nil || o.Name == "" || o.Cache == nil {
		return nil, errors.New("purgelog: Records, Name and Cache are required")
	}
	if o.Every == 0 {
		o.Every = time.Second
	}
	if o.Every < time.Millisecond {
		return nil, fmt.Errorf("purgelog: Every is %v; it must be at least 1ms", o.Every)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Follower{opt: o, look: make(chan struct{}, 1)}
	f.ctx, f.stop = context.WithCancel(context.Background())
	if o.File != "" {
		f.seen, f.known = readState(o.File)
	}
	if err := f.catchUp(ctx, true); err != nil {
		o.Log.Warn("purges of other machines cannot be read; tried again each second", "error", err)
		f.trouble = true
	}
	f.wg.Go(f.run)
	return f, nil
}

// Close ends following. The machine is listed no more.
func (f *Follower) Close() {
	f.stop()
	f.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	f.leave(ctx)
}

func (f *Follower) run() {
	for {
		pause := f.opt.Every - time.Duration(rand.Int64N(int64(f.opt.Every)/10+1))
		timer := time.NewTimer(pause)
		select {
		case <-f.ctx.Done():
			timer.Stop()
			return
		case <-f.look:
			timer.Stop()
		case <-timer.C:
		}
		ctx, cancel := context.WithTimeout(f.ctx, 10*time.Second)
		err := f.catchUp(ctx, false)
		if err == nil {
			err = f.tell(ctx)
		}
		cancel()
		if f.ctx.Err() == nil {
			f.note(err)
		}
	}
}

// note logs when following begins to fail, and when it works again.
func (f *Follower) note(err error) {
	if (err != nil) == f.trouble {
		return
	}
	if f.trouble = err != nil; f.trouble {
		f.opt.Log.Warn("purges of other machines cannot be followed; tried again each second", "error", err)
		return
	}
	f.opt.Log.Info("purges of other machines are followed again")
}

// catchUp carries out what is new in the log. At the start of a cache that was on
// disk all that is in the log is carried out again: what it removed may be back
// after a crash.
func (f *Follower) catchUp(ctx context.Context, start bool) error {
	r, err := f.opt.Records.Get(ctx, logKey)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case errors.Is(err, records.ErrNotFound):
		if f.known && f.seen != 0 { // somebody removed it
			if err := f.dropAll("the log of purges is gone"); err != nil {
				return err
			}
		}
		f.version = ""
		return f.advance(0)
	case err != nil:
		return err
	case r.Version == f.version:
		return nil
	}
	j, err := decode(r.Value)
	if err != nil {
		f.opt.Log.Error("the log of purges cannot be read; everything cached is dropped", "error", err)
		f.version = r.Version
		return f.dropAll("")
	}
	if err := f.carryOut(j, start); err != nil {
		return err
	}
	f.version = r.Version
	return f.advance(j.Last)
}

// carryOut purges what is new. f.mu is held.
func (f *Follower) carryOut(j journal, start bool) error {
	from := f.seen
	switch {
	case !f.known && f.opt.File == "" && start:
		return nil // an empty cache has nothing that was purged before
	case !f.known:
		return f.dropAll("")
	case start && f.seen <= j.Last && j.Last-f.seen <= uint64(len(j.Entries)):
		from = j.Last - uint64(len(j.Entries))
	}
	entries, ok := j.after(from)
	if !ok {
		return f.dropAll("more was purged than the log goes back, since this machine followed it last")
	}
	for _, e := range entries {
		if _, err := f.opt.Cache.Purge(e.Purge); err != nil {
			return err
		}
	}
	return nil
}

func (f *Follower) dropAll(why string) error {
	n, err := f.opt.Cache.Purge(respcache.Purge{All: true})
	if n > 0 && why != "" {
		f.opt.Log.Warn("everything cached was dropped: "+why, "answers", n)
	}
	return err
}

// advance notes that purges up to a number were carried out. f.mu is held.
func (f *Follower) advance(number uint64) error {
	was, known := f.seen, f.known
	f.seen, f.known = number, true
	if f.opt.File == "" || was == number && known {
		return nil
	}
	dir, err := vfs.OS(filepath.Dir(f.opt.File))
	if err != nil {
		return err
	}
	return vfs.WriteFile(dir, filepath.Base(f.opt.File), []byte(strconv.FormatUint(number, 10)+"\n"))
}

func readState(name string) (uint64, bool) {
	b, err := os.ReadFile(name)
	if err != nil || len(b) > maxStateFile {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

// Purge purges this machine's cache, and has the others follow. It returns how
// many answers that was here, and the purge's number. With a number of 0 and an
// error nobody else knows of it, or it is not known whether anybody does: it may
// be given again.
func (f *Follower) Purge(ctx context.Context, p respcache.Purge) (purged int, number uint64, err error) {
	if purged, err = f.opt.Cache.Purge(p); err != nil {
		return 0, 0, err
	}
	e := entry{At: time.Now().UTC(), Edge: f.opt.Name, Purge: bounded(p)}
	first := false
	_, err = f.opt.Records.Update(ctx, logKey, func(old *records.Record) (r records.Record, err error) {
		first = old == nil
		r, number, err = next(old, e)
		return r, err
	})
	if err != nil {
		return purged, 0, &UntoldError{err}
	}
	f.mu.Lock()
	if f.known && (f.seen == number-1 || first && f.seen == 0) { // it need not be carried out here again
		err = f.advance(number)
	}
	f.mu.Unlock()
	if err != nil {
		return purged, number, err
	}
	select {
	case f.look <- struct{}{}:
	default:
	}
	return purged, number, nil
}

// UntoldError: a purge was carried out on this machine, and could not be written
// for the others.
type UntoldError struct{ Err error }

func (e *UntoldError) Error() string {
	return "purged on this machine; the others could not be told, give the purge again: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *UntoldError) Unwrap() error { return e.Err }
