package seglog

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

// Report of what Open found.
type Report struct {
	Records int   // replayed
	Torn    bool  // the last write had not been synced and was not whole
	Cut     Pos   // where the log was cut, when torn
	Read    int64 // bytes of log replayed
}

func newLog(fsys vfs.FS, o Options) *Log {
	return &Log{
		fsys: fsys, o: o, segments: map[uint32]*segment{},
		prepared: make(chan struct{}), kick: make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

// Create makes a log in a folder without segments.
func Create(fsys vfs.FS, o Options) (*Log, error) {
	l := newLog(fsys, o)
	l.nextID = Start.Segment()
	if err := l.makeReady(); err != nil {
		return nil, err
	}
	l.cur, l.ready, l.off = l.ready[0], nil, headerSize
	l.segments[l.cur.id] = l.cur
	l.begin()
	return l, nil
}

// Open opens the log in a folder. It calls apply for each record from the given
// place on, in order; the payload may not be kept. Segments before from are
// not read.
func Open(fsys vfs.FS, o Options, from Pos, apply func(p Pos, size uint32, payload []byte) error) (*Log, Report, error) {
	l := newLog(fsys, o)
	r := &recovery{l: l, apply: apply}
	err := r.run(from)
	if err != nil {
		for _, s := range l.segments {
			s.close()
		}
		return nil, r.report, err
	}
	l.begin()
	return l, r.report, nil
}

// begin starts the log where it ends; all of it is on the disk.
func (l *Log) begin() {
	l.last = l.cur
	end := uint64(At(l.cur.id, l.off))
	l.written.Store(end)
	l.synced.Store(end)
	l.done.Add(1)
	go l.prepare()
	l.wakePreparer()
}

// recovery is the opening of a log.
type recovery struct {
	l      *Log
	apply  func(Pos, uint32, []byte) error
	report Report
	spans  []span // segments replayed, in order
}

// span is the replayed part of one segment.
type span struct {
	s      *segment
	data   []byte
	end    uint32 // where its records end, before the seal if sealed
	synced uint32 // known to be on the disk up to here
	sealed bool
}

func (r *recovery) run(from Pos) error {
	spareIDs, err := r.list(from)
	if err != nil {
		return err
	}
	l := r.l
	tail, err := r.replay(from)
	if err != nil {
		return err
	}
	l.cur, l.off = tail.s, tail.end
	if err := r.prove(); err != nil {
		return err
	}
	return r.takeReady(spareIDs)
}

// list fills the table of segments from the folder. Files that were being made
// or recycled when the process died have no valid header of their own: they
// matter only if they are needed, which replay and SetLive find out.
func (r *recovery) list(from Pos) (ids map[uint32]bool, err error) {
	names, err := r.l.fsys.List()
	if err != nil {
		return nil, err
	}
	ids = map[uint32]bool{}
	for _, name := range names {
		id, ok := parseFileName(name)
		if !ok {
			continue
		}
		ids[id] = true
		s, reason, err := r.readHeader(name, id)
		if err != nil {
			return nil, err
		}
		if reason == "" {
			r.l.segments[id] = s
			continue
		}
		if id == from.Segment() {
			return nil, &CorruptError{name, 0, reason}
		}
	}
	return ids, nil
}

func (r *recovery) readHeader(name string, id uint32) (*segment, string, error) {
	f, err := r.l.fsys.Open(name)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	b := make([]byte, headerSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	s, reason := parseHeader(b[:n], id)
	if s == nil {
		return nil, reason, nil
	}
	size, err := f.Size()
	if err != nil {
		return nil, "", err
	}
	if size != int64(s.size) {
		return nil, fmt.Sprintf("file has %d bytes, its header says %d", size, s.size), nil
	}
	return s, "", nil
}

// replay applies the records from a place on and returns the last segment.
func (r *recovery) replay(from Pos) (span, error) {
	id, off := from.Segment(), from.Offset()
	for {
		s := r.l.segments[id]
		if s == nil {
			return span{}, &CorruptError{fileName(id), 0, "segment is missing, or its header is damaged"}
		}
		sp, err := r.replaySegment(s, off)
		if err != nil {
			return span{}, err
		}
		r.spans = append(r.spans, sp)
		if !sp.sealed {
			return sp, r.checkEnd(sp)
		}
		if id == math.MaxUint32 {
			return span{}, errors.New("log has used up its segment ids")
		}
		id, off = id+1, headerSize
	}
}

func (r *recovery) replaySegment(s *segment, off uint32) (span, error) {
	sp := span{s: s, synced: headerSize}
	if off < headerSize || off%align != 0 || off > s.size {
		return sp, &CorruptError{fileName(s.id), int64(off), "no record can start here"}
	}
	f, err := r.l.fileOf(s)
	if err != nil {
		return sp, err
	}
	sp.data = make([]byte, s.size)
	if _, err := f.ReadAt(sp.data, 0); err != nil {
		return sp, fmt.Errorf("read %s: %w", fileName(s.id), err)
	}
	for {
		h, payload, ok := parseRecord(sp.data[off:], s.seed, off, s.size)
		sp.end = off
		if !ok {
			return sp, nil
		}
		sp.synced = max(sp.synced, h.synced)
		if h.length == 0 {
			sp.sealed = true
			return sp, nil
		}
		n := RecordSize(len(payload))
		if err := r.apply(At(s.id, off), n, payload); err != nil {
			return sp, &CorruptError{fileName(s.id), int64(off), err.Error()}
		}
		r.report.Records++
		r.report.Read += int64(n)
		off += n
	}
}

// checkEnd decides what the end of the log is. Past it there may be records
// of a write that the machine did not finish: they are wiped, since later
// records would otherwise lead up to them. But a record that says the log was
// on the disk beyond the end, or one in a later segment, shows that what
// follows the end is damage.
func (r *recovery) checkEnd(end span) error {
	name := fileName(end.s.id)
	left := false
	for off := skipZeros(end.data, end.end); off+recordHead <= end.s.size; off = skipZeros(end.data, off+align) {
		h, _, ok := parseRecord(end.data[off:], end.s.seed, off, end.s.size)
		if !ok {
			continue
		}
		if h.synced > end.end {
			return &CorruptError{name, int64(end.end), fmt.Sprintf("record has a wrong checksum, and the one at %d shows that it was on the disk", off)}
		}
		left = true
	}
	for id, s := range r.l.segments {
		if id <= end.s.id {
			continue
		}
		used, err := r.used(s)
		if err != nil {
			return err
		}
		if used {
			return &CorruptError{name, int64(end.end), fmt.Sprintf("record has a wrong checksum, and %s shows that it was on the disk", fileName(id))}
		}
	}
	// Every write ends with zeros where the next record's head will be.
	clean := end.end+recordHead > end.s.size || [recordHead]byte(end.data[end.end:]) == [recordHead]byte{}
	if clean && !left {
		return nil
	}
	r.report.Torn, r.report.Cut = true, At(end.s.id, end.end)
	return r.wipe(end)
}

// used reports whether a segment has any record.
func (r *recovery) used(s *segment) (bool, error) {
	f, err := r.l.fileOf(s)
	if err != nil {
		return false, err
	}
	data := make([]byte, s.size)
	if _, err := f.ReadAt(data, 0); err != nil {
		return false, fmt.Errorf("read %s: %w", fileName(s.id), err)
	}
	for off := skipZeros(data, headerSize); off+recordHead <= s.size; off = skipZeros(data, off+align) {
		if _, _, ok := parseRecord(data[off:], s.seed, off, s.size); ok {
			return true, nil
		}
	}
	return false, nil
}

func (r *recovery) wipe(end span) error {
	f, err := r.l.fileOf(end.s)
	if err != nil {
		return err
	}
	if err := writeZeros(f, int64(end.end), int64(end.s.size)); err != nil {
		return fmt.Errorf("wipe the torn end of %s: %w", fileName(end.s.id), err)
	}
	return nil
}

// prove puts on the disk what was read but may be in the page cache alone. It
// writes the same bytes again: after a failed sync Linux takes them for clean,
// and a sync by itself would do nothing. Only the last segment with records
// can hold such bytes; if the one after it was begun, that is the last but one.
func (r *recovery) prove() error {
	for _, sp := range r.spans[max(0, len(r.spans)-2):] {
		f, err := r.l.fileOf(sp.s)
		if err != nil {
			return err
		}
		end := sp.end
		if sp.sealed {
			end += recordHead
		}
		if _, err = f.WriteAt(sp.data[sp.synced:end], int64(sp.synced)); err == nil {
			err = f.Datasync()
		}
		if err != nil {
			return fmt.Errorf("sync %s: %w", fileName(sp.s.id), err)
		}
	}
	return nil
}

// takeReady takes over segments made ready by the process before, and removes
// what cannot be used.
func (r *recovery) takeReady(ids map[uint32]bool) error {
	l := r.l
	l.nextID = l.cur.id + 1
	for s := l.segments[l.nextID]; s != nil && s.size == l.o.SegmentSize; s = l.segments[l.nextID] {
		l.ready = append(l.ready, s)
		delete(l.segments, s.id)
		l.nextID++
	}
	for id := range ids {
		if id < l.nextID {
			continue
		}
		if s := l.segments[id]; s != nil {
			if s.file != nil {
				s.close()
				l.open--
			}
			delete(l.segments, id)
		}
		if err := l.fsys.Remove(fileName(id)); err != nil {
			return err
		}
	}
	return nil
}

// RemoveUnused removes the segments of a log whose making was not finished. It
// fails if any of them has a record.
func RemoveUnused(fsys vfs.FS, o Options) error {
	r := &recovery{l: &Log{fsys: fsys, o: o, segments: map[uint32]*segment{}}}
	ids, err := r.list(0)
	if err != nil {
		return err
	}
	for id, s := range r.l.segments {
		used, err := r.used(s)
		s.close()
		if err != nil {
			return err
		}
		if used {
			return fmt.Errorf("%s %w", fileName(id), ErrUsed)
		}
	}
	for id := range ids {
		if err := fsys.Remove(fileName(id)); err != nil {
			return err
		}
	}
	return nil
}
