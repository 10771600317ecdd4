package sqlrecords

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Dialect is a kind of database.
type Dialect string

// The dialects. MySQL is MariaDB's too.
const (
	SQLite     Dialect = "sqlite"
	PostgreSQL Dialect = "postgres"
	MySQL      Dialect = "mysql"
)

// texts are the statements of a table.
type texts struct {
	get, list, insert, update, remove, sweep string
}

// statements writes them for a dialect. Arguments are in the same order for
// all of them:
//
//	get     key
//	list    mark, after, now, n
//	insert  key, value, version, mark, expires; and now, where it takes the place of an expired one
//	update  value, version, mark, expires, key, version it must be at
//	remove  key, version
//	sweep   before, n
func (d Dialect) statements(table string) (texts, error) {
	t := texts{
		get: "SELECT value, version, mark, expires FROM {t} WHERE record_key = ?",
		list: "SELECT record_key, value, version, expires FROM {t} WHERE mark = ? AND mark <> '' AND record_key > ?" +
			" AND (expires = 0 OR expires > ?) ORDER BY record_key LIMIT ?",
		insert: "INSERT INTO {t} (record_key, value, version, mark, expires) VALUES (?, ?, ?, ?, ?)",
		update: "UPDATE {t} SET value = ?, version = ?, mark = ?, expires = ? WHERE record_key = ? AND version = ?",
		remove: "DELETE FROM {t} WHERE record_key = ? AND version = ?",
	}
	switch d {
	case SQLite, PostgreSQL:
		t.insert += " ON CONFLICT (record_key) DO UPDATE SET value = excluded.value, version = excluded.version," +
			" mark = excluded.mark, expires = excluded.expires WHERE {t}.expires > 0 AND {t}.expires <= ?"
		// The condition is repeated outside: PostgreSQL looks only at that one
		// again when it had to wait for whoever renewed the record.
		t.sweep = "DELETE FROM {t} WHERE expires > 0 AND expires < ?1 AND record_key IN" +
			" (SELECT record_key FROM {t} WHERE expires > 0 AND expires < ?1 ORDER BY expires LIMIT ?2{skip})"
	case MySQL:
		// The insert is not ON DUPLICATE KEY UPDATE: how many rows that affects
		// depends on how the connection counts (CLIENT_FOUND_ROWS). The other
		// statements always change what they find.
		t.sweep = "DELETE FROM {t} WHERE expires > 0 AND expires < ? ORDER BY expires LIMIT ?"
	default:
		return t, fmt.Errorf("the dialect %q is none of sqlite, postgres and mysql", d)
	}
	for _, text := range []*string{&t.get, &t.list, &t.insert, &t.update, &t.remove, &t.sweep} {
		*text = d.bind(strings.ReplaceAll(*text, "{t}", table))
	}
	return t, nil
}

// bind writes the ? of a statement as the database wants them.
func (d Dialect) bind(text string) string {
	if d != PostgreSQL {
		return strings.ReplaceAll(text, "{skip}", "")
	}
	text = strings.ReplaceAll(text, "{skip}", " FOR UPDATE SKIP LOCKED")
	if strings.Contains(text, "?1") {
		return strings.NewReplacer("?1", "$1", "?2", "$2").Replace(text)
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		if r == '?' {
			n++
			fmt.Fprintf(&b, "$%d", n)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// checkDurable returns an error that says what to set unless a commit is on
// disk when the database says so.
func (d Dialect) checkDurable(ctx context.Context, db *sql.DB) error {
	value := func(query string) (v string, err error) {
		err = db.QueryRowContext(ctx, query).Scan(&v)
		return v, err
	}
	lossy := func(what, remedy string) error {
		return fmt.Errorf("%s: what is recorded may be lost in a crash: %s, or accept that (lossy=1 in the address)", what, remedy)
	}
	switch d {
	case SQLite:
		v, err := value("PRAGMA synchronous")
		if err != nil || v == "2" || v == "3" {
			return err
		}
		return lossy("PRAGMA synchronous is "+v, "set it to FULL (2) on every connection")
	case PostgreSQL:
		for _, name := range []string{"fsync", "synchronous_commit"} {
			v, err := value("SHOW " + name)
			if err != nil {
				return err
			}
			if v == "off" {
				return lossy(name+" is off", "set it to on")
			}
		}
	case MySQL:
		if v, err := value("SELECT @@autocommit"); err != nil {
			return err
		} else if v != "1" {
			return errors.New("the connection has autocommit off, so nothing would be committed: remove that from the address")
		}
		// Some who speak the protocol have no such variable.
		if v, err := value("SELECT @@innodb_flush_log_at_trx_commit"); err == nil && v != "1" {
			return lossy("innodb_flush_log_at_trx_commit is "+v, "set it to 1")
		}
	}
	return nil
}
