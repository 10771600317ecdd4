package respcache

import "sync/atomic"

// Stats is what a cache has done since it was made, and what it holds.
type Stats struct {
	// Hits, Stale, Revalidated, Collapsed, Misses and Passes count requests by
	// Outcome.
	Hits        uint64 `json:"hits"`
	Stale       uint64 `json:"stale"`
	Revalidated uint64 `json:"revalidated"`
	Collapsed   uint64 `json:"collapsed"`
	Misses      uint64 `json:"misses"`
	Passes      uint64 `json:"passes"`
	// Coded counts compressed forms that were made to be kept.
	Coded uint64 `json:"coded"`
	// DiskHits counts bodies that were read from disk.
	DiskHits uint64 `json:"disk_hits"`
	// Renewals counts requests the cache made by itself.
	Renewals uint64 `json:"renewals"`
	// Evicted and Purged count objects; what left memory and stayed on disk
	// counts as evicted too.
	Evicted uint64 `json:"evicted"`
	Purged  uint64 `json:"purged"`
	// BodyBytes are the bytes of bodies that were answered without the
	// application.
	BodyBytes uint64 `json:"body_bytes"`
	// Objects, Memory and MemoryMax, and Files, Disk and DiskMax (zero without a
	// folder) are now, in bytes but the numbers of objects and files.
	Objects   int   `json:"objects"`
	Memory    int64 `json:"memory"`
	MemoryMax int64 `json:"memory_max"`
	Files     int   `json:"files"`
	Disk      int64 `json:"disk"`
	DiskMax   int64 `json:"disk_max"`
	// DiskDropped counts objects that were not written because the disk was slow
	// or failed.
	DiskDropped uint64 `json:"disk_dropped"`
}

type meter struct {
	hits, stale, revalidated, collapsed, misses, passes                atomic.Uint64
	diskHits, renewals, evicted, purged, bodyBytes, diskDropped, coded atomic.Uint64
}

func (m *meter) count(o Outcome) {
	switch o {
	case Hit:
		m.hits.Add(1)
	case Stale:
		m.stale.Add(1)
	case Revalidated:
		m.revalidated.Add(1)
	case Collapsed:
		m.collapsed.Add(1)
	case Miss:
		m.misses.Add(1)
	case Pass:
		m.passes.Add(1)
	}
}

// Stats returns what the cache has done and holds.
func (c *Cache) Stats() Stats {
	m := &c.meter
	s := Stats{Hits: m.hits.Load(), Stale: m.stale.Load(), Revalidated: m.revalidated.Load(), Collapsed: m.collapsed.Load(),
		Misses: m.misses.Load(), Passes: m.passes.Load(), Coded: m.coded.Load(), DiskHits: m.diskHits.Load(), Renewals: m.renewals.Load(),
		Evicted: m.evicted.Load(), Purged: m.purged.Load(), BodyBytes: m.bodyBytes.Load(), DiskDropped: m.diskDropped.Load(),
		MemoryMax: c.options().Size}
	c.mu.Lock()
	s.Objects = c.evict.small.count + c.evict.main.count + c.evict.shell.count
	s.Memory = c.evict.bytes()
	c.mu.Unlock()
	if c.disk != nil {
		s.Files, s.Disk = c.disk.held()
		s.DiskMax = c.options().Disk
	}
	return s
}
