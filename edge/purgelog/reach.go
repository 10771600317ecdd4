package purgelog

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	presenceKey  = "edge-cache/edge/"
	presenceMark = "edge-cache-edge"
	// presenceTime is how long a machine is listed after it said something last,
	// and sayEvery how often it says something when nothing happens.
	presenceTime = 3 * time.Minute
	sayEvery     = time.Minute
)

// A Machine is one whose cache follows the log.
type Machine struct {
	Name string `json:"name"`
	// Number is that of the last purge it has carried out.
	Number uint64    `json:"number"`
	At     time.Time `json:"at"`
}

// tell says to the others how far this machine is.
func (f *Follower) tell(ctx context.Context) error {
	f.mu.Lock()
	number, due := f.seen, f.known && (f.said != f.seen || time.Since(f.saidAt) > sayEvery)
	f.mu.Unlock()
	if !due {
		return nil
	}
	m := Machine{Name: f.opt.Name, Number: number, At: time.Now().UTC()}
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = f.opt.Records.Update(ctx, presenceKey+f.opt.Name, func(*records.Record) (records.Record, error) {
		return records.Record{Value: value, Mark: presenceMark, Expires: m.At.Add(presenceTime)}, nil
	})
	if err == nil {
		f.mu.Lock()
		f.said, f.saidAt = number, time.Now()
		f.mu.Unlock()
	}
	return err
}

func (f *Follower) leave(ctx context.Context) {
	r, err := f.opt.Records.Get(ctx, presenceKey+f.opt.Name)
	if err == nil {
		_ = f.opt.Records.Delete(ctx, r.Key, r.Version) // else it expires
	}
}

// Machines are those that said something within three minutes, by name, this one
// included.
func (f *Follower) Machines(ctx context.Context) ([]Machine, error) {
	f.mu.Lock()
	all := []Machine{{f.opt.Name, f.seen, time.Now().UTC()}}
	f.mu.Unlock()
	for r, err := range f.opt.Records.All(ctx, presenceMark) {
		if err != nil {
			return nil, err
		}
		var m Machine
		if json.Unmarshal(r.Value, &m) == nil && m.Name != f.opt.Name {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Machine) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Await waits until all machines have carried out a purge, or ctx ends, and
// returns them as they are then.
func (f *Follower) Await(ctx context.Context, number uint64) ([]Machine, error) {
	t := time.NewTicker(max(f.opt.Every/5, time.Millisecond))
	defer t.Stop()
	for {
		all, err := f.Machines(context.WithoutCancel(ctx))
		if err != nil || !slices.ContainsFunc(all, func(m Machine) bool { return m.Number < number }) {
			return all, err
		}
		select {
		case <-ctx.Done():
			return all, nil
		case <-t.C:
		}
	}
}
