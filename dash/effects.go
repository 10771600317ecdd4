package dash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

const (
	effectsShown   = 100
	effectsAlerted = 100 // counted for the overview
)

// effectsPage lists the effects a person has to see to: to decide about, or to
// have their dead letters sent back.
type effectsPage struct {
	None    bool     `json:"none"` // there is no ledger
	Service string   `json:"service"`
	Effects []Effect `json:"effects"`
	More    bool     `json:"more"` // than are listed
}

func (effectsPage) Title() string { return "Effects" }

func (d *Dash) effects(r *http.Request) (model, error) {
	p := effectsPage{None: d.Tasks == nil, Service: d.RecordService, Effects: []Effect{}}
	if p.None {
		return p, nil
	}
	found, err := d.Tasks.Unknown(r.Context(), effectsShown+1)
	if errors.Is(err, ErrNotFound) {
		p.None = true
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.More = len(found) > effectsShown
	for _, e := range found[:min(len(found), effectsShown)] {
		e.Error = strip(e.Error, 2_000)
		p.Effects = append(p.Effects, e)
	}
	return p, nil
}

// resolve takes a person's word: sent is "yes" or "no" and nothing else, for
// neither can be taken back.
func (d *Dash) resolve(r *http.Request) (done, error) {
	key, sent := r.PostForm.Get("key"), r.PostForm.Get("sent")
	switch {
	case d.Tasks == nil:
		return done{}, ErrNotFound
	case key == "":
		return done{}, invalid("key must say which effect it is about")
	case sent != "yes" && sent != "no":
		return done{}, invalid("sent must be yes (it happened) or no (it is to happen again)")
	}
	text, err := d.Tasks.Resolve(r.Context(), key, sent == "yes")
	return done{Text: text, Next: "/effects"}, err
}

// effectAlerts is one line, where looking costs nothing.
func (d *Dash) effectAlerts(ctx context.Context) []alert {
	if d.Tasks == nil || d.RecordService != "" {
		return nil
	}
	found, err := d.Tasks.Unknown(ctx, effectsAlerted)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && len(found) == 0:
		return nil
	case err != nil:
		d.Log.Warn("effects not read for the overview", "error", err)
		return []alert{{Text: "The ledger could not be read: " + err.Error(), Path: "/effects"}}
	}
	text := plural(len(found), "effect") + " of which nobody knows whether " + map[bool]string{true: "it", false: "they"}[len(found) == 1] + " happened"
	if slices.ContainsFunc(found, func(e Effect) bool { return e.State == "sent" || e.State == "not-sent" }) {
		text += ", or whose dead letters wait"
	}
	if len(found) == effectsAlerted {
		text = fmt.Sprintf("At least %s", text)
	}
	return []alert{{Text: text, Path: "/effects"}}
}
