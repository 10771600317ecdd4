package edge

import (
	"cmp"
	"slices"
)

// ClickCount is how often a link was followed on one day (UTC).
type ClickCount struct {
	Campaign string `json:"campaign"` // the name in Options.Clicks
	Path     string `json:"path"`     // without query; OtherLinks beyond the bound
	Day      string `json:"day"`      // 2006-01-02
	People   int64  `json:"people"`   // clicks
	Visitors int64  `json:"visitors"` // different people among them, at least; 0 of days before they were counted
	Bots     int64  `json:"bots"`     // clicks of programs
}

// OtherLinks is the path under which clicks are counted once there are too
// many distinct links, so that nobody fills memory or disk by making links up.
const OtherLinks = "(other)"

// add counts in memory, under OtherLinks if there are too many links. It
// returns the line as it was counted. The caller holds mu, or is alone.
func (s *clickStore) add(c clickLine) clickLine {
	if s.links[clickKey{c.Campaign, c.Path, c.Day}] == nil && c.Path != OtherLinks {
		if s.total >= maxClickLinks {
			s.foldOldest(c.Day)
		}
		if s.total >= maxClickLinks || s.perDay[clickKey{campaign: c.Campaign, day: c.Day}] >= maxPathsPerDay || len(c.Path) > maxClickPath {
			c.Path = OtherLinks
		}
	}
	s.put(c)
	return c
}

// foldOldest makes room: it moves the links of the oldest day, unless that is
// today, to OtherLinks of that day.
func (s *clickStore) foldOldest(today string) {
	oldest := today
	for k := range s.links {
		if k.path != OtherLinks {
			oldest = min(oldest, k.day)
		}
	}
	if oldest == today {
		return
	}
	for k, c := range s.links {
		if k.day == oldest && k.path != OtherLinks {
			s.forget(k)
			s.put(clickLine{Day: c.Day, Campaign: c.Campaign, Path: OtherLinks, People: c.People, Visitors: c.Visitors, Bots: c.Bots})
		}
	}
}

func (s *clickStore) put(c clickLine) {
	k := clickKey{c.Campaign, c.Path, c.Day}
	have := s.links[k]
	if have == nil {
		have = &ClickCount{Campaign: c.Campaign, Path: c.Path, Day: c.Day}
		s.links[k] = have
		if c.Path != OtherLinks {
			s.perDay[clickKey{campaign: c.Campaign, day: c.Day}]++
			s.total++
		}
	}
	have.People += c.People
	have.Visitors += c.Visitors
	have.Bots += c.Bots
}

func (s *clickStore) forget(k clickKey) {
	delete(s.links, k)
	if k.path == OtherLinks {
		return
	}
	s.total--
	day := clickKey{campaign: k.campaign, day: k.day}
	if s.perDay[day]--; s.perDay[day] <= 0 {
		delete(s.perDay, day)
	}
}

func (s *clickStore) counts() []ClickCount {
	s.mu.Lock()
	all := make([]ClickCount, 0, len(s.links))
	for _, c := range s.links {
		all = append(all, *c)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b ClickCount) int {
		return cmp.Or(cmp.Compare(b.Day, a.Day), cmp.Compare(a.Campaign, b.Campaign), cmp.Compare(a.Path, b.Path))
	})
	return all
}
