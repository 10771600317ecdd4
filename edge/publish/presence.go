package publish

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// Presence is what an edge says of itself.
type Presence struct {
	Edge string `json:"edge"`
	// Live is the release it answers from.
	Live string `json:"live"`
	// Loaded are the releases whose contents it has in memory, Warm those of them
	// whose compressed forms it has, too.
	Loaded []string  `json:"loaded"`
	Warm   []string  `json:"warm"`
	Error  string    `json:"error,omitempty"`
	At     time.Time `json:"at"`
}

// PresenceTime is how long an edge is listed after it said something last.
const PresenceTime = 3 * time.Minute

// Report says what an edge does.
func (s *Store) Report(ctx context.Context, p Presence) error {
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = s.opt.Records.Update(ctx, "publish/edge/"+p.Edge, func(*records.Record) (records.Record, error) {
		return records.Record{Value: value, Mark: edgeMark, Expires: time.Now().Add(PresenceTime)}, nil
	})
	return err
}

// Leave has an edge be listed no more.
func (s *Store) Leave(ctx context.Context, edge string) error {
	r, err := s.opt.Records.Get(ctx, "publish/edge/"+edge)
	if err != nil {
		return err
	}
	return s.opt.Records.Delete(ctx, r.Key, r.Version)
}

// Edges are those that have said something lately, by name.
func (s *Store) Edges(ctx context.Context) ([]Presence, error) {
	edges := []Presence{}
	for r, err := range s.opt.Records.All(ctx, edgeMark) {
		if err != nil {
			return nil, err
		}
		var p Presence
		if json.Unmarshal(r.Value, &p) == nil {
			edges = append(edges, p)
		}
	}
	slices.SortFunc(edges, func(a, b Presence) int { return cmp.Compare(a.Edge, b.Edge) })
	return edges, nil
}
