package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// States of a day's digest to one recipient.
const (
	Sending = "sending" // claimed; if it stays so, nobody knows whether the mail left
	Sent    = "sent"
	Empty   = "empty" // there was nothing new to say
)

// ClaimDigest marks the digest of a day and recipient as being sent, before
// the mail leaves; false when it was claimed before. Who claims and then dies
// leaves it claimed: the mail is sent at most once, and the updates it would
// have told come with the next one.
func (d *DB) ClaimDigest(ctx context.Context, day, recipient string, at time.Time) (bool, error) {
	claimed := false
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		q := "INSERT INTO digests (day, recipient, status, updates, covered_to, claimed_at) VALUES (?, ?, '" + Sending + "', 0, 0, ?)"
		if d.dialect == mariadb {
			// The client counts matched rows, so a row that was there counts 1 too;
			// INSERT IGNORE counts only what it inserted.
			q = "INSERT IGNORE" + q[len("INSERT"):]
		} else {
			q += " ON CONFLICT (day, recipient) DO NOTHING"
		}
		r, err := tx.ExecContext(ctx, d.bind(q), day, recipient, millis(at))
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		claimed = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("claim digest of %s: %w", day, err)
	}
	return claimed, nil
}

// ReleaseDigest takes back a claim whose mail certainly did not leave.
func (d *DB) ReleaseDigest(ctx context.Context, day, recipient string) error {
	_, err := d.sql.ExecContext(ctx, d.bind("DELETE FROM digests WHERE day = ? AND recipient = ? AND status = '"+Sending+"'"), day, recipient)
	if err != nil {
		return fmt.Errorf("release digest of %s: %w", day, err)
	}
	return nil
}

// SettleDigest writes how it ended: Sent or Empty. coveredTo is when the
// newest update it told of was compared.
func (d *DB) SettleDigest(ctx context.Context, day, recipient, status string, updates int, coveredTo time.Time) error {
	_, err := d.sql.ExecContext(ctx, d.bind("UPDATE digests SET status = ?, updates = ?, covered_to = ? WHERE day = ? AND recipient = ?"),
		status, updates, millis(coveredTo), day, recipient)
	if err != nil {
		return fmt.Errorf("settle digest of %s: %w", day, err)
	}
	return nil
}

// Digest is one day's mail.
type Digest struct {
	Day, Recipient, Status string
	Updates                int
	Claimed                time.Time
}

// LastDigest returns the newest one of any recipient, or nil.
func (d *DB) LastDigest(ctx context.Context) (*Digest, error) {
	var g Digest
	var at int64
	err := d.sql.QueryRowContext(ctx, "SELECT day, recipient, status, updates, claimed_at FROM digests ORDER BY claimed_at DESC LIMIT 1").
		Scan(&g.Day, &g.Recipient, &g.Status, &g.Updates, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("last digest: %w", err)
	}
	g.Claimed = fromMillis(at)
	return &g, nil
}

// CoveredTo is up to when a recipient was told of updates; zero for never.
func (d *DB) CoveredTo(ctx context.Context, recipient string) (time.Time, error) {
	var at sql.NullInt64
	err := d.sql.QueryRowContext(ctx, d.bind("SELECT MAX(covered_to) FROM digests WHERE recipient = ? AND status = '"+Sent+"'"), recipient).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("digests to %s: %w", recipient, err)
	}
	return fromMillis(at.Int64), nil
}
