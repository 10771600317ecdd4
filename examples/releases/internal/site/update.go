package site

import (
	"net/http"
	"strings"

	"gocloud.dev/gcerrors"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/advisory"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/digest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/jobs"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

type updatePage struct {
	frame
	store.Update
	Self     string // this page's path
	Source   string // where browsers load the advisory from; "" when they cannot
	Advisory *advisory.Advisory
	Missing  bool // the advisory is not in the bucket although it should be
}

// updateID reads ecosystem, name and two versions from a path. Names have
// slashes, versions have none.
func updateID(rest string) (id watch.ID, from, to string, ok bool) {
	parts := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	n := len(parts)
	if n < 4 {
		return id, "", "", false
	}
	id = watch.ID{Ecosystem: watch.Ecosystem(parts[0]), Name: strings.Join(parts[1:n-2], "/")}
	from, to = parts[n-2], parts[n-1]
	return id, from, to, id.Ecosystem.Valid() && len(id.Name) <= watch.MaxName && len(from) <= watch.MaxVersion && len(to) <= watch.MaxVersion
}

// updatePage shows an update. The browser loads the advisory itself, from
// object storage; who has no script, or asks with ?render=server, gets it
// rendered here.
func (s *Site) updatePage(w http.ResponseWriter, r *http.Request) {
	id, from, to, ok := updateID(r.PathValue("rest"))
	if !ok {
		s.failed(w, r, store.ErrNotFound)
		return
	}
	u, err := s.o.DB.Update(r.Context(), id, from, to)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	p := updatePage{frame: frame{Title: id.Name + " " + to, Here: "home"}, Update: *u, Self: digest.UpdatePath(id, from, to)}
	if u.Status == store.Waiting {
		p.Refresh = 4
	}
	if u.Summary != nil {
		p.Source = s.advisoryURL(u.Summary.Key)
	}
	if u.Summary != nil && (p.Source == "" || r.URL.Query().Get("render") == "server") {
		data, err := s.o.Bucket.ReadAll(r.Context(), u.Summary.Key)
		switch {
		case gcerrors.Code(err) == gcerrors.NotFound:
			p.Missing = true
		case err != nil:
			s.failed(w, r, err)
			return
		default:
			if p.Advisory, err = advisory.Decode(data); err != nil {
				s.failed(w, r, err)
				return
			}
		}
	}
	s.render(w, r, http.StatusOK, "update", p)
}

// compareNow enqueues the comparison again: after a failure, or when its
// object is gone.
func (s *Site) compareNow(w http.ResponseWriter, r *http.Request) {
	id, from, to, ok := updateID(r.PathValue("rest"))
	if !ok {
		s.failed(w, r, store.ErrNotFound)
		return
	}
	u, err := s.o.DB.Update(r.Context(), id, from, to)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	args := jobs.AdviseArgs{PackageArg: jobs.PackageArg{Ecosystem: id.Ecosystem, Name: id.Name}, From: u.From, To: u.To}
	// Written first: the worker may be done before we are. If the enqueueing
	// fails, the next hourly check finds it waiting.
	if err := s.o.DB.SaveAdvised(r.Context(), id, from, to, store.Waiting, "", u.Summary, u.Advised); err != nil {
		s.failed(w, r, err)
		return
	}
	if _, err := s.o.Jobs.Advise.Enqueue(r.Context(), s.o.Jobs.Client, args); err != nil {
		s.failed(w, r, err)
		return
	}
	http.Redirect(w, r, digest.UpdatePath(id, from, to), http.StatusSeeOther)
}

// advisoryURL is where browsers load an advisory from, "" when they cannot.
func (s *Site) advisoryURL(key string) string {
	if s.o.BucketURL == "" {
		return ""
	}
	return s.o.BucketURL + "/" + advisory.URLPath(key)
}
