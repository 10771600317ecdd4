package outbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Dialect is a kind of database.
type Dialect string

// The databases that are known.
const (
	PostgreSQL Dialect = "postgres"
	MySQL      Dialect = "mysql" // and MariaDB
	SQLite     Dialect = "sqlite"
)

func (d Dialect) check() error {
	if !slices.Contains([]Dialect{PostgreSQL, MySQL, SQLite}, d) {
		return fmt.Errorf("outbox: dialect %q is not one of %s, %s, %s", d, PostgreSQL, MySQL, SQLite)
	}
	return nil
}

// ask finds out what answers. SQLite alone has no version(), and there a
// statement that fails does not spoil its transaction.
func ask(ctx context.Context, tx Tx) (Dialect, error) {
	var version string
	err := tx.QueryRowContext(ctx, "SELECT version()").Scan(&version)
	switch {
	case err == nil && (strings.Contains(version, "PostgreSQL") || strings.Contains(version, "Cockroach")):
		return PostgreSQL, nil
	case err == nil:
		return MySQL, nil
	case ctx.Err() == nil && tx.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version) == nil:
		return SQLite, nil
	}
	return "", fmt.Errorf("outbox: cannot ask the database what it is: %w", err)
}

// bind writes the ? of a statement as the database wants them; none of ours
// has a ? that is something else.
func (d Dialect) bind(statement string) string {
	if d != PostgreSQL {
		return statement
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(statement, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		statement = after
	}
}

// now is the database's clock, in Unix milliseconds: the only one that all who
// share the outbox have.
func (d Dialect) now() string {
	switch d {
	case PostgreSQL:
		return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
	case MySQL:
		return "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
	}
	return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
}

// bytes is the size of a text column.
func (d Dialect) bytes(column string) string {
	if d == SQLite {
		return "LENGTH(CAST(" + column + " AS BLOB))"
	}
	return "OCTET_LENGTH(" + column + ")"
}

// tuples is VALUES for rows of that many columns.
func tuples(columns, rows int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", columns), ", ") + ")"
	return strings.TrimSuffix(strings.Repeat(one+", ", rows), ", ")
}
