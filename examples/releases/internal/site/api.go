package site

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/digest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// apiPackage is one line of /api/packages.
type apiPackage struct {
	Project   string          `json:"project"`
	File      string          `json:"file"`
	Ecosystem watch.Ecosystem `json:"ecosystem"`
	Name      string          `json:"name"`
	Version   string          `json:"version,omitempty"`
	Range     string          `json:"range,omitempty"`
	Direct    bool            `json:"direct"`
	Note      string          `json:"note,omitempty"`
	Status    string          `json:"status"` // ok, unknown (not asked yet), missing, unreachable, …
	Message   string          `json:"message,omitempty"`
	Latest    string          `json:"latest,omitempty"`
	Checked   *time.Time      `json:"checked,omitempty"`
	Update    *apiUpdate      `json:"update,omitempty"`
}

type apiUpdate struct {
	To       string   `json:"to"`
	Step     string   `json:"step"`
	Behind   int      `json:"behind"`
	Status   string   `json:"status"` // waiting, ready, refused, failed
	Page     string   `json:"page"`
	Advisory string   `json:"advisory,omitempty"` // address of the advisory's JSON
	Alarms   []string `json:"alarms,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// apiPackages answers with all packages; ?project= and the list's own filters
// choose. Any site's script may read it: there is nothing in it that needs a
// session.
func (s *Site) apiPackages(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	lines, err := s.o.DB.Lines(r.Context(), r.URL.Query().Get("project"))
	if err != nil {
		s.o.Log.Error("request failed", "path", r.URL.Path, "error", err)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte(`{"error":"the database did not answer"}` + "\n"))
		return
	}
	f := readFilter(r.URL.Query())
	list := []apiPackage{}
	for _, l := range lines {
		if !f.takes(l) {
			continue
		}
		p := apiPackage{
			Project: l.Project, File: l.File, Ecosystem: l.Ecosystem, Name: l.Name, Version: l.Version, Range: l.Range,
			Direct: l.Direct, Note: l.Note, Status: "unknown",
		}
		if l.Elsewhere {
			p.Status = "elsewhere"
		}
		if l.Package != nil {
			p.Status, p.Message, p.Latest, p.Checked = l.Package.Status, l.Package.Message, l.Package.Latest, &l.Package.Checked
		}
		if u := l.Update; u != nil {
			p.Update = &apiUpdate{To: u.To, Step: u.Step, Behind: u.Behind, Status: u.Status, Page: s.o.SiteURL + digest.UpdatePath(u.ID, u.From, u.To)}
			if u.Summary != nil {
				p.Update.Alarms, p.Update.Warnings = u.Summary.Alarms, u.Summary.Warnings
				p.Update.Advisory = s.advisoryURL(u.Summary.Key)
			}
		}
		list = append(list, p)
	}
	body, err := json.MarshalIndent(map[string]any{"packages": list}, "", " ")
	if err != nil {
		s.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=30")
	if !unchanged(w, r, tag(body)) {
		w.Write(append(body, '\n'))
	}
}
