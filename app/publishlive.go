package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/publish"
)

// GoLive switches what visitors see. This machine has loaded the release before
// anybody is told of it.
func (a *App) GoLive(ctx context.Context, want control.GoLive, tell step) (control.Live, error) {
	if a.releases == nil {
		return control.Live{}, errNoPublish
	}
	seen, err := a.releases.State(ctx)
	if err != nil {
		return control.Live{}, err
	}
	id, err := wanted(seen, want)
	if err != nil {
		return control.Live{}, err
	}
	var pages []publish.Page
	if id != "" {
		e, ok := seen.Find(id)
		if !ok {
			return control.Live{}, fmt.Errorf("%s: %w; `dayfly publish list` shows those there are", id, publish.ErrNotFound)
		}
		if err := a.warm(ctx, id, tell); err != nil {
			return control.Live{}, fmt.Errorf("nothing is switched, as %s cannot be loaded: %w", id, err)
		}
		if pages, err = a.releases.Pages(ctx, e); err != nil {
			return control.Live{}, err
		}
	}
	diff, err := a.compare(ctx, seen, seen.Live, pages)
	if err != nil {
		return control.Live{}, err
	}
	w, err := a.releases.Live(ctx, seen, id, want.By, want.Force)
	if err != nil {
		return control.Live{}, err
	}
	done := control.Live{Release: id, Before: w.From, Changed: w.ID != "", Diff: diff, Purge: a.purgeAddresses(diff)}
	if done.Changed {
		a.log.Info("switched", "release", id, "before", w.From, "by", want.By)
	}
	if err := a.edge.PublishLook(ctx); err != nil {
		return done, fmt.Errorf("%s is live, and this machine has yet to see it: %w", id, err)
	}
	done.Edges, err = a.followed(ctx, tell, func(e control.Edge) bool { return e.Live == id })
	return done, err
}

// wanted is the release that a switch is to.
func wanted(st *publish.State, want control.GoLive) (string, error) {
	switch {
	case want.None:
		return "", nil
	case want.Back:
		id, ok := st.Before()
		if !ok {
			return "", errors.New("there was no other release live before: nothing to go back to")
		}
		if _, kept := st.Find(id); id != "" && !kept {
			return "", fmt.Errorf("%s was live before, and was dropped: choose another with `dayfly publish live RELEASE`", id)
		}
		return id, nil
	case want.Release != "":
		return want.Release, nil
	}
	e, ok := st.Latest()
	if !ok {
		return "", errors.New("nothing is staged: begin with `dayfly publish stage DIR`")
	}
	return e.ID, nil
}

// purgeAddresses are the public addresses of what differs.
func (a *App) purgeAddresses(d publish.Diff) []string {
	all := []string{}
	for _, key := range d.Purge() {
		all = append(all, a.siteURL()+edge.PublishedTarget(key))
	}
	return all
}

// followed waits until every machine is where it should be, within bounds, and
// tells which are.
func (a *App) followed(ctx context.Context, tell step, good func(control.Edge) bool) ([]control.Edge, error) {
	end := time.Now().Add(othersTime)
	tick := time.NewTicker(othersEvery)
	defer tick.Stop()
	for {
		edges, err := a.edges(ctx)
		if err != nil {
			return edges, err
		}
		n := 0
		for i := range edges {
			if edges[i].Ready = good(edges[i]); edges[i].Ready {
				n++
			}
		}
		if n == len(edges) || time.Now().After(end) {
			return edges, nil
		}
		tell("waiting for the other machines", n, len(edges))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return edges, ctx.Err()
		}
	}
}

// edges are those that have said something lately, and this one.
func (a *App) edges(ctx context.Context) ([]control.Edge, error) {
	st, err := a.releases.State(ctx)
	if err != nil {
		return nil, err
	}
	list, err := a.releases.Edges(ctx)
	if err != nil {
		return nil, err
	}
	own, _ := a.edge.PublishStats()
	self := publish.Presence{Edge: own.Name, Live: own.Live, Loaded: own.Loaded, Warm: own.Warm, Error: own.Error, At: time.Now().UTC()}
	edges, found := []control.Edge{}, false
	for _, p := range list {
		if p.Edge == own.Name {
			p, found = self, true
		}
		edges = append(edges, control.Edge{Presence: p, Follows: p.Live == st.Live})
	}
	if !found {
		edges = append(edges, control.Edge{Presence: self, Follows: self.Live == st.Live})
	}
	return edges, nil
}

// Publishing is what is live and what is kept.
func (a *App) Publishing(ctx context.Context) (control.Publishing, error) {
	if a.releases == nil {
		return control.Publishing{}, errNoPublish
	}
	st, err := a.releases.State(ctx)
	if err != nil {
		return control.Publishing{}, err
	}
	edges, err := a.edges(ctx)
	p := control.Publishing{Live: st.Live, Releases: append([]publish.Entry{}, st.Releases...), History: append([]publish.Switch{}, st.History...), Edges: edges}
	if before, ok := st.Before(); ok {
		p.Before = &before
	}
	for i := range p.Edges {
		p.Edges[i].Ready = p.Edges[i].Follows
	}
	return p, err
}

// Show tells of a release, compared with another.
func (a *App) Show(ctx context.Context, id, against string) (control.Shown, error) {
	if a.releases == nil {
		return control.Shown{}, errNoPublish
	}
	st, err := a.releases.State(ctx)
	if err != nil {
		return control.Shown{}, err
	}
	if id, err = wanted(st, control.GoLive{Release: id}); err != nil {
		return control.Shown{}, err
	}
	if against == "" {
		against = st.Live
	} else if _, ok := st.Find(against); !ok {
		return control.Shown{}, fmt.Errorf("%s: %w; `dayfly publish list` shows those there are", against, publish.ErrNotFound)
	}
	e, ok := st.Find(id)
	if !ok {
		return control.Shown{}, fmt.Errorf("%s: %w; `dayfly publish list` shows those there are", id, publish.ErrNotFound)
	}
	s := control.Shown{Entry: e, Live: st.Live == id, Against: against}
	if s.List, err = a.releases.Pages(ctx, e); err != nil {
		return s, err
	}
	s.Diff, err = a.compare(ctx, st, against, s.List)
	return s, err
}
