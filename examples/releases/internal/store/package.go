package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// OK is the status of a package whose registry answered; others are the
// watch.Problem it had.
const OK = "ok"

// maxVersions are kept of one package, the newest.
const maxVersions = 300

// Package is what is known of a package.
type Package struct {
	watch.ID
	Status    string // OK, or a watch.Problem
	Message   string // one clear sentence when the status is not OK
	Latest    string
	Published time.Time // of the latest; zero unknown
	Registry  string
	Successor *watch.Successor
	Checked   time.Time
}

// SaveListing writes what a registry said.
func (d *DB) SaveListing(ctx context.Context, id watch.ID, l *watch.Listing, at time.Time) error {
	var published time.Time
	for _, r := range l.Releases {
		if r.Version == l.Latest {
			published = r.Published
		}
	}
	next := watch.Successor{}
	if l.Successor != nil {
		next = *l.Successor
	}
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		// The package's row comes first: it keeps two checks of one package apart.
		_, err := tx.ExecContext(ctx, d.upsert("packages", []string{"ecosystem", "name"},
			[]string{"status", "message", "latest", "published_at", "registry", "successor", "successor_version", "checked_at"}, 1),
			string(id.Ecosystem), id.Name, OK, "", l.Latest, millis(published), watch.Clip(l.Registry, 300), next.Name, next.Version, millis(at))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, d.bind("DELETE FROM versions WHERE ecosystem = ? AND name = ?"), string(id.Ecosystem), id.Name); err != nil {
			return err
		}
		return d.insertVersions(ctx, tx, id, l.Releases)
	})
	if err != nil {
		return fmt.Errorf("save %s: %w", id, err)
	}
	return nil
}

func (d *DB) insertVersions(ctx context.Context, tx *sql.Tx, id watch.ID, list []watch.Release) error {
	first := max(0, len(list)-maxVersions)
	for first < len(list) {
		n := min(len(list)-first, insertRows)
		var args []any
		for i, r := range list[first : first+n] {
			args = append(args, string(id.Ecosystem), id.Name, r.Version, first+i, millis(r.Published), r.Withdrawn)
		}
		q := d.upsert("versions", []string{"ecosystem", "name", "version"}, []string{"place", "published_at", "withdrawn"}, n)
		if _, err := tx.ExecContext(ctx, q, args...); err != nil {
			return err
		}
		first += n
	}
	return nil
}

// SaveProblem writes why a registry gave no listing; what was known before of
// versions stays.
func (d *DB) SaveProblem(ctx context.Context, id watch.ID, problem watch.Problem, message string, at time.Time) error {
	old, err := d.Package(ctx, id)
	if errors.Is(err, ErrNotFound) {
		old = &Package{}
	} else if err != nil {
		return err
	}
	var next watch.Successor
	if old.Successor != nil {
		next = *old.Successor
	}
	_, err = d.sql.ExecContext(ctx, d.upsert("packages", []string{"ecosystem", "name"},
		[]string{"status", "message", "latest", "published_at", "registry", "successor", "successor_version", "checked_at"}, 1),
		string(id.Ecosystem), id.Name, string(problem), watch.Clip(message, watch.MaxNote),
		old.Latest, millis(old.Published), old.Registry, next.Name, next.Version, millis(at))
	if err != nil {
		return fmt.Errorf("save problem of %s: %w", id, err)
	}
	return nil
}

// ErrNotFound: the database has no such row.
var ErrNotFound = errors.New("not found")

// Package returns what is known of a package, or ErrNotFound.
func (d *DB) Package(ctx context.Context, id watch.ID) (*Package, error) {
	p := &Package{ID: id}
	var published, checked int64
	var next watch.Successor
	err := d.sql.QueryRowContext(ctx, d.bind(`SELECT status, message, latest, published_at, registry, successor, successor_version, checked_at
		FROM packages WHERE ecosystem = ? AND name = ?`), string(id.Ecosystem), id.Name).
		Scan(&p.Status, &p.Message, &p.Latest, &published, &p.Registry, &next.Name, &next.Version, &checked)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("package %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", id, err)
	}
	p.Published, p.Checked = fromMillis(published), fromMillis(checked)
	if next.Name != "" {
		p.Successor = &next
	}
	return p, nil
}

// Versions of a package, the newest first.
func (d *DB) Versions(ctx context.Context, id watch.ID) ([]watch.Release, error) {
	rows, err := d.sql.QueryContext(ctx, d.bind(`SELECT version, published_at, withdrawn FROM versions
		WHERE ecosystem = ? AND name = ? ORDER BY place DESC`), string(id.Ecosystem), id.Name)
	if err != nil {
		return nil, fmt.Errorf("versions of %s: %w", id, err)
	}
	defer rows.Close()
	var list []watch.Release
	for rows.Next() {
		var r watch.Release
		var at int64
		if err := rows.Scan(&r.Version, &at, &r.Withdrawn); err != nil {
			return nil, err
		}
		r.Published = fromMillis(at)
		list = append(list, r)
	}
	return list, rows.Err()
}

// UsedBy is a project that requires a package.
type UsedBy struct {
	Project, File, Version, Range, Note string
	Direct, Dev                         bool
	Line                                int
}

// UsedBy lists who requires a package.
func (d *DB) UsedBy(ctx context.Context, id watch.ID) ([]UsedBy, error) {
	rows, err := d.sql.QueryContext(ctx, d.bind(`SELECT r.project, r.file, r.version, r.wanted, r.note, r.direct, r.dev, r.line FROM requirements r
		WHERE r.ecosystem = ? AND r.name = ? ORDER BY r.project, r.file, r.version`), string(id.Ecosystem), id.Name)
	if err != nil {
		return nil, fmt.Errorf("users of %s: %w", id, err)
	}
	defer rows.Close()
	var list []UsedBy
	for rows.Next() {
		var u UsedBy
		if err := rows.Scan(&u.Project, &u.File, &u.Version, &u.Range, &u.Note, &u.Direct, &u.Dev, &u.Line); err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	return list, rows.Err()
}
