package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// States of an update's advisory.
const (
	Waiting = "waiting" // to be compared
	Ready   = "ready"   // the advisory is in the bucket
	Refused = "refused" // the advisory is in the bucket and says why an archive was not read
	Failed  = "failed"  // the archives could not be had; Message says why, and it is tried again
)

// Update is a step from a version in use to the one that is offered.
type Update struct {
	watch.ID
	From, To string
	Step     string
	Behind   int  // releases after From, To included
	Standing bool // still what is offered
	Status   string
	Message  string
	Summary  *Summary // nil until compared
	Found    time.Time
	Advised  time.Time
}

// Summary is an advisory's headline, kept beside the update for lists and mail.
type Summary struct {
	Key          string   `json:"key"`
	Alarms       []string `json:"alarms,omitempty"`
	Warnings     []string `json:"warnings,omitempty"`
	Files        int      `json:"files"`
	Added        int      `json:"added"`
	Removed      int      `json:"removed"`
	APIBroken    int      `json:"api_broken,omitempty"`
	APIAdded     int      `json:"api_added,omitempty"`
	Dependencies int      `json:"dependencies,omitempty"`
}

// Offer is an update as a check found it.
type Offer struct {
	From, To, Step string
	Behind         int
}

// SaveOffers writes which updates of a package stand now. One that was there
// before keeps when it was found and what became of it. It returns those that
// wait for their advisory.
func (d *DB) SaveOffers(ctx context.Context, id watch.ID, offers []Offer, at time.Time) ([]Offer, error) {
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, d.bind("UPDATE updates SET standing = 0 WHERE ecosystem = ? AND name = ?"), string(id.Ecosystem), id.Name); err != nil {
			return err
		}
		for _, o := range offers {
			if err := d.saveOffer(ctx, tx, id, o, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("save updates of %s: %w", id, err)
	}
	var waiting []Offer
	for _, o := range offers {
		u, err := d.Update(ctx, id, o.From, o.To)
		if err != nil {
			return nil, err
		}
		if u.Status == Waiting || u.Status == Failed {
			waiting = append(waiting, o)
		}
	}
	return waiting, nil
}

func (d *DB) saveOffer(ctx context.Context, tx *sql.Tx, id watch.ID, o Offer, at time.Time) error {
	q := `INSERT INTO updates (ecosystem, name, from_version, to_version, step, behind, standing, status, message, summary, found_at, advised_at)
		VALUES (?, ?, ?, ?, ?, ?, 1, '` + Waiting + `', '', '', ?, 0)`
	if d.dialect == mariadb {
		q += " ON DUPLICATE KEY UPDATE standing = 1, behind = VALUES(behind), step = VALUES(step)"
	} else {
		q += " ON CONFLICT (ecosystem, name, from_version, to_version) DO UPDATE SET standing = 1, behind = excluded.behind, step = excluded.step"
	}
	_, err := tx.ExecContext(ctx, d.bind(q), string(id.Ecosystem), id.Name, o.From, o.To, o.Step, o.Behind, millis(at))
	return err
}

const updateColumns = "u.ecosystem, u.name, u.from_version, u.to_version, u.step, u.behind, u.standing, u.status, u.message, u.summary, u.found_at, u.advised_at"

type scanner interface{ Scan(...any) error }

func scanUpdate(s scanner) (*Update, error) {
	var u Update
	var summary string
	var found, advised int64
	if err := s.Scan(&u.Ecosystem, &u.Name, &u.From, &u.To, &u.Step, &u.Behind, &u.Standing, &u.Status, &u.Message, &summary, &found, &advised); err != nil {
		return nil, err
	}
	u.Found, u.Advised = fromMillis(found), fromMillis(advised)
	if summary != "" {
		u.Summary = new(Summary)
		if err := json.Unmarshal([]byte(summary), u.Summary); err != nil {
			return nil, fmt.Errorf("summary of %s: %w", u.ID, err)
		}
	}
	return &u, nil
}

// Update returns one update, or ErrNotFound.
func (d *DB) Update(ctx context.Context, id watch.ID, from, to string) (*Update, error) {
	row := d.sql.QueryRowContext(ctx, d.bind("SELECT "+updateColumns+` FROM updates u
		WHERE u.ecosystem = ? AND u.name = ? AND u.from_version = ? AND u.to_version = ?`), string(id.Ecosystem), id.Name, from, to)
	u, err := scanUpdate(row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("update of %s from %s to %s: %w", id, from, to, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("update of %s: %w", id, err)
	}
	return u, nil
}

// SaveAdvised writes what became of an update. Written again it changes
// nothing but the time.
func (d *DB) SaveAdvised(ctx context.Context, id watch.ID, from, to, status, message string, s *Summary, at time.Time) error {
	summary := ""
	if s != nil {
		b, err := json.Marshal(s)
		if err != nil {
			return err
		}
		summary = string(b)
	}
	_, err := d.sql.ExecContext(ctx, d.bind(`UPDATE updates SET status = ?, message = ?, summary = ?, advised_at = ?
		WHERE ecosystem = ? AND name = ? AND from_version = ? AND to_version = ?`),
		status, watch.Clip(message, watch.MaxNote), summary, millis(at), string(id.Ecosystem), id.Name, from, to)
	if err != nil {
		return fmt.Errorf("save advisory of %s: %w", id, err)
	}
	return nil
}

// UpdatesOf lists the updates of a package, the newest first.
func (d *DB) UpdatesOf(ctx context.Context, id watch.ID) ([]Update, error) {
	return d.updates(ctx, "WHERE u.ecosystem = ? AND u.name = ? ORDER BY u.found_at DESC, u.to_version DESC", string(id.Ecosystem), id.Name)
}

// Recent lists updates that were compared, the newest first.
func (d *DB) Recent(ctx context.Context, max int) ([]Update, error) {
	return d.updates(ctx, "WHERE u.status IN ('"+Ready+"', '"+Refused+"') ORDER BY u.advised_at DESC, u.ecosystem, u.name, u.from_version LIMIT ?", max)
}

func (d *DB) updates(ctx context.Context, where string, args ...any) ([]Update, error) {
	rows, err := d.sql.QueryContext(ctx, d.bind("SELECT "+updateColumns+" FROM updates u "+where), args...)
	if err != nil {
		return nil, fmt.Errorf("updates: %w", err)
	}
	defer rows.Close()
	var list []Update
	for rows.Next() {
		u, err := scanUpdate(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, *u)
	}
	return list, rows.Err()
}

// Pending counts what is not known yet: packages never asked for, and standing
// updates without an outcome.
func (d *DB) Pending(ctx context.Context) (packages, updates int, err error) {
	err = d.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT DISTINCT r.ecosystem, r.name FROM requirements r
		LEFT JOIN packages p ON p.ecosystem = r.ecosystem AND p.name = r.name WHERE p.name IS NULL AND r.elsewhere = 0 AND`+live+`) waiting`).Scan(&packages)
	if err == nil {
		err = d.sql.QueryRowContext(ctx, d.bind("SELECT COUNT(*) FROM updates WHERE standing = 1 AND status = ?"), Waiting).Scan(&updates)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("pending work: %w", err)
	}
	return packages, updates, nil
}
