package driver

// Remote is implemented by drivers that make a request to another process for
// each call: there ten messages of one call cost little more than one, and
// callers do well to put theirs together.
type Remote interface{ Remote() }

// Batcher is implemented by drivers that are best given more than ten messages
// a call where there are many. Any number is taken by all.
type Batcher interface {
	// BatchSize is how many, at least ten. It may change at any time.
	BatchSize() int
}
