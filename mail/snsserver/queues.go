package snsserver

import (
	"context"
	"errors"
)

// Queues is where topics deliver. Package app implements it over the queues of
// the application.
type Queues interface {
	// Send stores messages in one queue; when it returns nil all of them are on
	// disk, else some may be. An error that is ErrUndeliverable says that none
	// ever will be as it is; others are tried again a few times. Messages are
	// the caller's; nothing of them is kept. Any number may run at once.
	Send(ctx context.Context, queue string, m []Message) error
}

var (
	// ErrUndeliverable: the queue does not exist or never takes such a message.
	ErrUndeliverable = errors.New("the queue does not take the message")
	// ErrFull: there is no room on the disk.
	ErrFull = errors.New("no room on disk")
)

// Message to a queue.
type Message struct {
	Body       string
	Attributes map[string]Attribute // at most 10
	GroupID    string
	DedupID    string // FIFO queues only
}

// Attribute of a message.
type Attribute struct {
	DataType string // "String", "String.Array", "Number", "Binary", or one with a ".suffix"
	String   string // of all but Binary
	Binary   []byte
}
