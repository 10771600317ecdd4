package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/task/limit"
)

// Bounds of one look through what is listed.
const (
	listedStep = 100
	listedMost = 2_000 // looked through
)

// Limits lists limits of rate and concurrency: at the beginning those of the
// manifest that nothing is used of, and those that were used within the last hour.
func (t *tasks) Limits(ctx context.Context, ask dash.Ask) (l dash.LimitList, err error) {
	a := t.app
	if a.records == nil {
		return l, fmt.Errorf("%w: %w", dash.ErrNotFound, errNoOrders)
	}
	look := listing[limit.Usage]{
		list: func(from string, n int) ([]limit.Usage, string, error) { return limit.List(ctx, a.records, from, n) },
		pass: func(u limit.Usage) bool { return asked(ask, u.Name, a.queueOfLimit(u.Name)) },
	}
	l.Next, l.Looked, l.Problem, err = look.run(ask)
	if err != nil {
		return l, err
	}
	declared := a.declaredLimits()
	for _, u := range look.found {
		x := dash.Limit{Name: u.Name, Queue: a.queueOfLimit(u.Name), Used: u.Used, Workers: u.Workers,
			Free: u.Free, Next: u.Next, Waiting: u.Waiting, Back: u.Back}
		x.Concurrency, x.Rate, x.Per, x.Burst = u.Terms.Concurrency, u.Terms.Rate, u.Terms.Per, u.Terms.Burst
		l.Limits = append(l.Limits, x)
	}
	if ask.From == "" {
		for _, d := range declared {
			used := slices.ContainsFunc(l.Limits, func(x dash.Limit) bool { return x.Name == d.Name && !d.Each })
			if !used && asked(ask, d.Name, d.Queue) {
				if err := a.measure(ctx, &d); err != nil {
					return l, err
				}
				l.Limits = append(l.Limits, d)
			}
		}
	}
	slices.SortStableFunc(l.Limits, func(x, y dash.Limit) int {
		return cmp.Or(pressing(y)-pressing(x), strings.Compare(x.Name, y.Name))
	})
	return l, nil
}

// pressing puts first what tasks wait for, then what is used.
func pressing(l dash.Limit) int {
	switch {
	case l.Waiting > 0 || !l.Back.IsZero():
		return 2
	case !l.Idle():
		return 1
	}
	return 0
}

// measure fills in what is used of a limit that is not among those listed so far.
func (a *App) measure(ctx context.Context, l *dash.Limit) error {
	if l.Each {
		return nil
	}
	u, err := limit.Get(ctx, a.records, l.Name)
	if errors.Is(err, records.ErrNotFound) {
		return nil
	}
	l.Used, l.Workers, l.Free, l.Next, l.Waiting, l.Back = u.Used, u.Workers, u.Free, u.Next, u.Waiting, u.Back
	return err
}

// declaredLimits are those of the manifest.
func (a *App) declaredLimits() (all []dash.Limit) {
	for _, name := range sortedKeys(a.manifest.Queue) {
		for _, l := range a.manifest.Queue[name].Limit.Limits(a.names[name]) {
			x := dash.Limit{Name: l.Name, Queue: a.names[name], Concurrency: l.Concurrency, Rate: l.Rate, Each: l.By != nil}
			if l.Rate > 0 {
				x.Per, x.Burst = l.Per, max(1, l.Burst)
				x.Free = x.Burst
			}
			all = append(all, x)
		}
	}
	return all
}

// queueOfLimit is the queue whose name a limit's begins with, the longest; "": none.
func (a *App) queueOfLimit(name string) (found string) {
	for _, q := range a.names {
		rest, ok := strings.CutPrefix(name, q)
		if ok && len(q) > len(found) && (rest == "" || strings.ContainsAny(rest[:1], " =#")) {
			found = q
		}
	}
	return found
}

// asked reports whether something is in what is asked for.
func asked(ask dash.Ask, text, queue string) bool {
	return (ask.Queue == "" || ask.Queue == queue) && strings.Contains(strings.ToLower(text), strings.ToLower(ask.Text))
}

// listing goes through records until enough of them pass.
type listing[T any] struct {
	list  func(from string, n int) ([]T, string, error)
	pass  func(T) bool
	found []T
}

func (l *listing[T]) run(ask dash.Ask) (next string, looked int, problem string, err error) {
	most := listedMost
	if ask.Look > 0 {
		most = min(most, ask.Look)
	}
	step := listedStep
	if ask.Text == "" && ask.Queue == "" { // all pass
		step = min(max(ask.Max, 1), records.MaxList)
	}
	for next = ask.From; ; {
		var page []T
		page, next, err = l.list(next, step)
		if _, ok := errors.AsType[*records.Error](err); ok {
			return "", looked, "", err
		}
		if err != nil { // some of them cannot be read
			problem = err.Error()
		}
		looked += len(page)
		for _, x := range page {
			if l.pass(x) {
				l.found = append(l.found, x)
			}
		}
		if next == "" || len(l.found) >= ask.Max || looked >= most {
			return next, looked, problem, nil
		}
	}
}

func (c *controller) limits(w http.ResponseWriter, r *http.Request) {
	listed(w, r, (&tasks{app: c.app}).Limits)
}

func (c *controller) keys(w http.ResponseWriter, r *http.Request) {
	listed(w, r, (&tasks{app: c.app}).Keys)
}

// listed answers with a part of a list.
func listed[L any](w http.ResponseWriter, r *http.Request, list func(context.Context, dash.Ask) (L, error)) {
	q := r.URL.Query()
	n, err := strconv.Atoi(q.Get("max"))
	if err != nil || n < 1 || n > records.MaxList {
		refuse(w, http.StatusBadRequest, fmt.Errorf("max must be 1 to %d", records.MaxList))
		return
	}
	l, err := list(r.Context(), dash.Ask{Text: q.Get("q"), Queue: q.Get("queue"), From: q.Get("from"), Max: n})
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, l)
}
