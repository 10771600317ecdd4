package store

import (
	"context"
	"fmt"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Line is one requirement of one project with all that is known of it.
type Line struct {
	Project string
	File    string
	watch.Requirement
	Package *Package // nil until it was asked for
	Update  *Update  // the standing one; nil when up to date or unknown
}

// Lines lists what projects require, by project, ecosystem and name; of one
// project, or of all when project is "".
func (d *DB) Lines(ctx context.Context, project string) ([]Line, error) {
	packages, err := d.packages(ctx)
	if err != nil {
		return nil, err
	}
	standing, err := d.updates(ctx, "WHERE u.standing = 1")
	if err != nil {
		return nil, err
	}
	type step struct {
		watch.ID
		from string
	}
	byFrom := make(map[step]*Update, len(standing))
	for i := range standing {
		u := &standing[i]
		byFrom[step{u.ID, u.From}] = u
	}
	rows, err := d.sql.QueryContext(ctx, d.bind(`SELECT r.project, r.file, r.ecosystem, r.name, r.version, r.wanted, r.direct, r.dev, r.elsewhere, r.line, r.note
		FROM requirements r WHERE (? = '' OR r.project = ?) AND`+live+`ORDER BY r.project, r.ecosystem, r.name, r.version, r.file`), project, project)
	if err != nil {
		return nil, fmt.Errorf("requirements: %w", err)
	}
	defer rows.Close()
	var list []Line
	for rows.Next() {
		var l Line
		if err := rows.Scan(&l.Project, &l.File, &l.Ecosystem, &l.Name, &l.Version, &l.Range, &l.Direct, &l.Dev, &l.Elsewhere, &l.Requirement.Line, &l.Note); err != nil {
			return nil, err
		}
		l.Package = packages[l.ID]
		l.Update = byFrom[step{l.ID, l.Version}]
		list = append(list, l)
	}
	return list, rows.Err()
}

func (d *DB) packages(ctx context.Context) (map[watch.ID]*Package, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT ecosystem, name, status, message, latest, published_at, registry, checked_at FROM packages")
	if err != nil {
		return nil, fmt.Errorf("packages: %w", err)
	}
	defer rows.Close()
	m := map[watch.ID]*Package{}
	for rows.Next() {
		p := new(Package)
		var published, checked int64
		if err := rows.Scan(&p.Ecosystem, &p.Name, &p.Status, &p.Message, &p.Latest, &published, &p.Registry, &checked); err != nil {
			return nil, err
		}
		p.Published, p.Checked = fromMillis(published), fromMillis(checked)
		m[p.ID] = p
	}
	return m, rows.Err()
}
