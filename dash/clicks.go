package dash

import (
	"cmp"
	"encoding/csv"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
	Total     int64      `json:"total"`    // of people
	Programs  int64      `json:"programs"` // beside them
	ByDay     []dayCount `json:"by_day"`   // each day, oldest first
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
	Visitors int64  `json:"visitors"` // different people each day, added up
	Programs int64  `json:"programs"`
	Last     string `json:"last"` // day of the latest
}

func (clicksPage) Title() string { return "Clicks" }

// Choices of Days.
func (clicksPage) Choices() []int { return []int{7, 30, 90} }

// First day shown.
func (p clicksPage) First() string { return p.ByDay[0].Day }

func (d *Dash) clicks(r *http.Request) (model, error) {
	p, since := d.clicksAsked(r)
	rows, err := d.App.Clicks(r.Context(), since)
	if err != nil {
		return nil, err
	}
	p.count(rows, since)
	return p, nil
}

// clicksAsked is what a request wants to see, and since which day.
func (d *Dash) clicksAsked(r *http.Request) (p clicksPage, since time.Time) {
	p = clicksPage{Days: 30, Campaign: r.URL.Query().Get("campaign")}
	switch r.URL.Query().Get("days") {
	case "7":
		p.Days = 7
	case "90":
		p.Days = 90
	}
	today := d.Now().UTC()
	return p, time.Date(today.Year(), today.Month(), today.Day()-p.Days+1, 0, 0, 0, 0, time.UTC)
}

// clicksCSV is the page's clicks as a table for other programs.
func (d *Dash) clicksCSV(w http.ResponseWriter, r *http.Request) {
	p, since := d.clicksAsked(r)
	rows, err := d.App.Clicks(r.Context(), since)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="clicks.csv"`)
	first := since.Format(time.DateOnly)
	rows = slices.DeleteFunc(slices.Clone(rows), func(c ClickCount) bool { return c.Day < first || p.Campaign != "" && c.Campaign != p.Campaign })
	WriteClicks(w, rows) //nolint:errcheck // whoever asked has left
}

// WriteClicks writes clicks as CSV (RFC 4180) with a line of names.
func WriteClicks(w io.Writer, rows []ClickCount) error {
	out := csv.NewWriter(w)
	out.Write([]string{"day", "campaign", "link", "clicks", "visitors", "programs"}) //nolint:errcheck // Error tells
	for _, c := range rows {
		n := func(i int64) string { return strconv.FormatInt(i, 10) }
		out.Write([]string{c.Day, cell(c.Campaign), cell(c.Link), n(c.Count), n(c.Visitors), n(c.Programs)}) //nolint:errcheck // as before
	}
	out.Flush()
	return out.Error()
}

// cell is a text that no spreadsheet takes for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
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
		p.Programs += c.Programs
		byLink[key] = linkRow{c.Campaign, c.Link, l.Count + c.Count, l.Visitors + c.Visitors, l.Programs + c.Programs, max(l.Last, c.Day)}
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
