package site

import (
	"errors"
	"net/http"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

type packagePage struct {
	frame
	ID       watch.ID
	Package  *store.Package // nil until it was asked for
	UsedBy   []store.UsedBy
	Updates  []store.Update
	Versions []versionRow
	More     int // versions that are not shown
}

type versionRow struct {
	watch.Release
	InUse  bool
	Latest bool
}

// maxVersionsShown on a package's page, the newest.
const maxVersionsShown = 60

// packageID reads ecosystem and name from a path.
func packageID(rest string) (watch.ID, bool) {
	ecosystem, name, ok := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	id := watch.ID{Ecosystem: watch.Ecosystem(ecosystem), Name: name}
	return id, ok && id.Ecosystem.Valid() && name != "" && len(name) <= watch.MaxName
}

func (s *Site) packagePage(w http.ResponseWriter, r *http.Request) {
	id, ok := packageID(r.PathValue("rest"))
	if !ok {
		s.failed(w, r, store.ErrNotFound)
		return
	}
	p := packagePage{frame: frame{Title: id.Name, Here: "home"}, ID: id}
	if err := s.fillPackage(r, &p); err != nil {
		s.failed(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "package", p)
}

func (s *Site) fillPackage(r *http.Request, p *packagePage) error {
	ctx := r.Context()
	var err error
	if p.UsedBy, err = s.o.DB.UsedBy(ctx, p.ID); err != nil {
		return err
	}
	p.Package, err = s.o.DB.Package(ctx, p.ID)
	if errors.Is(err, store.ErrNotFound) && len(p.UsedBy) > 0 {
		p.Refresh = 4
		return nil
	}
	if err != nil {
		return err
	}
	if p.Updates, err = s.o.DB.UpdatesOf(ctx, p.ID); err != nil {
		return err
	}
	versions, err := s.o.DB.Versions(ctx, p.ID)
	if err != nil {
		return err
	}
	inUse := map[string]bool{}
	for _, u := range p.UsedBy {
		inUse[u.Version] = true
	}
	for i, v := range versions {
		if i >= maxVersionsShown && !inUse[v.Version] {
			p.More++
			continue
		}
		p.Versions = append(p.Versions, versionRow{v, inUse[v.Version], v.Version == p.Package.Latest})
	}
	return nil
}
