// Package inbox keeps the mail that an application sends while it is developed:
// one .eml file for each, in a folder, in the order of arrival. Text messages to
// phones are kept beside it, in the same form.
//
// Durable: a mail that Add has taken is synced, content and name, before Add
// returns. A process that dies leaves no half mail, only a temporary file that
// the next Open removes. Bounded: by number and by bytes, the oldest go first.
// One process opens a folder at a time.
package inbox

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options bound an inbox. Nil means the defaults.
type Options struct {
	// MaxMails is how many mails are kept. Default 10,000, at least 1.
	MaxMails int
	// MaxBytes is how many bytes all mails together have. Default 1 GiB, at
	// least 1. A single mail that has more is refused with ErrTooLarge.
	MaxBytes int64
	// Log receives what is dropped and what is broken. Default: nothing.
	Log *slog.Logger

	disk disk             // the file system, for tests to fail
	now  func() time.Time // the clock, for tests to set
}

var (
	// ErrNotFound is returned for an ID of no mail that is kept.
	ErrNotFound = errors.New("inbox: no such mail")
	// ErrFull is returned when the disk has no room. Nothing was stored, and
	// what was stored before is still there.
	ErrFull = errors.New("inbox: the disk is full")
	// ErrTooLarge is returned for a mail above the inbox's bound.
	ErrTooLarge = errors.New("inbox: the mail is larger than the inbox may be")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("inbox: closed")
)

// Inbox is safe for use by several goroutines at once.
type Inbox struct {
	dir  string
	opts Options

	mu      sync.Mutex
	entries []Entry // oldest first
	bytes   int64
	lastID  string
	closed  bool
	adding  sync.WaitGroup
	subs    map[chan struct{}]struct{}
}

const (
	suffix   = ".eml"
	tempDir  = "tmp" // mails being received
	timeForm = "20060102T150405.000000000Z"
	idRandom = 8 // characters
)

// Open opens the folder, which is created when missing, and reads the head of
// each mail in it. Files that are no mails are left alone; mails that cannot be
// read are listed as broken.
func Open(dir string, opts *Options) (*Inbox, error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.MaxMails < 0 || o.MaxBytes < 0 {
		return nil, fmt.Errorf("inbox: Options.MaxMails is %d and MaxBytes %d; neither can be negative", o.MaxMails, o.MaxBytes)
	}
	if o.MaxMails == 0 {
		o.MaxMails = 10_000
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.disk == nil {
		o.disk = osDisk{}
	}
	if o.now == nil {
		o.now = time.Now
	}
	b := &Inbox{dir: dir, opts: o, subs: map[chan struct{}]struct{}{}}
	if err := b.prepare(); err != nil {
		return nil, fmt.Errorf("inbox: open %s: %w", dir, err)
	}
	if err := b.load(); err != nil {
		return nil, fmt.Errorf("inbox: open %s: %w", dir, err)
	}
	b.trim()
	return b, nil
}

// prepare makes the folders and removes what was being received when the last
// process ended.
func (b *Inbox) prepare() error {
	temp := filepath.Join(b.dir, tempDir)
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return err
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		return err
	}
	for _, e := range left {
		b.opts.Log.Info("removed a mail that was not received whole", "file", e.Name())
		if err := os.Remove(filepath.Join(temp, e.Name())); err != nil {
			return err
		}
	}
	return b.opts.disk.SyncDir(b.dir)
}

func (b *Inbox) load() error {
	files, err := os.ReadDir(b.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		id, isMail := strings.CutSuffix(f.Name(), suffix)
		if !isMail || f.IsDir() || !validID(id) {
			continue
		}
		e := b.index(id)
		b.entries = append(b.entries, e)
		b.bytes += e.Size
		if e.Broken != "" {
			b.opts.Log.Warn("a mail cannot be read", "id", id, "why", e.Broken)
		}
	}
	sort.Slice(b.entries, func(i, j int) bool { return b.entries[i].ID < b.entries[j].ID })
	if n := len(b.entries); n > 0 {
		b.lastID = b.entries[n-1].ID
	}
	return nil
}

// validID tells an ID of ours from a name that would lead out of the folder.
func validID(id string) bool {
	stamp, random, ok := strings.Cut(id, "-")
	if !ok || len(stamp) != len(timeForm) || random == "" || len(random) > 64 {
		return false
	}
	if _, err := time.Parse(timeForm, stamp); err != nil {
		return false
	}
	return !strings.ContainsFunc(random, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

func (b *Inbox) path(id string) string { return filepath.Join(b.dir, id+suffix) }

// Close waits for mails being added and ends all subscriptions. Later calls of
// other methods that write return ErrClosed.
func (b *Inbox) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	for c := range b.subs {
		close(c)
	}
	b.subs = nil
	b.mu.Unlock()
	b.adding.Wait()
	return nil
}

// Subscribe returns a channel that receives when mails came or went since the
// last receive, and is closed by stop or Close. What changed is seen by listing.
func (b *Inbox) Subscribe() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(c)
		return c, func() {}
	}
	b.subs[c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, ok := b.subs[c]; ok {
			delete(b.subs, c)
			close(c)
		}
	}
}

// notify is called with mu held.
func (b *Inbox) notify() {
	for c := range b.subs {
		select {
		case c <- struct{}{}:
		default: // there is one to be received already
		}
	}
}

// trim drops the oldest mails until the inbox is within its bounds. It is called
// with mu held, or before anyone else has the inbox.
func (b *Inbox) trim() {
	dropped := 0
	for len(b.entries) > 1 && (len(b.entries) > b.opts.MaxMails || b.bytes > b.opts.MaxBytes) {
		oldest := b.entries[0]
		if err := b.opts.disk.Remove(b.path(oldest.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
			b.opts.Log.Error("an old mail cannot be removed", "id", oldest.ID, "error", err)
			break
		}
		b.bytes -= oldest.Size
		b.entries = b.entries[1:]
		dropped++
	}
	if dropped > 0 {
		b.opts.Log.Info("dropped the oldest mails: the inbox is at its bound", "dropped", dropped,
			"kept", len(b.entries), "max_mails", b.opts.MaxMails, "max_bytes", b.opts.MaxBytes)
	}
}

// full maps the operating system's ways of saying that there is no room.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
