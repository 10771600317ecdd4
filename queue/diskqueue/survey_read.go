package diskqueue

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// readAhead is how much of a segment is read at once, bytes: messages of a queue
// mostly stand behind each other.
const readAhead = 256 << 10

// recordReader reads messages from segments of which nothing need be whole but
// the messages themselves. It holds one file and one stretch of it.
type recordReader struct {
	fsys    vfs.FS
	file    vfs.File
	segment uint32
	size    int64
	off     int64  // of buf
	buf     []byte // read last
	room    []byte
}

func newRecordReader(fsys vfs.FS) *recordReader { return &recordReader{fsys: fsys} }

func (r *recordReader) close() {
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.segment = nil, 0
}

// message reads an entry's message. Its own checksum must pass and its number be
// the entry's; the record's head and the segment's header are not asked. The
// error is a *CorruptError.
func (r *recordReader) message(m *entry) (s stamp, out driver.Message, err error) {
	wrong := func(reason string) error {
		return &CorruptError{File: m.pos.File(), Offset: int64(m.pos.Offset()), Reason: reason}
	}
	b, err := r.bytes(m)
	if errors.Is(err, fs.ErrNotExist) {
		return s, out, wrong("segment is missing")
	}
	if err != nil {
		return s, out, wrong(fmt.Sprintf("the disk cannot read it: %v", err))
	}
	payload, ok := seglog.PayloadAt(b)
	if !ok {
		return s, out, wrong("record has a wrong checksum")
	}
	if s, out, err = decodeMessage(payload); err != nil {
		return s, out, wrong(err.Error())
	}
	if s.seq != m.seq() {
		return s, out, wrong("another record is in the place of the message's")
	}
	return s, out, nil
}

// guess returns the stamp of a message whose record is damaged, if it can be.
func (r *recordReader) guess(m *entry) (stamp, bool) {
	b, err := r.bytes(m)
	if err != nil || len(b) < seglog.HeadSize+messageHead {
		return stamp{}, false
	}
	d := &decoder{b: b[seglog.HeadSize+1:]}
	s := d.stamp()
	return s, d.err == nil && s.seq == m.seq() && uint32(s.sent/1000) == m.sent
}

// bytes of an entry's record, as far as the file goes.
func (r *recordReader) bytes(m *entry) ([]byte, error) {
	if err := r.open(m.pos.Segment()); err != nil {
		return nil, err
	}
	from := int64(m.pos.Offset())
	to := min(from+int64(m.size()), r.size)
	if from >= to {
		return nil, nil
	}
	if from < r.off || to > r.off+int64(len(r.buf)) {
		if err := r.fill(from, min(max(to, from+readAhead), r.size)); err != nil {
			if err = r.fill(from, to); err != nil { // the disk may fail behind it
				return nil, err
			}
		}
	}
	return r.buf[from-r.off : to-r.off], nil
}

func (r *recordReader) open(segment uint32) error {
	if r.file != nil && r.segment == segment {
		return nil
	}
	r.close()
	r.buf = nil
	f, err := r.fsys.Open(seglog.FileName(segment))
	if err != nil {
		return err
	}
	if r.size, err = f.Size(); err != nil {
		f.Close()
		return err
	}
	r.file, r.segment = f, segment
	return nil
}

func (r *recordReader) fill(from, to int64) error {
	if int64(cap(r.room)) < to-from {
		r.room = make([]byte, to-from)
	}
	r.buf = nil
	b := r.room[:to-from]
	if _, err := r.file.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	r.off, r.buf = from, b
	return nil
}
