package sqsqueue

import (
	"encoding/json"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Replies are read twice at most. First by a reader that knows the members SQS
// answers with, in one go over the bytes; it decides nothing: whatever it did
// not expect, a member it does not know or meets twice, a null, text that is not
// UTF-8, it leaves to encoding/json, which costs five times as much. A fuzz test
// holds it to what encoding/json makes of the same bytes.

// receiveReply is the reply to ReceiveMessage.
type receiveReply struct {
	Messages []struct {
		MessageId, ReceiptHandle, Body string
		Attributes                     systemAttributes
		MessageAttributes              map[string]struct {
			DataType, StringValue string
			BinaryValue           []byte
		}
	}
}

// decodeMessages reads the reply to ReceiveMessage; false if it is none.
func decodeMessages(text []byte) ([]driver.Message, bool) {
	if got, ok := scanMessages(text); ok {
		return got, true
	}
	var reply receiveReply
	if len(text) > 0 && json.Unmarshal(text, &reply) != nil {
		return nil, false
	}
	return reply.messages(), true
}

func (reply *receiveReply) messages() (got []driver.Message) {
	for i := range reply.Messages {
		r := &reply.Messages[i]
		one := r.Attributes.message(r.MessageId, r.ReceiptHandle, r.Body)
		if len(r.MessageAttributes) > 0 {
			one.Attributes = make(map[string]driver.Attribute, len(r.MessageAttributes))
			for k, v := range r.MessageAttributes {
				one.Attributes[k] = driver.Attribute{DataType: v.DataType, String: v.StringValue, Binary: v.BinaryValue}
			}
		}
		got = append(got, one)
	}
	return got
}

// scanMessages is decodeMessages for what it expects.
func scanMessages(text []byte) (got []driver.Message, ok bool) {
	s := scanner{b: text}
	var once seen
	ok = s.object(func(name []byte) bool {
		return string(name) == "Messages" && once.first(0) && s.list(func() bool {
			if len(got) == maxBatch {
				return false
			}
			if got == nil {
				got = make([]driver.Message, 0, maxBatch)
			}
			got = append(got, driver.Message{})
			return s.message(&got[len(got)-1])
		})
	})
	return got, ok && s.ended()
}

// message reads one message. Those that have attributes of their own are left
// to encoding/json.
func (s *scanner) message(m *driver.Message) bool {
	var once seen
	return s.object(func(name []byte) bool {
		switch string(name) {
		case "MessageId":
			return once.first(0) && s.text(&m.ID)
		case "ReceiptHandle":
			return once.first(1) && s.text(&m.Receipt)
		case "Body":
			return once.first(2) && s.text(&m.Body)
		case "Attributes":
			return once.first(3) && s.systemAttributes(m)
		case "MD5OfBody":
			return s.skipText()
		}
		return false
	})
}

// systemAttributes reads those that every message has, and the groups.
func (s *scanner) systemAttributes(m *driver.Message) bool {
	var once seen
	return s.object(func(name []byte) bool {
		switch string(name) {
		case "SentTimestamp":
			return once.first(0) && s.milliseconds(&m.Sent)
		case "ApproximateReceiveCount":
			n, ok := s.digits()
			m.Receives = int(n)
			return ok && once.first(1)
		case "ApproximateFirstReceiveTimestamp":
			return once.first(2) && s.milliseconds(&m.FirstReceived)
		case "MessageGroupId":
			return once.first(3) && s.text(&m.GroupID)
		case "MessageDeduplicationId":
			return once.first(4) && s.text(&m.DedupID)
		case "SequenceNumber":
			return once.first(5) && s.text(&m.Sequence)
		case "SenderId":
			return s.skipText()
		}
		return false
	})
}

// decode reads the reply to a request of several entries; false if it is none.
func (r *batchReply) decode(text []byte) bool {
	if r.scan(text) {
		return true
	}
	*r = batchReply{}
	return len(text) == 0 || json.Unmarshal(text, r) == nil
}

// scan is decode where nothing failed.
func (r *batchReply) scan(text []byte) bool {
	s := scanner{b: text}
	var once seen
	ok := s.object(func(name []byte) bool {
		switch string(name) {
		case "Successful":
			return once.first(0) && s.list(func() bool {
				if len(r.Successful) == largeBatch {
					return false
				}
				if r.Successful == nil {
					r.Successful = make([]storedEntry, 0, maxBatch)
				}
				r.Successful = append(r.Successful, storedEntry{})
				return s.stored(&r.Successful[len(r.Successful)-1])
			})
		case "Failed":
			return once.first(1) && s.list(func() bool { return false })
		}
		return false
	})
	return ok && s.ended()
}

func (s *scanner) stored(e *storedEntry) bool {
	var once seen
	return s.object(func(name []byte) bool {
		switch string(name) {
		case "Id":
			return once.first(0) && s.text(&e.Id)
		case "MessageId":
			return once.first(1) && s.text(&e.MessageId)
		case "SequenceNumber":
			return once.first(2) && s.text(&e.SequenceNumber)
		case "MD5OfMessageBody":
			return s.skipText()
		}
		return false
	})
}
