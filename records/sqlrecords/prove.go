package sqlrecords

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// prove writes, changes and removes a record in a transaction that is rolled
// back. A table of the right version is found without a write, and a file that is
// read-only, a replica or missing rights would else be noticed by the first who
// has something to keep, as a worker that is to send.
func (s *Store) prove(ctx context.Context, table string, t texts) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%w; %s", err, s.dialect.writable())
	}
	defer tx.Rollback() //nolint:errcheck // nothing is to stay; an error ends the connection, and that the transaction
	key, version := "probe/"+rand.Text(), rand.Text()
	insert := []any{key, []byte{}, version, "", int64(1)}
	if s.dialect != MySQL {
		insert = append(insert, time.Now().Unix())
	}
	for _, c := range []struct {
		what, text string
		args       []any
	}{
		{"insert into", t.insert, insert},
		{"update", t.update, []any{[]byte{1}, version + "2", "", int64(1), key, version}},
		{"delete from", t.remove, []any{key, version + "2"}},
	} {
		result, err := tx.ExecContext(ctx, c.text, c.args...)
		var n int64
		if err == nil {
			n, err = result.RowsAffected()
		}
		if err != nil {
			return fmt.Errorf("try to %s the table %s: %w; %s", c.what, table, plain(ctx, err), s.dialect.writable())
		}
		if n != 1 {
			return fmt.Errorf("try to %s the table %s: %d rows instead of one: does it have its primary key, and no triggers?", c.what, table, n)
		}
	}
	return nil
}

// writable is what a database needs that cannot be written.
func (d Dialect) writable() string {
	switch d {
	case SQLite:
		return "records have to be written: give this process's user the right to write the file, the two beside it (-wal, -shm) and their folder"
	case PostgreSQL:
		return "records have to be written: name the server that takes writes, and a user with SELECT, INSERT, UPDATE and DELETE on that table"
	}
	return "records have to be written: name the server that takes writes (read_only is off), and a user with SELECT, INSERT, UPDATE and DELETE on that table"
}
