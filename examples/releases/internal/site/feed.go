package site

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/digest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
)

// The elements of an Atom feed (RFC 4287) that are used.
type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  atomAuthor  `xml:"author"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomAuthor struct {
	Name string `xml:"name"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Link    atomLink `xml:"link"`
	Summary string   `xml:"summary"`
}

// feedEntries is how many updates the feed has, the newest.
const feedEntries = 100

func (s *Site) feed(w http.ResponseWriter, r *http.Request) {
	updates, err := s.o.DB.Recent(r.Context(), feedEntries)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	f := atomFeed{
		ID: s.o.SiteURL + "/", Title: "Updates of watched packages", Author: atomAuthor{Name: "Release watcher"},
		Updated: time.Unix(0, 0).UTC().Format(time.RFC3339), // of an empty feed
		Links: []atomLink{
			{Rel: "self", Type: "application/atom+xml", Href: s.o.SiteURL + "/feed.atom"},
			{Rel: "alternate", Type: "text/html", Href: s.o.SiteURL + "/"},
		},
	}
	for _, u := range updates {
		f.Entries = append(f.Entries, s.entry(u))
	}
	if len(updates) > 0 {
		f.Updated = f.Entries[0].Updated
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", " ")
	if err := e.Encode(f); err != nil {
		s.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	if !unchanged(w, r, tag(b.Bytes())) {
		w.Write(b.Bytes())
	}
}

func (s *Site) entry(u store.Update) atomEntry {
	address := s.o.SiteURL + digest.UpdatePath(u.ID, u.From, u.To)
	return atomEntry{
		ID: entryID(u), Updated: u.Advised.Format(time.RFC3339),
		Title: fmt.Sprintf("%s %s → %s", u.Name, u.From, u.To),
		Link:  atomLink{Rel: "alternate", Type: "text/html", Href: address}, Summary: feedSummary(u),
	}
}

// entryID stays the same wherever the site moves, as RFC 4287 (4.2.6) asks.
func entryID(u store.Update) string {
	return "urn:dayfly-releases:" + url.PathEscape(strings.Join([]string{string(u.Ecosystem), u.Name, u.From, u.To}, ":"))
}

func feedSummary(u store.Update) string {
	parts := []string{u.ID.Ecosystem.Title() + ", " + u.Step + "."}
	if u.Summary != nil {
		if u.Status == store.Ready {
			parts = append(parts, fmt.Sprintf("%s, +%s −%s lines.", plural(u.Summary.Files, "file differs", "files differ"),
				thousands(u.Summary.Added), thousands(u.Summary.Removed)))
		}
		parts = append(parts, u.Summary.Alarms...)
		parts = append(parts, u.Summary.Warnings...)
	}
	return strings.Join(parts, " ")
}
