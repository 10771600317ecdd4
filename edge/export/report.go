package export

import (
	"cmp"
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

const maxSkipped = 1000

func (r *Report) form(from, action string) {
	i := slices.IndexFunc(r.Forms, func(f Form) bool { return f.Action == action })
	if i < 0 {
		if len(r.Forms) == maxSkipped {
			return
		}
		i = len(r.Forms)
		r.Forms = append(r.Forms, Form{Action: action})
	}
	add(&r.Forms[i].From, from)
}

func (r *Report) skip(address, from string) {
	i := slices.IndexFunc(r.Skipped, func(s Skipped) bool { return s.Address == address })
	if i < 0 {
		if len(r.Skipped) == maxSkipped {
			return
		}
		i = len(r.Skipped)
		r.Skipped = append(r.Skipped, Skipped{Address: address})
	}
	add(&r.Skipped[i].From, from)
}

func add(all *[]string, from string) {
	if from != "" && len(*all) < maxFrom && !slices.Contains(*all, from) {
		*all = append(*all, from)
	}
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
	slices.SortFunc(r.Forms, func(a, b Form) int { return cmp.Compare(a.Action, b.Action) })
	slices.SortFunc(r.Skipped, func(a, b Skipped) int { return cmp.Compare(a.Address, b.Address) })
}
