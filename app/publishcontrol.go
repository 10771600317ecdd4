package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/edge/publish"
)

// publishRoutes are those of `dayfly publish`.
func (c *controller) publishRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /publish", c.publishing)
	mux.HandleFunc("GET /publish/show", c.publishShow)
	mux.HandleFunc("POST /publish/stage", c.publishStage)
	mux.HandleFunc("POST /publish/live", c.publishLive)
	mux.HandleFunc("POST /publish/preview", c.publishPreview)
	mux.HandleFunc("POST /publish/drop", c.publishDrop)
}

func (a *App) siteURL() string { return strings.TrimSuffix(a.variables.get("SITE_URL"), "/") }

func (c *controller) publishing(w http.ResponseWriter, r *http.Request) {
	p, err := c.app.Publishing(r.Context())
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, p)
}

func (c *controller) publishShow(w http.ResponseWriter, r *http.Request) {
	s, err := c.app.Show(r.Context(), r.URL.Query().Get("release"), r.URL.Query().Get("against"))
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, s)
}

func (c *controller) publishStage(w http.ResponseWriter, r *http.Request) {
	var want control.Stage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, control.MaxStage)).Decode(&want); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("not understood: %w", err))
		return
	}
	streamPublish(w, func(tell step) (any, error) { return c.app.Stage(r.Context(), want, tell) })
}

func (c *controller) publishLive(w http.ResponseWriter, r *http.Request) {
	var want control.GoLive
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&want); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("not understood: %w", err))
		return
	}
	streamPublish(w, func(tell step) (any, error) { return c.app.GoLive(r.Context(), want, tell) })
}

// streamPublish streams what long work says on its way, and its result.
func streamPublish(w http.ResponseWriter, do func(step) (any, error)) {
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	var mu sync.Mutex
	say := func(s control.PublishStep) {
		mu.Lock()
		defer mu.Unlock()
		out.Encode(s) //nolint:errcheck // a client that left cannot be told
		flush.Flush() //nolint:errcheck // nor that
	}
	result, err := do(func(text string, done, total int) { say(control.PublishStep{Text: text, Done: done, Total: total}) })
	text, bad := json.Marshal(result)
	if err = errors.Join(err, bad); err != nil {
		say(control.PublishStep{Error: err.Error()})
		return
	}
	say(control.PublishStep{Result: text})
}

func (c *controller) publishPreview(w http.ResponseWriter, r *http.Request) {
	var want control.AskPreview
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&want); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("not understood: %w", err))
		return
	}
	p, err := c.app.Preview(r.Context(), want)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, p)
}

// Preview makes an address for a release, after all earlier ones were ended if
// that is asked for.
func (a *App) Preview(ctx context.Context, want control.AskPreview) (control.Preview, error) {
	if a.releases == nil {
		return control.Preview{}, errNoPublish
	}
	valid, err := validity(want.Valid)
	if err != nil {
		return control.Preview{}, err
	}
	st, err := a.releases.State(ctx)
	if err != nil {
		return control.Preview{}, err
	}
	id, err := wanted(st, control.GoLive{Release: want.Release})
	if err != nil {
		return control.Preview{}, err
	}
	if _, ok := st.Find(id); !ok {
		return control.Preview{}, fmt.Errorf("%s: %w; `dayfly publish list` shows those there are", id, publish.ErrNotFound)
	}
	if want.Rotate {
		if err := a.releases.Rotate(ctx); err != nil {
			return control.Preview{}, err
		}
		a.log.Info("earlier previews ended")
		if err := a.edge.PublishLook(ctx); err != nil {
			return control.Preview{}, err
		}
	}
	return a.preview(ctx, id, valid)
}

func (c *controller) publishDrop(w http.ResponseWriter, r *http.Request) {
	var want struct {
		Release string `json:"release"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&want); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("not understood: %w", err))
		return
	}
	if c.app.releases == nil {
		refuse(w, http.StatusUnprocessableEntity, errNoPublish)
		return
	}
	if err := c.app.releases.Drop(r.Context(), want.Release); err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	_ = c.app.edge.PublishLook(r.Context()) // or with the next poll
	reply(w, map[string]int{"swept": c.app.sweepReleases(r.Context())})
}
