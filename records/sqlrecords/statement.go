package sqlrecords

import (
	"context"
	"database/sql"
	"errors"
)

// A statement is prepared once for all connections where that saves a round
// trip or parsing (SQLite, MySQL). The drivers of PostgreSQL keep prepared
// statements themselves, and know when they must not, as behind PgBouncer.
type statement struct {
	db       *sql.DB
	text     string
	prepared *sql.Stmt
}

func (s *statement) row(ctx context.Context, args ...any) *sql.Row {
	if s.prepared != nil {
		return s.prepared.QueryRowContext(ctx, args...)
	}
	return s.db.QueryRowContext(ctx, s.text, args...)
}

func (s *statement) rows(ctx context.Context, args ...any) (*sql.Rows, error) {
	if s.prepared != nil {
		return s.prepared.QueryContext(ctx, args...)
	}
	return s.db.QueryContext(ctx, s.text, args...)
}

// affect returns how many rows a write changed.
func (s *statement) affect(ctx context.Context, args ...any) (n int64, err error) {
	var result sql.Result
	if s.prepared != nil {
		result, err = s.prepared.ExecContext(ctx, args...)
	} else {
		result, err = s.db.ExecContext(ctx, s.text, args...)
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s *Store) prepare(ctx context.Context, t texts) error {
	for _, p := range []struct {
		to   **statement
		text string
	}{
		{&s.get, t.get}, {&s.list, t.list}, {&s.insert, t.insert},
		{&s.update, t.update}, {&s.remove, t.remove}, {&s.sweep, t.sweep},
	} {
		*p.to = &statement{db: s.db, text: p.text}
		if s.dialect == PostgreSQL {
			continue
		}
		prepared, err := s.db.PrepareContext(ctx, p.text)
		if err != nil {
			return errors.Join(err, s.unprepare())
		}
		(*p.to).prepared = prepared
	}
	return nil
}

func (s *Store) unprepare() error {
	var errs []error
	for _, st := range []*statement{s.get, s.list, s.insert, s.update, s.remove, s.sweep} {
		if st != nil && st.prepared != nil {
			errs = append(errs, st.prepared.Close())
		}
	}
	return errors.Join(errs...)
}
