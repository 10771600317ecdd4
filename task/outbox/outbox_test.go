package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/outbox"
)

// TestWithTheTransaction: a commit sends, a rollback leaves nothing.
func TestWithTheTransaction(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		r := newRig(t, d, nil)
		r.execute("CREATE TABLE orders (id INTEGER)")
		r.relay(outbox.RelayOptions{})
		r.inTx(func(tx *sql.Tx) error {
			if _, err := tx.Exec("INSERT INTO orders VALUES (1)"); err != nil {
				return err
			}
			if _, err := outbox.Enqueue(t.Context(), tx, digest, digestArgs{"never"}, task.ID("never")); err != nil {
				return err
			}
			return errRollback
		})
		var id string
		r.inTx(func(tx *sql.Tx) (err error) {
			if _, err := tx.Exec("INSERT INTO orders VALUES (2)"); err != nil {
				return err
			}
			id, err = outbox.Enqueue(t.Context(), tx, digest, digestArgs{"2026-11-21"})
			return err
		})
		got := r.take("default", 1)
		e, err := task.Decode(got[0].Body)
		if err != nil || e.ID != id || e.Type != "daily_digest" || string(e.Data) != `{"Day":"2026-11-21"}` {
			t.Errorf("%+v, %v; the id is %s", e, err, id)
		}
		r.wantCount("dayfly_outbox", 0)
		if n := r.count("orders"); n != 1 {
			t.Errorf("%d orders, not the one that was committed", n)
		}
		if left, err := r.s.Queue("default").Receive(t.Context(), queue.ReceiveOptions{}); len(left) > 0 {
			t.Errorf("the queue has more: %v, %v", left, err)
		}
	})
}

// TestEverythingOfAMessage: what a client gives a message arrives, and a delay
// counts from the enqueue, not from when the relay came to it.
func TestEverythingOfAMessage(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		g := &gate{}
		var mu sync.Mutex
		var seen []driver.Outgoing
		g.set(func(_ string, m []driver.Outgoing) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, m...)
			return nil
		})
		r := newRig(t, d, func(s driver.Service) driver.Service { g.Service = s; return g })
		box := &outbox.Box{Queue: "mails", Client: &task.ClientOptions{Source: "shop"}}
		full := queue.Outgoing{
			Body: "Grüße, \\ ' \" %s ? $1 \U0001F600", Delay: 20 * time.Second, GroupID: "tenant-7",
			Attributes: map[string]queue.Attribute{"a": {DataType: "String", String: "ü"}, "n": {DataType: "Number.int", String: "7"}, "b": {DataType: "Binary.png", Binary: []byte{0, 255}}},
			System:     map[string]queue.Attribute{"AWSTraceHeader": {DataType: "String", String: "Root=1"}},
		}
		r.inTx(func(tx *sql.Tx) error {
			if _, err := digest.Enqueue(t.Context(), box.In(tx), digestArgs{"x"}, task.Delay(10*time.Minute), task.Group("g")); err != nil {
				return err
			}
			return outbox.SendRaw(t.Context(), box, tx, full)
		})
		r.execute("UPDATE dayfly_outbox SET created_ms = created_ms - 60500")
		r.relay(outbox.RelayOptions{})
		r.wantCount("dayfly_outbox", 0)
		mu.Lock()
		defer mu.Unlock()
		if len(seen) != 2 {
			t.Fatalf("%d messages", len(seen))
		}
		e, err := task.Decode(seen[0].Body)
		if err != nil || e.Source != "shop" || seen[0].GroupID != "g" {
			t.Errorf("%+v in group %q, %v", e, seen[0].GroupID, err)
		}
		if got := seen[0].Delay; got > 539*time.Second+time.Second || got < 530*time.Second {
			t.Errorf("of 10 minutes, 60.5 s after, there are %v left", got)
		}
		full.Delay = 0 // it is over
		if diff := cmp.Diff(full, seen[1]); diff != "" {
			t.Error(diff)
		}
	})
}

// TestManyAndTwoRelays: each of many transactions' tasks is sent once while two
// relays run, and a relay that stops hands over at once.
func TestManyAndTwoRelays(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		r := newRig(t, d, nil)
		stop := r.relay(outbox.RelayOptions{Lease: time.Minute})
		r.relay(outbox.RelayOptions{Lease: time.Minute, Batch: 7})
		var box outbox.Box
		var want []string
		var mu sync.Mutex
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for i := range 25 {
					tx, err := r.db.BeginTx(t.Context(), nil)
					if err != nil {
						t.Error(err)
						return
					}
					some, err := digest.EnqueueMany(t.Context(), box.In(tx), []digestArgs{{"a"}, {"b"}, {"c"}})
					if err == nil && i%5 == 4 {
						err = errRollback
					}
					if err != nil {
						if tx.Rollback(); !errors.Is(err, errRollback) {
							t.Error(err)
						}
						continue
					}
					if err := tx.Commit(); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					want = append(want, some...)
					mu.Unlock()
					if w == 0 && i == 12 {
						stop()
					}
				}
			})
		}
		writers.Wait()
		got := ids(t, r.take("default", len(want)))
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		r.wantCount("dayfly_outbox", 0)
	})
}

// TestFIFO: groups keep their order across batches, requests that fail and a
// change of relays; rows without group and id get the task's.
func TestFIFO(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		g := &gate{}
		r := newRig(t, d, func(s driver.Service) driver.Service { g.Service = s; return g })
		var n int
		g.set(func(string, []driver.Outgoing) error {
			if n++; n%3 == 1 {
				return errors.New("refused this once")
			}
			return nil
		})
		box := &outbox.Box{Queue: "orders.fifo"}
		for i := range 60 {
			r.inTx(func(tx *sql.Tx) error {
				_, err := digest.Enqueue(t.Context(), box.In(tx), digestArgs{"x"}, task.ID(fmt.Sprintf("g%d-%02d", i%3, i)), task.Group(fmt.Sprintf("g%d", i%3)))
				return err
			})
		}
		body := `{"specversion":"1.0","id":"by hand","source":"python","type":"t"}`
		r.execute("INSERT INTO dayfly_outbox (queue, body) VALUES ('orders', '" + body + "')")
		r.relay(outbox.RelayOptions{Batch: 25})
		got := r.take("orders.fifo", 61)
		last := map[string]string{}
		for i, id := range ids(t, got) {
			if group := got[i].GroupID; id <= last[group] {
				t.Errorf("group %s: %s after %s", group, id, last[group])
			} else {
				last[group] = id
			}
		}
		if last["t"] != "by hand" || len(last) != 4 {
			t.Errorf("groups and their last: %v", last)
		}
	})
}

// TestPoison: rows that can never be sent are set aside with the reason and
// hold nothing up, on the first round or when the queue refuses them.
func TestPoison(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		g := &gate{}
		r := newRig(t, d, func(s driver.Service) driver.Service { g.Service = s; return g })
		g.set(func(_ string, ms []driver.Outgoing) error {
			for _, m := range ms {
				switch {
				case strings.Contains(m.Body, "oversized"):
					return fmt.Errorf("send: %w", queue.ErrTooLarge)
				case strings.Contains(m.Body, "refused"):
					return errors.New("400 for no reason that is known")
				}
			}
			return nil
		})
		poison := []struct{ columns, values, why string }{
			{"body", "''", "must not be empty"},
			{"body", "'a\x01b'", "must be UTF-8"},
			{"body, queue", "'x', 'defualt'", `there is no queue "defualt" here; known are default, mails, orders, orders.fifo`},
			{"body, attributes", "'x', '{'", "attributes is not JSON"},
			{"body, attributes", `'x', '{"a":{"type":"Binary","value":"*"}}'`, "is not base64"},
			{"body, message_group", "'x', 'two words'", "GroupID"},
			{"body, delay_seconds", "'x', 901", "delay_seconds is 901"},
			{"body, queue", "'no event', 'orders.fifo'", "a FIFO queue needs message_group and dedup_id"},
			{"body", "'oversized'", "larger than the queue takes"},
			{"body", "'refused'", "400 for no reason"},
		}
		for _, p := range poison {
			r.execute("INSERT INTO dayfly_outbox (" + p.columns + ") VALUES (" + p.values + ")")
		}
		r.execute("INSERT INTO dayfly_outbox (body) VALUES ('" + strings.Repeat("x", task.MaxMessage+1) + "')")
		var box outbox.Box
		var want []string
		for range 5 {
			r.inTx(func(tx *sql.Tx) error {
				some, err := digest.EnqueueMany(t.Context(), box.In(tx), make([]digestArgs, 30))
				want = append(want, some...)
				return err
			})
		}
		r.relay(outbox.RelayOptions{Batch: 20})
		got := ids(t, r.take("default", len(want)))
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		// The one refused for an unknown reason waits for company to get through.
		eventually(t, func() error {
			r.execute("INSERT INTO dayfly_outbox (body) VALUES ('company')")
			if n := r.count("dayfly_outbox_dead"); n != len(poison)+1 {
				return fmt.Errorf("%d rows are set aside, not %d", n, len(poison)+1)
			}
			return nil
		})
		r.wantCount("dayfly_outbox", 0)
		rows, err := r.db.Query("SELECT error FROM dayfly_outbox_dead ORDER BY seq")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for i := 0; rows.Next(); i++ {
			var why string
			if err := rows.Scan(&why); err != nil {
				t.Fatal(err)
			}
			if i < len(poison) && !strings.Contains(why, poison[i].why) || i == len(poison) && !strings.Contains(why, "more than a message") {
				t.Errorf("row %d: %s", i+1, why)
			}
		}
	})
}

// TestQueueUnreachable: rows wait, with no transaction open, requests grow rare,
// other queues are served, and all arrives once the queue is back.
func TestQueueUnreachable(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		g := &gate{}
		down := errors.New("connection refused")
		g.set(func(name string, _ []driver.Outgoing) error {
			if name == "default" {
				return down
			}
			return nil
		})
		r := newRig(t, d, func(s driver.Service) driver.Service { g.Service = s; return g })
		mails := outbox.Box{Queue: "mails"}
		var want []string
		for range 50 {
			r.inTx(func(tx *sql.Tx) error {
				id, err := outbox.Enqueue(t.Context(), tx, digest, digestArgs{"x"})
				want = append(want, id)
				return err
			})
		}
		r.relay(outbox.RelayOptions{Batch: 10})
		eventually(t, func() error {
			if g.sends.Load() < 3 {
				return errors.New("it does not try")
			}
			return nil
		})
		r.inTx(func(tx *sql.Tx) error {
			_, err := digest.Enqueue(t.Context(), mails.In(tx), digestArgs{"x"})
			return err
		})
		r.take("mails", 1)
		eventually(t, func() error { // the message is there before its row is deleted
			if n := r.count("dayfly_outbox"); n != 50 {
				return fmt.Errorf("%d rows wait, not 50", n)
			}
			return nil
		})
		if n := g.sends.Load(); n > 100 {
			t.Errorf("%d requests to a queue that is away", n)
		}
		g.set(func(string, []driver.Outgoing) error { return nil })
		got := ids(t, r.take("default", 50))
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestCreateAtOnce: any number may create the tables at once; tables of a newer
// version are left alone.
func TestCreateAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		var all sync.WaitGroup
		for range 8 {
			db := d.open(t)
			all.Go(func() {
				if err := outbox.Create(t.Context(), db); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		db := d.open(t)
		if _, err := db.Exec("UPDATE dayfly_outbox_relay SET version = 2"); err != nil {
			t.Fatal(err)
		}
		var newer *outbox.VersionError
		if err := outbox.Create(t.Context(), db); !errors.As(err, &newer) || newer.Found != 2 {
			t.Errorf("tables of version 2: %v", err)
		}
	})
}

// TestOneConnection: a relay gets along with a database of one connection, as
// programs have with SQLite, and Wake makes it look at once.
func TestOneConnection(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		db := d.open(t)
		db.SetMaxOpenConns(1)
		e, err := diskqueue.Open(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, db: db, s: queue.New(e)}
		defer r.s.Close()
		if err := r.s.CreateQueue(t.Context(), "default", queue.Attributes{}, nil); err != nil {
			t.Fatal(err)
		}
		relay, err := outbox.NewRelay(db, r.s.Queue("default"), &outbox.RelayOptions{Poll: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if err := outbox.Create(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- relay.Run(ctx) }()
		for i := range 3 {
			r.inTx(func(tx *sql.Tx) error {
				_, err := outbox.Enqueue(t.Context(), tx, digest, digestArgs{fmt.Sprint(i)})
				return err
			})
			relay.Wake()
			r.take("default", 1)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestThroughput prints how fast 10,000 rows leave.
func TestThroughput(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		r := newRig(t, d, nil)
		var box outbox.Box
		const n = 10_000
		begun := time.Now()
		r.inTx(func(tx *sql.Tx) error {
			_, err := digest.EnqueueMany(t.Context(), box.In(tx), make([]digestArgs, n))
			return err
		})
		inserted := time.Since(begun)
		begun = time.Now()
		r.relay(outbox.RelayOptions{})
		r.wantCount("dayfly_outbox", 0)
		took := time.Since(begun)
		q, err := r.s.Queue("default").Describe(t.Context())
		if err != nil || q.Visible != n {
			t.Errorf("%d in the queue, %v", q.Visible, err)
		}
		t.Logf("%d rows: inserted in %v (%.0f/s), relayed in %v (%.0f/s)", n, inserted.Round(time.Millisecond), n/inserted.Seconds(),
			took.Round(time.Millisecond), n/took.Seconds())
	})
}
