package dash

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"
)

const (
	linksShown     = 100
	campaignsShown = 50
)

// clicksPage counts clicks over the last days, today included.
type clicksPage struct {
	Days      int        `json:"days"`
	Campaign  string     `json:"campaign"` // "" all
	Total     int64      `json:"total"`
	ByDay     []dayCount `json:"by_day"` // each day, oldest first
	Campaigns []tally    `json:"campaigns"`
	Links     []linkRow  `json:"links"` // the most clicked
	MoreLinks int        `json:"more_links"`
	Bars      []bar      `json:"-"`
}

type dayCount struct {
	Day   string `json:"day"`
	Count int64  `json:"count"`
}

type tally struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

type linkRow struct {
	Campaign string `json:"campaign"`
	Link     string `json:"link"`
	Count    int64  `json:"count"`
	Last     string `json:"last"` // day of the latest
}

func (clicksPage) Title() string { return "Clicks" }

// Choices of Days.
func (clicksPage) Choices() []int { return []int{7, 30, 90} }

// First day shown.
func (p clicksPage) First() string { return p.ByDay[0].Day }

func (d *Dash) clicks(r *http.Request) (model, error) {
	p := clicksPage{Days: 30, Campaign: r.URL.Query().Get("campaign")}
	switch r.URL.Query().Get("days") {
	case "7":
		p.Days = 7
	case "90":
		p.Days = 90
	}
	today := d.Now().UTC()
	since := time.Date(today.Year(), today.Month(), today.Day()-p.Days+1, 0, 0, 0, 0, time.UTC)
	rows, err := d.App.Clicks(r.Context(), since)
	if err != nil {
		return nil, err
	}
	p.count(rows, since)
	return p, nil
}

func (p *clicksPage) count(rows []ClickCount, since time.Time) {
	byDay, byCampaign := map[string]int64{}, map[string]int64{}
	byLink := map[[2]string]linkRow{}
	first := since.Format(time.DateOnly)
	for _, c := range rows {
		if c.Day < first {
			continue
		}
		byCampaign[c.Campaign] += c.Count
		if p.Campaign != "" && c.Campaign != p.Campaign {
			continue
		}
		p.Total += c.Count
		byDay[c.Day] += c.Count
		key := [2]string{c.Campaign, c.Link}
		l := byLink[key]
		byLink[key] = linkRow{c.Campaign, c.Link, l.Count + c.Count, max(l.Last, c.Day)}
	}
	values := make([]int64, p.Days)
	for i := range p.Days {
		day := since.AddDate(0, 0, i).Format(time.DateOnly)
		values[i] = byDay[day]
		p.ByDay = append(p.ByDay, dayCount{day, byDay[day]})
	}
	p.Bars = newBars(values, func(i int) string { return p.ByDay[i].Day + ": " + count(p.ByDay[i].Count) })
	for name, n := range byCampaign {
		p.Campaigns = append(p.Campaigns, tally{name, n})
	}
	slices.SortFunc(p.Campaigns, func(a, b tally) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	p.Campaigns = p.Campaigns[:min(len(p.Campaigns), campaignsShown)]
	p.Links = slices.SortedFunc(maps.Values(byLink), func(a, b linkRow) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Campaign, b.Campaign), cmp.Compare(a.Link, b.Link))
	})
	p.MoreLinks = max(0, len(p.Links)-linksShown)
	p.Links = p.Links[:min(len(p.Links), linksShown)]
}
