package dash

import (
	"encoding/json"
	"time"
)

// failuresShown is how many members of a batch that failed are listed.
const failuresShown = 50

// Batch is how far the tasks of a batch are.
type Batch struct {
	Members  int       `json:"members"`
	Enqueued int       `json:"enqueued"` // known to be
	Settled  int       `json:"settled"`  // done, dead letters or cancelled
	Complete time.Time `json:"complete"` // when its completion task was enqueued; zero: not yet
	Failed   int       `json:"failed"`
	Failures []Failure `json:"failures"` // the first of them
}

// Failure is a member of a batch that is a dead letter, or was cancelled.
type Failure struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// fit makes a batch fit to be shown.
func (b *Batch) fit() *Batch {
	if b == nil {
		return nil
	}
	x := *b
	x.Failures = nil
	for _, f := range b.Failures[:min(len(b.Failures), failuresShown)] {
		x.Failures = append(x.Failures, Failure{ID: strip(f.ID, longestID), Error: strip(f.Error, 300)})
	}
	return &x
}

// More are the members that failed and are not listed.
func (b Batch) More() int { return b.Failed - len(b.Failures) }

// OfID is the page of the member's task.
func (f Failure) OfID() string { return taskAddress(f.ID) }

// part is what an extension of a task says: the id of the chain or batch it is of.
func part(extension string) string {
	var x struct {
		ID string `json:"id"`
	}
	if len(extension) > bodyIndented || json.Unmarshal([]byte(extension), &x) != nil || len(x.ID) > longestID {
		return ""
	}
	return x.ID
}

// OfChain is the page of the chain, by which it is cancelled.
func (m message) OfChain() string { return taskAddress(m.Chain) }

// OfBatch is the page of the batch.
func (m message) OfBatch() string { return taskAddress(m.Batch) }
