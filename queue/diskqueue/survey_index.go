package diskqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/backsum"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// index is what was read of the checkpoint.
type index struct {
	headed     bool // its first block could be read: the log after it is known
	from       seglog.Pos
	nextSeq    uint64 // when it was begun
	lostBlocks bool
	lost       int64 // messages in blocks that were lost; -1: unknown
}

// unnamedAttributes are given to a queue whose own were lost: what is in it is
// kept for as long as can be.
var unnamedAttributes = driver.Attributes{Visibility: 30 * time.Second, Retention: 14 * 24 * time.Hour, MaxMessageSize: 1 << 20}

// maxIndex is the largest checkpoint believed, bytes: that of 500 million messages.
const maxIndex = 4 << 30

// loadIndex reads the checkpoint block by block, past damage.
func (s *survey) loadIndex() error {
	const file = checkpointName
	f, err := s.fsys.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		s.note(file, 0, "file is missing", "")
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	if size > maxIndex {
		s.note(file, 0, fmt.Sprintf("file has %d bytes", size), "")
		return nil
	}
	data := make([]byte, size)
	for _, h := range seglog.ReadPast(f, data) {
		s.note(file, int64(h.Off), h.Reason, "")
	}
	s.progress(passes * size)
	s.scanIndex(data)
	return nil
}

// scanIndex enters the blocks that can be read. Without the first one it enters
// queues alone: where the messages' blocks belong in the log is not known.
func (s *survey) scanIndex(data []byte) {
	r := &checkpointReader{e: s.e, now: now(), first: s.format == 1}
	s.read.lost = -1
	at := len(checkpointMagic)
	if len(data) >= at && string(data[:at]) == checkpointFirst {
		r.first = true
	} else if len(data) < at || string(data[:at]) != checkpointMagic {
		s.note(checkpointName, 0, "not a checkpoint", "")
	}
	for number := uint32(0); ; number++ {
		b, ok := blockAt(data, at, number)
		if !ok {
			s.read.lostBlocks = true
			next, n := nextBlock(data, at, number)
			s.note(checkpointName, int64(at), blockFault(data, at), "")
			if next == 0 {
				return
			}
			at, number = next, n
			b, _ = blockAt(data, at, number)
		}
		if b[0] == blockEnd {
			s.endIndex(r, b, len(data)-at-blockHeadSize-len(b))
			return
		}
		if !s.enterBlock(r, b) {
			s.read.lostBlocks = true
			s.note(checkpointName, int64(at), "block is malformed", "")
		}
		at += blockHeadSize + len(b)
	}
}

// endIndex takes from the last block how many messages there were.
func (s *survey) endIndex(r *checkpointReader, b []byte, left int) {
	d := &decoder{b: b[1:]}
	if n := d.uint(); d.err == nil && s.read.headed {
		s.read.lost = int64(n - r.count)
	}
	if left > 0 {
		s.note(checkpointName, 0, fmt.Sprintf("%d bytes follow its last block", left), "")
	}
}

// enterBlock enters a block whose checksum passed.
func (s *survey) enterBlock(r *checkpointReader, b []byte) bool {
	switch b[0] {
	case blockHead:
		if s.read.headed {
			return false
		}
	case blockQueue:
		r.headed = true
	case blockMessages, blockDedup, blockMoveTask:
		if !s.read.headed {
			return true
		}
		d := &decoder{b: b[1:]}
		if uid := uint32(d.upTo(1<<32 - 1)); d.err == nil && s.e.byUID[uid] == nil && s.read.lostBlocks {
			s.place(s.e, uid)
			s.log.unnamed[uid] = true
		}
	}
	if _, err := r.apply(b); err != nil {
		return false
	}
	if b[0] == blockHead {
		s.read.headed, s.read.from, s.read.nextSeq = true, r.from, s.e.nextSeq
	}
	return true
}

const blockHeadSize = 8 // length and checksum before a block

// blockAt returns the block at an offset if it is there whole and has that number.
func blockAt(data []byte, at int, number uint32) ([]byte, bool) {
	b, sum, ok := blockBytes(data, at)
	return b, ok && blockSum(number, b) == sum
}

// blockBytes returns the bytes that an offset would have for a block.
func blockBytes(data []byte, at int) (b []byte, sum uint32, ok bool) {
	if at < 0 || at+blockHeadSize > len(data) {
		return nil, 0, false
	}
	n := binary.LittleEndian.Uint32(data[at:])
	if n == 0 || n > maxBlock || int64(n) > int64(len(data)-at-blockHeadSize) {
		return nil, 0, false
	}
	sum = binary.LittleEndian.Uint32(data[at+4:])
	return data[at+blockHeadSize:][:n], sum, true
}

func blockFault(data []byte, at int) string {
	switch _, _, ok := blockBytes(data, at); {
	case ok:
		return "block has a wrong checksum"
	case at+blockHeadSize > len(data):
		return "file ends early"
	}
	return "block has an impossible length, or the file ends early"
}

// searchWork bounds the bytes summed up in search of a block, as a multiple of
// the file's.
const searchWork = 16

// nextBlock finds the first whole block behind a damaged one and its number; 0 if
// there is none. The number is under the block's checksum, which is run backwards
// for it.
func nextBlock(data []byte, at int, number uint32) (int, uint32) {
	if b, _, ok := blockBytes(data, at); ok {
		if next := at + blockHeadSize + len(b); isBlock(data, next, number+1) {
			return next, number + 1
		}
	}
	work := int64(len(data)) * searchWork
	for next := at + 1; next+blockHeadSize < len(data) && work > 0; next++ {
		b, sum, ok := blockBytes(data, next)
		if !ok || b[0] < blockHead || b[0] > blockMoveTask {
			continue
		}
		work -= int64(len(b))
		// A register that takes four bytes in is the one that takes in zeros and
		// had the four bytes added before: so run back over zeros it shows them.
		n := backsum.Start(backsum.Start(sum, b), make([]byte, 4))
		most := uint32((next-at)/(blockHeadSize+1)) + 1
		if n > number && n <= number+most {
			return next, n
		}
	}
	return 0, 0
}

func isBlock(data []byte, at int, number uint32) bool {
	_, ok := blockAt(data, at, number)
	return ok
}
