package export

import (
	"cmp"
	"maps"
	"slices"
)

// Report is what became of a site.
type Report struct {
	Pages     int        `json:"pages"`     // that were read
	Bytes     int64      `json:"bytes"`     // of them
	Files     int        `json:"files"`     // of the copy
	Written   int        `json:"written"`   // of these, as they had changed
	Stale     []string   `json:"stale"`     // files of an earlier export that are no part of this one
	Pruned    bool       `json:"pruned"`    // these were removed
	Broken    []Broken   `json:"broken"`    // addresses that something refers to and that cannot be had
	Conflicts []Conflict `json:"conflicts"` // pages that would have another's name
	Forms     []Form     `json:"forms"`     // that need the application
	Skipped   []Skipped  `json:"skipped"`   // addresses that something refers to and that were not to be asked for; 1,000 at most
	Left      int        `json:"left"`      // references to more than MaxPages addresses, which were not asked for
}

// Broken is an address that cannot be had.
type Broken struct {
	Address string   `json:"address"`
	Why     string   `json:"why"`
	From    []string `json:"from"` // pages that refer to it, at most five
}

// Conflict is a page that is not in the copy, as its name is taken.
type Conflict struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	With    string `json:"with"`
}

// Form is sent to the application.
type Form struct {
	Action string   `json:"action"`
	From   []string `json:"from"` // pages that have it, at most five
}

// Skipped is an address that was not to be asked for.
type Skipped struct {
	Address string   `json:"address"`
	From    []string `json:"from"`
}

// maxListed bounds the forms, and the addresses that were skipped.
const maxListed = 1000

// listing is one of addresses with the pages that refer to each.
type listing map[string][]string

func (l listing) add(address, from string) {
	pages, ok := l[address]
	if !ok && len(l) == maxListed {
		return
	}
	if from != "" && len(pages) < maxFrom && !slices.Contains(pages, from) {
		pages = append(pages, from)
	}
	l[address] = pages
}

// look fills the report with what was read.
func (s *Site) look() {
	r := &s.Report
	for _, a := range s.order {
		p := s.pages[a]
		if p.status != 0 {
			r.Pages++
			r.Bytes += p.size
		}
		why := p.problem()
		if why == "" && p.redirects() {
			if last, outside := s.final(a); outside == "" && s.pages[last] != nil && s.pages[last].redirects() {
				why = "it redirects in a circle"
			}
		}
		if why == "" || p.first {
			continue
		}
		b := Broken{Address: string(a), Why: why}
		for _, from := range p.from {
			b.From = append(b.From, string(from))
		}
		r.Broken = append(r.Broken, b)
	}
	slices.SortFunc(r.Broken, func(a, b Broken) int { return cmp.Compare(a.Address, b.Address) })
	for _, action := range slices.Sorted(maps.Keys(s.forms)) {
		r.Forms = append(r.Forms, Form{action, s.forms[action]})
	}
	for _, a := range slices.Sorted(maps.Keys(s.skips)) {
		r.Skipped = append(r.Skipped, Skipped{a, s.skips[a]})
	}
}
