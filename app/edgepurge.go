package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/purgelog"
	"github.com/dayfly-dev/dayfly/edge/respcache"
)

const (
	maxPurge      = 1 << 20          // bytes of a purge
	maxPurgeWait  = 30 * time.Second // for other machines
	purgePatience = 10 * time.Second // for the records, at the start
)

// followPurges has purges that other machines were asked for be carried out here.
func (a *App) followPurges(ctx context.Context) (err error) {
	m := a.manifest.Edge.Cache
	if m == nil {
		return nil
	}
	o := purgelog.Options{Records: a.records, Name: a.edgeName(), Cache: purgeable{a.edge}, Log: a.log}
	if m.Disk > 0 {
		o.File = a.data.path("edge-cache", "purges")
	}
	ctx, cancel := context.WithTimeout(ctx, purgePatience)
	defer cancel()
	if a.purges, err = purgelog.Follow(ctx, o); err != nil {
		return err
	}
	a.onStop("purges", func(context.Context) error { a.purges.Close(); return nil })
	return nil
}

// purgeable is an edge that may have no cache: then nothing is to be done.
type purgeable struct{ *edge.Edge }

func (p purgeable) Purge(x respcache.Purge) (int, error) {
	n, err := p.Edge.Purge(x)
	if errors.Is(err, edge.ErrNoCache) {
		return 0, nil
	}
	return n, err
}

func (c *controller) purge(w http.ResponseWriter, r *http.Request) { c.app.purge(w, r) }

// purge answers a request that has a purge in JSON. With ?wait=5s it waits for
// the other machines, at most so long, and tells which have it.
func (a *App) purge(w http.ResponseWriter, r *http.Request) {
	var p respcache.Purge
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPurge))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("not understood: %w", err))
		return
	}
	wait := time.Duration(0)
	if s := r.URL.Query().Get("wait"); s != "" {
		var err error
		if wait, err = time.ParseDuration(s); err != nil || wait < 0 || wait > maxPurgeWait {
			refuse(w, http.StatusBadRequest, fmt.Errorf("wait is %.20q; it must be a time from 0s to %v, as 5s", s, maxPurgeWait))
			return
		}
	}
	if a.purges == nil || a.edge == nil {
		refuse(w, http.StatusConflict, errors.New("there is no response cache: add [edge.cache] to the manifest"))
		return
	}
	done, err := a.purgeAll(r.Context(), p, wait)
	var untold *purgelog.UntoldError
	switch {
	case errors.As(err, &untold):
		refuse(w, http.StatusServiceUnavailable, err)
	case err != nil:
		refuse(w, http.StatusUnprocessableEntity, err)
	default:
		reply(w, done)
	}
}

// purgeAll purges here, and then on the other machines.
func (a *App) purgeAll(ctx context.Context, p respcache.Purge, wait time.Duration) (done control.Purged, err error) {
	var number uint64
	if done.Purged, number, err = a.purges.Purge(ctx, p); err != nil || wait == 0 {
		return done, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	machines, err := a.purges.Await(ctx, number)
	if err != nil {
		a.log.Warn("purged, but it cannot be seen how far that has reached", "error", err)
		return done, nil
	}
	for _, m := range machines {
		if m.Number >= number {
			done.Reached = append(done.Reached, m.Name)
		} else {
			done.Missing = append(done.Missing, m.Name)
		}
	}
	return done, nil
}
