package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// Failure of a member of a batch.
type Failure struct {
	Index int    `json:"index"` // of the member, from 0
	ID    string `json:"id"`    // of its task
	Error string `json:"error"` // up to 200 bytes of it
}

// BatchStatus is how far a batch is.
type BatchStatus struct {
	ID       string    `json:"id"`
	Members  int       `json:"members"`
	Enqueued int       `json:"enqueued"`          // known to be; in steps of 500
	Settled  int       `json:"settled"`           // done, dead letters or cancelled
	Complete time.Time `json:"complete,omitzero"` // when its completion task was enqueued
	Failed   []Failure `json:"failed"`            // by index
}

// ErrNoBatch: there is no batch of that id on record.
var ErrNoBatch = errNoBatch

// BatchOf returns how far a batch is; ErrNoBatch if it is not on record. It reads
// about √n records.
func BatchOf(ctx context.Context, s *records.Store, id string) (BatchStatus, error) {
	b := BatchStatus{ID: id, Failed: []Failure{}}
	if s == nil {
		return b, ErrNoRecords
	}
	r, err := s.Get(ctx, batchPrefix+id)
	if errors.Is(err, records.ErrNotFound) {
		return b, fmt.Errorf("%w: %s", ErrNoBatch, id)
	} else if err != nil {
		return b, err
	}
	h, err := decodeHead(r)
	if err != nil {
		return b, err
	}
	b.Members, b.Enqueued = h.N, h.Enqueued
	if b.Complete, err = when(h.Complete); err != nil {
		return b, err
	}
	err = eachShard(ctx, s, id, h.N, func(x shard, size int) {
		for bit := range size {
			if has(x.Settled, bit) {
				b.Settled++
			}
		}
		b.Failed = append(b.Failed, x.failures(id)...)
	})
	slices.SortFunc(b.Failed, byIndex)
	return b, err
}

func readFailures(ctx context.Context, s *records.Store, id string, n int) (found []Failure, err error) {
	err = eachShard(ctx, s, id, n, func(x shard, _ int) { found = append(found, x.failures(id)...) })
	slices.SortFunc(found, byIndex)
	return found, err
}

func byIndex(a, b Failure) int { return a.Index - b.Index }

func (x shard) failures(batch string) (found []Failure) {
	for i, why := range x.Failed {
		found = append(found, Failure{i, memberID(batch, i), why})
	}
	return found
}

// eachShard reads the shards that are there.
func eachShard(ctx context.Context, s *records.Store, id string, n int, do func(x shard, size int)) error {
	k := shardsOf(n)
	for i := range k {
		r, err := s.Get(ctx, shardKey(id, i))
		if errors.Is(err, records.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		x, err := decodeShard(r, sizeOf(i, k, n))
		if err != nil {
			return err
		}
		do(x, sizeOf(i, k, n))
	}
	return nil
}

type batchKey struct{}

type ofBatch struct {
	store *records.Store
	id    string
}

// BatchFailures returns the members that failed or were cancelled, in the run of
// the completion task of their batch; elsewhere it fails with ErrNoBatch.
func BatchFailures(ctx context.Context) ([]Failure, error) {
	b, ok := ctx.Value(batchKey{}).(*ofBatch)
	if !ok {
		return nil, fmt.Errorf("%w: this is not the run of a completion task", ErrNoBatch)
	}
	st, err := BatchOf(ctx, b.store, b.id)
	return st.Failed, err
}
