package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// row of the outbox as it is read.
type row struct {
	seq        int64
	queue      string
	body       sql.NullString // NULL here: it is too large
	size       int64          // of body and attributes in the table, bytes
	attributes sql.NullString
	trace      sql.NullString
	group      sql.NullString
	dedup      sql.NullString
	delay      sql.NullInt64
	age        int64 // milliseconds since it was inserted, by the database's clock
}

// maxRound is how many bytes of messages one round reads, and one message more.
const maxRound = 8 << 20

// read returns up to limit rows in their order, without those for the queues
// named in without. What is larger than any message comes without its body.
func (d Dialect) read(ctx context.Context, db *sql.DB, limit int, without []string) ([]row, error) {
	fits := func(column string, limit int) string {
		return fmt.Sprintf("CASE WHEN %s <= %d THEN %s END", d.bytes(column), limit, column)
	}
	q := fmt.Sprintf(`SELECT seq, queue, %s, %s + COALESCE(%s, 0), %s, %s, %s, %s, delay_seconds, %s - created_ms FROM dayfly_outbox`,
		fits("body", task.MaxMessage), d.bytes("body"), d.bytes("attributes"), fits("attributes", maxAttributesText),
		fits("trace_header", task.MaxMessage), fits("message_group", 1024), fits("dedup_id", 1024), d.now())
	args := make([]any, 0, len(without)+1)
	for i, name := range without {
		q += map[bool]string{true: " WHERE", false: " AND"}[i == 0] + " queue <> ?"
		args = append(args, name)
	}
	rows, err := db.QueryContext(ctx, d.bind(q+" ORDER BY seq LIMIT ?"), append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var (
		all   []row
		bytes int64
	)
	for bytes < maxRound && rows.Next() {
		var r row
		if err := rows.Scan(&r.seq, &r.queue, &r.body, &r.size, &r.attributes, &r.trace, &r.group, &r.dedup, &r.delay, &r.age); err != nil {
			return nil, err
		}
		bytes += int64(len(r.body.String) + len(r.attributes.String))
		all = append(all, r)
	}
	return all, rows.Err()
}

// outgoing is the row as a message for q, or why it can never be one.
func (r *row) outgoing(q *queue.Queue) (queue.Outgoing, error) {
	m := queue.Outgoing{Body: r.body.String, Delay: -1, GroupID: r.group.String, DedupID: r.dedup.String}
	if !r.body.Valid || r.size > task.MaxMessage+maxAttributesText {
		return m, fmt.Errorf("body and attributes have %d bytes, more than a message of %d", r.size, task.MaxMessage)
	}
	if r.attributes.Valid {
		var err error
		if m.Attributes, err = decodeAttributes(r.attributes.String); err != nil {
			return m, err
		}
	}
	if r.trace.Valid {
		m.System = map[string]queue.Attribute{traceHeader: {DataType: "String", String: r.trace.String}}
	}
	if r.delay.Valid {
		if r.delay.Int64 < 0 || r.delay.Int64 > 900 {
			return m, fmt.Errorf("delay_seconds is %d, not 0–900", r.delay.Int64)
		}
		m.Delay = left(time.Duration(r.delay.Int64)*time.Second, r.age)
	}
	if strings.HasSuffix(q.Name(), ".fifo") {
		if err := completeFIFO(&m); err != nil {
			return m, err
		}
	}
	return m, queue.CheckMessage(q.Name(), m)
}

// left of a delay after age milliseconds, in whole seconds as SQS counts,
// rounded up.
func left(delay time.Duration, age int64) time.Duration {
	d := delay - time.Duration(max(0, age))*time.Millisecond
	return max(0, (d + time.Second - 1).Truncate(time.Second))
}

// completeFIFO gives a task's message the group and the deduplication id it has
// none of, as a client does.
func completeFIFO(m *queue.Outgoing) error {
	if m.GroupID != "" && m.DedupID != "" {
		return nil
	}
	e, err := task.Decode(m.Body)
	if err != nil {
		return fmt.Errorf("a FIFO queue needs message_group and dedup_id, and the body has none to go by: %w", err)
	}
	if m.GroupID == "" {
		m.GroupID = e.Type
	}
	if m.DedupID == "" {
		m.DedupID = e.ID
		if len(e.ID) > 128 || strings.ContainsFunc(e.ID, func(r rune) bool { return r <= ' ' || r > '~' }) {
			m.DedupID = uuid.NewSHA1(uuid.NameSpaceURL, []byte(e.ID)).String()
		}
	}
	return nil
}

// hopeless is true of an error of a queue that no further try will cure.
func hopeless(err error) bool {
	_, invalid := errors.AsType[*queue.InvalidError](err)
	return invalid || errors.Is(err, queue.ErrTooLarge) || errors.Is(err, queue.ErrNoDedupID)
}

// remove deletes rows that were sent.
func (d Dialect) remove(ctx context.Context, db *sql.DB, seqs []int64) error {
	for len(seqs) > 0 {
		n := min(len(seqs), 100)
		// Few sizes make few statements to be prepared: the last number
		// fills up.
		size := map[bool]int{true: 10, false: 100}[n <= 10]
		args := make([]any, size)
		for i := range args {
			args[i] = seqs[min(i, n-1)]
		}
		if _, err := db.ExecContext(ctx, d.bind("DELETE FROM dayfly_outbox WHERE seq IN "+tuples(size, 1)), args...); err != nil {
			return err
		}
		seqs = seqs[n:]
	}
	return nil
}

// bury moves a row to dayfly_outbox_dead with the reason.
func (d Dialect) bury(ctx context.Context, db *sql.DB, seq int64, reason string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	const columns = "seq, queue, body, attributes, trace_header, message_group, dedup_id, delay_seconds, created_ms"
	insert := "INSERT INTO dayfly_outbox_dead (" + columns + ", error, failed_ms) SELECT " + columns + ", " + d.text("?") + ", " + d.now() + " FROM dayfly_outbox WHERE seq = ?"
	if _, err := tx.ExecContext(ctx, d.bind(insert), reason, seq); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, d.bind("DELETE FROM dayfly_outbox WHERE seq = ?"), seq); err != nil {
		return err
	}
	return tx.Commit()
}

// text says of a parameter that is a column of a SELECT what it is.
func (d Dialect) text(parameter string) string {
	if d == PostgreSQL {
		return "CAST(" + parameter + " AS TEXT)"
	}
	return parameter
}
