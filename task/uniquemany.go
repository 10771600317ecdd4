package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// claimed at once: the first of them is sent long before its claim is over.
const claimChunk = 100

// many stores the calls of one EnqueueMany, those to be unique as far as they
// are. ids[i] is then the id of the i-th task that is there, stored by this call
// or before, else "".
func (c *Client) many(ctx context.Context, drafts []draft, ids []string) error {
	if len(drafts) == 0 || drafts[0].unique == nil {
		return c.sendDrafts(ctx, drafts, ids)
	}
	dup := &DuplicatesError{Of: make([]*DuplicateError, len(drafts))}
	found := false
	for at := 0; at < len(drafts); at += claimChunk {
		end := min(at+claimChunk, len(drafts))
		err := c.chunk(ctx, drafts[at:end], ids[at:end], dup.Of[at:end])
		for i := at; i < end; i++ {
			if dup.Of[i] != nil {
				found, ids[i] = true, dup.Of[i].ID
			}
		}
		if err != nil {
			return err
		}
	}
	if found {
		return dup
	}
	return nil
}

// chunk claims the keys of some calls, sends what is to be sent, and notes what
// became of it.
func (c *Client) chunk(ctx context.Context, drafts []draft, ids []string, dup []*DuplicateError) error {
	first := map[string]int{} // of the calls of one key
	errs := make([]error, len(drafts))
	var mine []int
	var mu sync.Mutex // mine's
	inLanes(len(drafts), func(i int) bool {
		key := drafts[i].unique.Key
		if _, ok := first[key]; ok {
			return false
		}
		first[key] = i
		return true
	}, func(i int) {
		stored, err := c.claim(ctx, &drafts[i])
		switch d, isDup := errors.AsType[*DuplicateError](err); {
		case isDup:
			dup[i] = d
		case stored:
			ids[i] = drafts[i].event.ID
		case err != nil:
			errs[i] = err
		default:
			mu.Lock()
			defer mu.Unlock()
			mine = append(mine, i)
		}
	})
	slices.Sort(mine) // claims end in any order; a FIFO queue has them sent in that of the calls
	err := c.sendMine(ctx, drafts, mine, ids)
	for i := range drafts {
		if j := first[drafts[i].unique.Key]; j != i {
			switch {
			case dup[j] != nil:
				dup[i] = dup[j]
			case ids[j] != "":
				dup[i] = &DuplicateError{Task: drafts[i].event.Type, ID: ids[j], Queue: c.q.Name()}
			}
		}
		if err == nil && errs[i] != nil {
			err = fmt.Errorf("task %s: enqueue into %s: %w", drafts[i].event.Type, c.q.Name(), errs[i])
		}
	}
	return err
}

// sendMine sends the calls whose claims this process has.
func (c *Client) sendMine(ctx context.Context, drafts []draft, mine []int, ids []string) error {
	if len(mine) == 0 {
		return nil
	}
	some, theirs := make([]draft, len(mine)), make([]string, len(mine))
	for n, i := range mine {
		some[n] = drafts[i]
	}
	err := c.sendDrafts(ctx, some, theirs)
	inLanes(len(mine), nil, func(n int) {
		some[n].settle(ctx, theirs[n] != "")
	})
	for n, i := range mine {
		ids[i] = theirs[n]
	}
	return err
}

// sendDrafts sends calls by way of the middleware.
func (c *Client) sendDrafts(ctx context.Context, drafts []draft, ids []string) error {
	events := make([]*Event, len(drafts))
	for i := range drafts {
		events[i] = &drafts[i].event
	}
	return c.enqueue(ctx, events, func(ctx context.Context) error {
		out := make([]call, len(drafts))
		for i := range drafts {
			var err error
			if out[i], err = c.seal(drafts[i]); err != nil {
				return err
			}
		}
		for i := range drafts {
			if err := drafts[i].hold(ctx); err != nil {
				return err
			}
		}
		for i := range events {
			ids[i] = events[i].ID
		}
		return c.sendAll(ctx, out, ids)
	})
}

// inLanes calls do for each i below n that take takes, in order, a few at once.
func inLanes(n int, take func(int) bool, do func(int)) {
	var wg sync.WaitGroup
	lanes := make(chan struct{}, sendLanes)
	for i := range n {
		if take != nil && !take(i) {
			continue
		}
		lanes <- struct{}{}
		wg.Go(func() {
			defer func() { <-lanes }()
			do(i)
		})
	}
	wg.Wait()
}
