// Package archive is the form in which queues and their messages leave a store
// and come into one: lines of JSON, described in doc/formats/queue-export.md.
//
// A Writer and a Reader hold one line at a time, whatever the number of
// messages. A Reader gives only what package queue would take; a file that was
// cut short, or that says something a Reader does not know, is an error that
// names the line.
package archive

import (
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Version of the format.
const Version = 1

// MaxLine is the longest line a Reader takes, bytes: a body of 1 MiB, every
// character of it escaped, with attributes beside it.
const MaxLine = 16 << 20

// Queue is a queue with everything but its messages.
type Queue struct {
	Name       string
	Attributes driver.Attributes
	Tags       map[string]string
	Created    time.Time // zero: unknown
	Modified   time.Time // zero: unknown
}

// Message is a message of one queue and what became of it so far.
type Message struct {
	Queue string
	driver.Browsed
	// ReceivesBefore is how many of Receives were in the queues it was
	// dead-lettered from; a policy counts from there.
	ReceivesBefore int
	// Doubtful: it may have been deleted already; the damaged store it is from
	// could not tell.
	Doubtful bool
}

// End is the last line: a file without it was cut short.
type End struct {
	Queues   int
	Messages int64
	// Lost is how many messages are known to be missing because the store was
	// damaged.
	Lost    int64
	Damaged bool // the store was
}
