package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Project is a set of files that are watched under one name.
type Project struct {
	Name     string
	Imported time.Time // the newest file
	Files    []ProjectFile
}

// ProjectFile is one file of a project.
type ProjectFile struct {
	Name     string
	Imported time.Time
	Packages int
	Notes    []string
}

// MaxProject is the longest name of a project, in bytes.
const MaxProject = 214

// insertRows at once, in one statement.
const insertRows = 50

// Import replaces what a file of a project requires.
func (d *DB) Import(ctx context.Context, project string, m *watch.Manifest, at time.Time) error {
	project = watch.Clip(project, MaxProject)
	if project == "" {
		return fmt.Errorf("import: a project needs a name")
	}
	notes, err := json.Marshal(m.Notes)
	if err != nil {
		return err
	}
	err = d.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, d.projectInsert(), project, millis(at)); err != nil {
			return err
		}
		// The row of the file is written first: it keeps two imports of the
		// same file apart until the transaction ends.
		if _, err := tx.ExecContext(ctx, d.upsert("manifests", []string{"project", "file"}, []string{"imported_at", "notes"}, 1),
			project, m.File, millis(at), string(notes)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, d.bind("DELETE FROM requirements WHERE project = ? AND file = ?"), project, m.File); err != nil {
			return err
		}
		return d.insertRequirements(ctx, tx, project, m)
	})
	if err != nil {
		return fmt.Errorf("import %s of %s: %w", m.File, project, err)
	}
	return nil
}

// projectInsert leaves a project that is there as it is.
func (d *DB) projectInsert() string {
	q := "INSERT INTO projects (name, created_at) VALUES (?, ?)"
	if d.dialect == mariadb {
		return q + " ON DUPLICATE KEY UPDATE name = name"
	}
	return d.bind(q + " ON CONFLICT (name) DO NOTHING")
}

func (d *DB) insertRequirements(ctx context.Context, tx *sql.Tx, project string, m *watch.Manifest) error {
	key := []string{"project", "file", "ecosystem", "name", "version"}
	rest := []string{"wanted", "direct", "dev", "elsewhere", "line", "note"}
	list := unique(m.Requirements)
	for len(list) > 0 {
		n := min(len(list), insertRows)
		var args []any
		for _, r := range list[:n] {
			args = append(args, project, m.File, string(r.Ecosystem), r.Name, r.Version, r.Range, flag(r.Direct), flag(r.Dev), flag(r.Elsewhere), r.Line, r.Note)
		}
		if _, err := tx.ExecContext(ctx, d.upsert("requirements", key, rest, n), args...); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// unique keeps the first of requirements that are the same package and
// version: PostgreSQL refuses to write a row twice in one statement.
func unique(list []watch.Requirement) []watch.Requirement {
	type key struct {
		watch.ID
		version string
	}
	seen := map[key]bool{}
	out := make([]watch.Requirement, 0, len(list))
	for _, r := range list {
		if k := (key{r.ID, r.Version}); !seen[k] {
			seen[k] = true
			out = append(out, r)
		}
	}
	return out
}

// Projects lists all projects by name, with their files.
func (d *DB) Projects(ctx context.Context) ([]Project, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT m.project, m.file, m.imported_at, m.notes,
		(SELECT COUNT(*) FROM requirements r WHERE r.project = m.project AND r.file = m.file)
		FROM manifests m ORDER BY m.project, m.file`)
	if err != nil {
		return nil, fmt.Errorf("projects: %w", err)
	}
	defer rows.Close()
	var list []Project
	for rows.Next() {
		var project, notes string
		var at int64
		var f ProjectFile
		if err := rows.Scan(&project, &f.Name, &at, &notes, &f.Packages); err != nil {
			return nil, fmt.Errorf("projects: %w", err)
		}
		f.Imported = fromMillis(at)
		if err := json.Unmarshal([]byte(notes), &f.Notes); err != nil {
			return nil, fmt.Errorf("projects: notes of %s: %w", f.Name, err)
		}
		if len(list) == 0 || list[len(list)-1].Name != project {
			list = append(list, Project{Name: project})
		}
		p := &list[len(list)-1]
		p.Files = append(p.Files, f)
		if f.Imported.After(p.Imported) {
			p.Imported = f.Imported
		}
	}
	return list, rows.Err()
}

// DeleteProject forgets a project and its files; what is known of packages stays.
func (d *DB) DeleteProject(ctx context.Context, name string) error {
	return d.inTx(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			"DELETE FROM projects WHERE name = ?", "DELETE FROM manifests WHERE project = ?", "DELETE FROM requirements WHERE project = ?",
		} {
			if _, err := tx.ExecContext(ctx, d.bind(q), name); err != nil {
				return fmt.Errorf("delete project %s: %w", name, err)
			}
		}
		return nil
	})
}

// Empty reports whether nothing was ever imported (or all was deleted).
func (d *DB) Empty(ctx context.Context) (bool, error) {
	var n int
	err := d.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM projects").Scan(&n)
	return n == 0, err
}

// live leaves out what package.json only gives a range for and the project's
// package-lock.json names exactly.
const live = ` NOT (r.file = 'package.json' AND EXISTS (SELECT 1 FROM requirements l
	WHERE l.project = r.project AND l.file = 'package-lock.json' AND l.ecosystem = r.ecosystem AND l.name = r.name)) `

// Watched lists packages whose releases are asked for: those of one project,
// or of all when project is "". A package that is only named without a version
// is asked for as well.
func (d *DB) Watched(ctx context.Context, project string) ([]watch.ID, error) {
	q := "SELECT DISTINCT r.ecosystem, r.name FROM requirements r WHERE r.elsewhere = 0 AND (? = '' OR r.project = ?) AND" + live + "ORDER BY r.ecosystem, r.name"
	rows, err := d.sql.QueryContext(ctx, d.bind(q), project, project)
	if err != nil {
		return nil, fmt.Errorf("watched packages: %w", err)
	}
	defer rows.Close()
	var list []watch.ID
	for rows.Next() {
		var id watch.ID
		if err := rows.Scan(&id.Ecosystem, &id.Name); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

// InUse lists the versions of a package that projects use.
func (d *DB) InUse(ctx context.Context, id watch.ID) ([]string, error) {
	q := "SELECT DISTINCT r.version FROM requirements r WHERE r.ecosystem = ? AND r.name = ? AND r.version <> '' AND" + live + "ORDER BY r.version"
	rows, err := d.sql.QueryContext(ctx, d.bind(q), string(id.Ecosystem), id.Name)
	if err != nil {
		return nil, fmt.Errorf("versions in use of %s: %w", id, err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
