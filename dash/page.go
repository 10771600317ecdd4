package dash

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"gocloud.dev/gcerrors"

	"github.com/dayfly-dev/dayfly/queue"
)

//go:embed templates
var templateFiles embed.FS

// loadTimeout bounds what a page waits for its sources.
const loadTimeout = 15 * time.Second

// model is what one page shows: a typed struct, which is also its JSON.
type model interface{ Title() string }

// page is one page: how its model is loaded and which template shows it.
type page struct {
	pattern  string   // of http.ServeMux
	name     string   // of the template file
	nav      string   // the entry of the navigation it belongs to
	live     []string // templates rendered again while the page is open, named as the elements they fill
	follow   bool     // new log lines are sent
	external bool     // its source is not embedded
	load     func(*http.Request) (model, error)

	d    *Dash
	tmpl *template.Template
}

func (p *page) parse(d *Dash) (err error) {
	p.d = d
	p.tmpl, err = template.New(p.name).Funcs(d.funcs()).
		ParseFS(templateFiles, "templates/layout.html", "templates/card.html", "templates/activity.html", "templates/running.html", "templates/limit.html", "templates/tabs.html", "templates/"+p.name+".html")
	return err
}

// view is what the layout shows around a model.
type view struct {
	Info   Info
	Nav    string
	Entry  string // active entry of the navigation
	Live   bool
	Note   *note
	Model  model
	Assets *assets
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m, err := p.get(r)
	if err != nil {
		p.d.fail(w, r, err)
		return
	}
	w.Header().Add("Vary", "Accept")
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, m)
		return
	}
	p.write(w, r, http.StatusOK, m)
}

// get loads the page's model within loadTimeout.
func (p *page) get(r *http.Request) (model, error) {
	ctx, cancel := context.WithTimeout(r.Context(), loadTimeout)
	defer cancel()
	return p.load(r.WithContext(ctx))
}

func (p *page) write(w http.ResponseWriter, r *http.Request, status int, m model) {
	v := view{
		Info:   p.d.App.Info(),
		Entry:  p.nav,
		Live:   len(p.live) > 0 || p.follow,
		Note:   p.d.notes.get(r.URL.Query().Get("note")),
		Model:  m,
		Assets: p.d.assets,
	}
	var b bytes.Buffer
	if err := p.tmpl.ExecuteTemplate(&b, "layout", v); err != nil {
		p.d.Log.Error("dashboard page not rendered", "page", p.name, "error", err)
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// badRequest is a mistake in the address or form, answered 400.
type badRequest string

func (e badRequest) Error() string { return string(e) }

func invalid(format string, a ...any) error { return badRequest(fmt.Sprintf(format, a...)) }

// errorPage is the model of a page that could not be shown.
type errorPage struct {
	Status  int    `json:"status"`
	Heading string `json:"-"`
	Problem string `json:"error"`
}

func (e errorPage) Title() string { return e.Heading }

func (d *Dash) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := errorPage{Status: http.StatusBadGateway, Heading: "This could not be read", Problem: err.Error()}
	var bad badRequest
	var wrong *queue.InvalidError
	switch {
	case isNotFound(err):
		e.Status, e.Heading, e.Problem = http.StatusNotFound, "Not here", "What this address names does not exist, or no longer."
	case errors.Is(err, queue.ErrUnsupported):
		e.Status, e.Heading, e.Problem = http.StatusNotImplemented, "This cannot be done here",
			"This queue service cannot show or move single messages. Use its own tools."
	case errors.As(err, &bad), errors.As(err, &wrong):
		e.Status, e.Heading = http.StatusBadRequest, "This cannot be asked"
	case r.Context().Err() != nil:
		return // the client has left
	default:
		d.Log.Warn("dashboard source failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if wantsJSON(r) {
		writeJSON(w, e.Status, e)
		return
	}
	p := page{name: "error"}
	if perr := p.parse(d); perr != nil {
		http.Error(w, e.Problem, e.Status)
		return
	}
	p.write(w, r, e.Status, e)
}

func isNotFound(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, queue.ErrQueueNotFound) ||
		gcerrors.Code(err) == gcerrors.NotFound
}

// wantsJSON: asked by ?format=json, or by Accept where no HTML is asked for.
func wantsJSON(r *http.Request) bool {
	if f := r.URL.Query().Get("format"); f != "" {
		return f == "json"
	}
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		http.Error(w, "The answer could not be written as JSON.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}
