package app

import (
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/edge"
)

// cacheShown is the response cache as the dashboard shows it; nil if there is
// none.
func cacheShown(e *edge.Edge) *dash.EdgeCache {
	s, ok := e.CacheStats()
	if !ok {
		return nil
	}
	cached := s.Hits + s.Stale + s.Revalidated + s.Collapsed
	c := &dash.EdgeCache{Cached: int64(cached), Answers: int64(cached + s.Misses + s.Passes), Objects: s.Objects,
		Memory: s.Memory, MemoryMax: s.MemoryMax, Disk: s.Disk, DiskMax: s.DiskMax}
	if c.Answers > 0 {
		c.Share = float64(c.Cached) / float64(c.Answers)
	}
	return c
}
