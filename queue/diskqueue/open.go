package diskqueue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

const (
	lockName   = "LOCK"
	formatName = "FORMAT"
	// formatLine says what the folder is; the number is the version of the format.
	formatLine = "dayfly queue store, format "
	// Format 2 added FIFO queues, groups and move tasks; 1 is read, and becomes 2.
	version = 2
)

// ErrNewer: the store was written by a newer dayfly.
var ErrNewer = errors.New("use a newer dayfly")

// Open opens the store in a folder, which it makes if it is missing. It fails
// if the folder is in use (vfs.ErrLocked), of a newer version (ErrNewer), holds
// something else, or is damaged: a *CorruptError names file and offset.
func Open(dir string, options *Options) (*Engine, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	fsys, err := vfs.OS(dir)
	if err != nil {
		return nil, fmt.Errorf("open queue store: %w", err)
	}
	e, err := open(fsys, o)
	if err != nil {
		return nil, fmt.Errorf("open queue store %s: %w", dir, logError(err))
	}
	return e, nil
}

// open opens the store in any folder; the options are complete.
func open(fsys vfs.FS, o Options) (*Engine, error) {
	e, err := load(fsys, o)
	if err != nil {
		return nil, err
	}
	e.work.Add(1)
	go e.keepUp()
	e.resumeMoves()
	return e, nil
}

// load is open without what works in the background.
func load(fsys vfs.FS, o Options) (*Engine, error) {
	lock, err := fsys.Lock(lockName)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		o: o, fsys: fsys, lock: lock, nextSeq: 1, nextUID: 1,
		queues: map[string]*state{}, byUID: map[uint32]*state{}, live: map[uint32]int64{}, dropped: map[string]int64{},
		ending: make(chan struct{}), kick: make(chan struct{}, 1),
	}
	if err := e.start(); err != nil {
		if e.log != nil {
			e.log.Close()
		}
		return nil, errors.Join(err, lock.Close())
	}
	return e, nil
}

func (e *Engine) logOptions() seglog.Options {
	return seglog.Options{SegmentSize: uint32(e.o.SegmentSize), Log: e.o.Log, Rotated: e.wakeUpkeep}
}

func (e *Engine) start() error {
	begun := time.Now()
	isNew, err := e.checkFormat()
	if err != nil {
		return err
	}
	if isNew {
		if err := e.begin(); err != nil {
			return err
		}
	} else if err := e.loadCheckpoint(); err != nil {
		return err
	}
	report, err := e.replay(isNew)
	if err != nil {
		return err
	}
	if e.format == 1 {
		// Replay reads records of this format only: the others go with this.
		if err := e.checkpoint(); err != nil {
			return err
		}
	}
	if e.format != version {
		e.format = version
		if err := vfs.WriteFile(e.fsys, formatName, []byte(formatLine+strconv.Itoa(version)+"\n")); err != nil {
			return err
		}
	}
	if err := e.markOpen(); err != nil {
		return err
	}
	if report.Torn {
		e.o.Log.Warn("queue log ended in a write the machine did not finish; cut there, nothing acknowledged was in it",
			"at", report.Cut.String())
	}
	e.o.Log.Info("queue store open", "queues", len(e.queues), "messages", e.messages(),
		"replayed", report.Records, "took", time.Since(begun).Round(time.Millisecond))
	return nil
}

// checkFormat reports whether the folder is new, or why it cannot be opened.
func (e *Engine) checkFormat() (isNew bool, err error) {
	b, err := vfs.ReadFile(e.fsys, formatName, 100)
	if errors.Is(err, fs.ErrNotExist) {
		return true, e.clearUnfinished()
	}
	if err != nil {
		return false, err
	}
	v, ok := parseFormat(b)
	if !ok {
		return false, &seglog.CorruptError{File: formatName, Reason: "it does not name a format"}
	}
	e.format = v
	return false, e.knowsFormat()
}

// parseFormat reads the number of the format; false if there is none.
func parseFormat(b []byte) (int, bool) {
	number, ok := strings.CutPrefix(string(bytes.TrimSpace(b)), formatLine)
	v, err := strconv.Atoi(number)
	return v, ok && err == nil && v >= 1
}

// knowsFormat fails if the folder is of a newer dayfly.
func (e *Engine) knowsFormat() error {
	if e.format > version {
		return fmt.Errorf("%s: the folder has format %d, this program knows up to %d: %w", formatName, e.format, version, ErrNewer)
	}
	return nil
}

// clearUnfinished removes what a making of the store left that did not come to
// its end. Anything else in the folder is somebody's.
func (e *Engine) clearUnfinished() error {
	names, err := e.fsys.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		switch {
		case name == lockName, name == checkpointName, strings.HasSuffix(name, ".tmp"), seglog.IsSegment(name):
		default:
			return fmt.Errorf("the folder holds %q and no %s: it is not a queue store; give an empty folder", name, formatName)
		}
	}
	if err := seglog.RemoveUnused(e.fsys, e.logOptions()); err != nil {
		if errors.Is(err, seglog.ErrUsed) {
			return &seglog.CorruptError{File: formatName, Reason: fmt.Sprintf("file is missing, and %v", err)}
		}
		return err
	}
	return nil
}

// begin makes the first checkpoint of a new store.
func (e *Engine) begin() error {
	e.secret = newSecret()
	e.last.from = seglog.Start
	b := []byte(checkpointMagic)
	w := &checkpointWriter{e: e}
	for _, block := range [][]byte{w.headBlock(seglog.Start), {blockEnd, 0}} {
		b = append(b, w.frame(block)...)
	}
	return vfs.WriteFile(e.fsys, checkpointName, b)
}

// replay opens the log and applies what is after the checkpoint.
func (e *Engine) replay(isNew bool) (report seglog.Report, err error) {
	if e.identity, err = newIdentity(e.secret); err != nil {
		return report, err
	}
	o := e.logOptions()
	if isNew {
		e.log, err = seglog.Create(e.fsys, o)
	} else {
		e.log, report, err = seglog.Open(e.fsys, o, e.last.from, e.apply)
	}
	if err != nil {
		return report, err
	}
	live := e.live
	e.live = nil
	return report, e.log.SetLive(live)
}

// markOpen records this opening: tokens of receives from now on are greater
// than any given out before, also those whose records were lost.
func (e *Engine) markOpen() error {
	at := now()
	for _, q := range e.queues {
		q.promote(at)
	}
	e.epoch++
	if e.epoch >= 1<<24 {
		return errors.New("store was opened 2^24 times")
	}
	e.token = max(e.token, e.epoch<<40)
	b := beginRecord(nil, kindOpen, uint32(e.epoch))
	b = binary.AppendUvarint(b, uint64(at))
	if err := e.lockRoom(seglog.RecordSize(len(b)), true); err != nil {
		return err
	}
	e.log.Append(b)
	e.mu.Unlock()
	return e.log.Commit(e.log.End())
}

func (e *Engine) messages() (n int) {
	for _, q := range e.queues {
		n += q.messages.n
	}
	return n
}

// Close implements driver.Service. It writes a checkpoint, so that the next
// start replays nothing.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.mu.Unlock()
	close(e.ending)
	e.work.Wait()
	var err error
	if e.log.Err() == nil && e.log.Appended() != e.last.appended {
		e.upkeep.Lock()
		err = e.checkpoint()
		e.upkeep.Unlock()
	}
	return errors.Join(err, e.log.Close(), e.lock.Close())
}
