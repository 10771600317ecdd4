package diskqueue

import (
	"encoding/binary"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// messageHead is the fixed part of a message record: kind, queue, seq, time of
// sending, time it becomes visible (0: when it was sent).
const messageHead = 1 + 4 + 8 + 8 + 8

// putMessage appends the record of a message to be sent. What is only known
// under the engine's lock is left zero for stampMessage.
func putMessage(b []byte, m *driver.Outgoing) []byte {
	b = append(b, byte(kindSend))
	b = append(b, make([]byte, messageHead-1)...)
	b = putString(putString(b, m.GroupID), m.DedupID)
	b = putMessageAttributes(b, m.Attributes)
	b = putMessageAttributes(b, m.System)
	return append(b, m.Body...)
}

func stampMessage(b []byte, uid uint32, seq uint64, sent, visibleAt int64) {
	stampQueue(b, uid)
	binary.LittleEndian.PutUint64(b[5:], seq)
	binary.LittleEndian.PutUint64(b[13:], uint64(sent))
	binary.LittleEndian.PutUint64(b[21:], uint64(visibleAt))
}

func stampQueue(b []byte, uid uint32) { binary.LittleEndian.PutUint32(b[1:], uid) }

// redriveTail is what the record of a message that a move task moved has behind
// the body: queue and number it had. One record says both, so that a crash leaves
// the message in one queue, and not in two.
const redriveTail = 4 + 8

// asRedrive makes the record of a message to be sent one of a move; the tail is
// left zero for stampRedrive.
func asRedrive(b []byte) []byte {
	b[0] = byte(kindRedrive)
	return append(b, make([]byte, redriveTail)...)
}

func stampRedrive(b []byte, from uint32, seq uint64) {
	tail := b[len(b)-redriveTail:]
	binary.LittleEndian.PutUint32(tail, from)
	binary.LittleEndian.PutUint64(tail[4:], seq)
}

// cutRedrive takes the tail off a record; the rest is laid out as one of a send.
func cutRedrive(b []byte) (rest []byte, from uint32, seq uint64, err error) {
	if len(b) < messageHead+redriveTail {
		return nil, 0, 0, errMalformed
	}
	at := len(b) - redriveTail
	from, seq = binary.LittleEndian.Uint32(b[at:]), binary.LittleEndian.Uint64(b[at+4:])
	if seq == 0 || seq > maxSeq {
		return nil, 0, 0, errMalformed
	}
	return b[:at], from, seq, nil
}

func putMessageAttributes(b []byte, m map[string]driver.Attribute) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for name, a := range m {
		b = putString(putString(b, name), a.DataType)
		if a.Binary != nil {
			b = append(binary.AppendUvarint(append(b, 1), uint64(len(a.Binary))), a.Binary...)
		} else {
			b = putString(append(b, 0), a.String)
		}
	}
	return b
}

// stamp is the head of a message record.
type stamp struct {
	uid       uint32
	seq       uint64
	sent      int64
	visibleAt int64
}

func (d *decoder) stamp() (s stamp) {
	b := d.bytes(messageHead - 1)
	if d.err != nil {
		return s
	}
	s.uid = binary.LittleEndian.Uint32(b)
	s.seq = binary.LittleEndian.Uint64(b[4:])
	sent, visible := binary.LittleEndian.Uint64(b[12:]), binary.LittleEndian.Uint64(b[20:])
	if s.seq == 0 || s.seq > maxSeq || sent > 1<<62 || visible > 1<<62 {
		d.fail()
	}
	s.sent, s.visibleAt = int64(sent), int64(visible)
	return s
}

// decodeMessage reads a message record; nothing in the result aliases b.
func decodeMessage(b []byte) (s stamp, m driver.Message, err error) {
	if len(b) > 0 && kind(b[0]) == kindRedrive {
		if b, _, _, err = cutRedrive(b); err != nil {
			return s, m, err
		}
	}
	d := &decoder{b: b}
	if k := kind(d.byte()); !k.stores() && k != kindCopy {
		d.fail()
	}
	s = d.stamp()
	m.GroupID, m.DedupID = d.string(), d.string()
	m.Attributes = d.messageAttributes()
	m.System = d.messageAttributes()
	m.Body = string(d.b)
	m.Sent = fromMilli(s.sent)
	return s, m, d.err
}

func (d *decoder) messageAttributes() map[string]driver.Attribute {
	n := d.upTo(maxDecodedCount)
	if n == 0 || d.err != nil {
		return nil
	}
	m := map[string]driver.Attribute{}
	for i := uint64(0); i < n && d.err == nil; i++ {
		name := d.string()
		a := driver.Attribute{DataType: d.string()}
		if d.byte() == 1 {
			a.Binary = append([]byte{}, d.bytes(d.upTo(maxDecodedString))...)
		} else {
			a.String = d.string()
		}
		m[name] = a
	}
	return m
}
