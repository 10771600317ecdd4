package dash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	limitsShown  = 100
	limitsBrief  = 10 // on a queue's page
	listedLooked = 2_000
)

// Ask is for a part of what may be many thousands.
type Ask struct {
	Text  string // is in what is listed, whatever the case; "": all
	Queue string // it is of; "": any
	From  string // the Next of the part before; "": the beginning
	Max   int    // about how many are wanted, 1–1,000; there may be up to a hundred more
	Look  int    // how many are looked through at most
}

// Limit of rate or concurrency, and how much of it is used.
type Limit struct {
	Name        string        `json:"name"`
	Queue       string        `json:"queue"` // it is of, as its name says; "": it does not
	Concurrency int           `json:"concurrency"`
	Rate        int           `json:"rate"` // in each Per
	Per         time.Duration `json:"per_ns"`
	Burst       int           `json:"burst"`
	// Each: it is a limit for each of many values, and this is none of them but
	// what holds for all.
	Each    bool      `json:"each"`
	Used    int       `json:"used"`    // places, of Concurrency
	Workers int       `json:"workers"` // that have them
	Free    int       `json:"free"`    // tasks that the rate lets begin at once, of Burst
	Next    time.Time `json:"next"`    // when it lets one begin
	Waiting int       `json:"waiting"` // tasks that wait in workers
	Back    time.Time `json:"back"`    // when the last of those that were sent away comes again; zero: none
}

// LimitList is a part of the limits.
type LimitList struct {
	Limits  []Limit `json:"limits"`
	Next    string  `json:"next"`   // for Ask.From; "" at the end
	Looked  int     `json:"looked"` // records looked through
	Problem string  `json:"problem,omitempty"`
}

var units = map[time.Duration]string{time.Second: "a second", time.Minute: "a minute", time.Hour: "an hour", 24 * time.Hour: "a day"}

// Terms are the limit in words.
func (l Limit) Terms() string {
	var all []string
	if l.Concurrency > 0 {
		all = append(all, count(l.Concurrency)+" at once")
	}
	if l.Rate > 0 {
		text := count(l.Rate) + " in " + duration(l.Per)
		if unit, ok := units[l.Per]; ok {
			text = count(l.Rate) + " " + unit
		}
		if l.Burst > 1 {
			text += fmt.Sprintf(", %s after a rest", count(l.Burst))
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return "not said by its workers"
	}
	return strings.Join(all, "; ")
}

// Full: nothing more begins now.
func (l Limit) Full() bool {
	return l.Concurrency > 0 && l.Used >= l.Concurrency || l.Rate > 0 && l.Free == 0
}

// Idle: nothing is used of it.
func (l Limit) Idle() bool {
	return l.Used == 0 && l.Waiting == 0 && l.Back.IsZero() && (l.Rate == 0 || l.Free == l.Burst)
}

// Away is the address of the messages that were sent away for the limit.
func (l Limit) Away() string {
	if l.Queue == "" {
		return ""
	}
	return address(messageFilter{Text: l.Name}.query(""), "queues", l.Queue)
}

// limitsPage is a part of the limits there are.
type limitsPage struct {
	None    bool   `json:"none"` // there is no store of records
	Service string `json:"service"`
	Text    string `json:"q"`
	After   string `json:"after"`
	LimitList
}

func (limitsPage) Title() string { return "Limits" }

// NextPage goes on where this one ends.
func (p limitsPage) NextPage() string { return listAddress("limits", p.Text, p.Next) }

func listAddress(page, text, after string) string {
	q := url.Values{}
	if text != "" {
		q.Set("q", text)
	}
	if after != "" {
		q.Set("after", after)
	}
	return address(q, page)
}

func newAsk(r *http.Request, max int) Ask {
	q := r.URL.Query()
	text := strings.TrimSpace(q.Get("q"))
	return Ask{Text: text[:min(len(text), 480)], From: q.Get("after"), Max: max, Look: listedLooked}
}

func (d *Dash) limits(r *http.Request) (model, error) {
	ask := newAsk(r, limitsShown)
	p := limitsPage{Service: d.RecordService, Text: ask.Text, After: ask.From}
	if d.Tasks == nil {
		p.None = true
		return p, nil
	}
	found, err := d.Tasks.Limits(r.Context(), ask)
	if errors.Is(err, ErrNotFound) {
		p.None = true
		return p, nil
	}
	p.LimitList = found
	return p, err
}

// queueLimits are those of one queue that are used most, where looking costs
// nothing; nil where they are not known.
func (d *Dash) queueLimits(ctx context.Context, name string) *LimitList {
	if d.Tasks == nil || d.RecordService != "" {
		return nil
	}
	found, err := d.Tasks.Limits(ctx, Ask{Queue: name, Max: limitsBrief, Look: 500})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil { // the messages are shown all the same
		d.Log.Warn("limits not read", "queue", name, "error", err)
		found.Problem = err.Error()
	}
	if len(found.Limits) > limitsBrief {
		found.Limits, found.Next = found.Limits[:limitsBrief], "more"
	}
	if len(found.Limits) == 0 && found.Problem == "" {
		return nil
	}
	return &found
}

// AllLimits is the address of all limits of the queue.
func (p queuePage) AllLimits() string { return listAddress("limits", p.Queue.Name, "") }
