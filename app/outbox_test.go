package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/internal/sqltest"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }

// TestOutboxes: rows of a database, written by whatever program, come to the
// queues of the manifest, under each of their names; the database may be any.
func TestOutboxes(t *testing.T) {
	addresses := map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:///" + filepath.Join(t.TempDir(), "shop.db") },
		"postgres": func(t *testing.T) string { return sqltest.Postgres(t) },
		"mysql": func(t *testing.T) string {
			c, err := mysql.ParseDSN(sqltest.MariaDB(t))
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("mysql://%s@localhost/%s?socket=%s", c.User, c.DBName, url.QueryEscape(c.Addr))
		},
	}
	for kind, address := range addresses {
		t.Run(kind, func(t *testing.T) {
			engine, err := diskqueue.Open(filepath.Join(t.TempDir(), "queue"), nil)
			if err != nil {
				t.Fatal(err)
			}
			m, err := manifest.Parse("m.toml", []byte("name = \"shop\"\n[queue.default]\n[queue.orders]\nfifo = true\n[database.main]\noutbox = \"default\"\n[database.other]\n"))
			if err != nil {
				t.Fatal(err)
			}
			a := &App{manifest: m, queues: queue.New(engine), names: names{}, log: slog.New(slog.NewTextHandler(t.Output(), nil))}
			for name := range m.Queue {
				a.names[name] = m.ServiceName(name)
				if err := a.makeQueue(t.Context(), a.names[name], m.Queue[name]); err != nil {
					t.Fatal(err)
				}
			}
			a.variables.set("DATABASE_MAIN_URL", address(t))
			a.onStop("queues", func(context.Context) error { return a.queues.Close() })
			defer func() {
				if err := a.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			if err := a.startOutboxes(t.Context()); err != nil {
				t.Fatal(err)
			}
			db, err := openDatabase(a.variables.get("DATABASE_MAIN_URL"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for i, to := range []string{"", "default", "orders", "orders.fifo"} {
				body := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"shop","type":"t"}`, i)
				if _, err := db.Exec("INSERT INTO dayfly_outbox (queue, body) VALUES ('" + to + "', '" + body + "')"); err != nil {
					t.Fatal(err)
				}
			}
			for name, want := range map[string]string{"default": "01", "orders.fifo": "23"} {
				var got strings.Builder
				for got.Len() < 2 {
					ms, err := a.queues.Receive(t.Context(), name, queue.ReceiveOptions{Max: 10, Visibility: time.Hour, Wait: 20 * time.Second})
					if err != nil || len(ms) == 0 {
						t.Fatal(name, got.String(), err)
					}
					for _, m := range ms {
						_, id, _ := strings.Cut(m.Body, `"id":"`)
						got.WriteString(id[:1])
						if _, err := a.queues.Delete(t.Context(), name, []string{m.Receipt}); err != nil {
							t.Fatal(err)
						}
					}
				}
				if s := got.String(); s != want && (name != "default" || s != "10") {
					t.Errorf("%s: %s, not %s", name, s, want)
				}
			}
		})
	}
}

// TestAnOutboxWithoutItsDatabase: one that is away does not keep the application
// from starting, nor the relay from stopping.
func TestAnOutboxWithoutItsDatabase(t *testing.T) {
	engine, err := diskqueue.Open(filepath.Join(t.TempDir(), "queue"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse("m.toml", []byte("name = \"shop\"\n[queue.default]\n[database.main]\noutbox = \"default\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	a := &App{manifest: m, queues: queue.New(engine), names: names{"default": "default"}, log: slog.New(slog.NewTextHandler(&said, nil))}
	a.variables.set("DATABASE_MAIN_URL", "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable")
	a.onStop("queues", func(context.Context) error { return a.queues.Close() })
	if err := a.startOutboxes(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if s := said.String(); !strings.Contains(s, "the relay goes on trying") || strings.Contains(s, "hunter2") {
		t.Errorf("said %s", s)
	}
}

// TestWrongAddresses: an error names no password.
func TestWrongAddresses(t *testing.T) {
	for _, address := range []string{"postgres://u:hunter2@[::1", "mysql://u:hunter2@h/d?tls=nonsense", "redis://u:hunter2@h", "postgres://u:hunter2@h/d?sslmode=nonsense"} {
		if _, err := openDatabase(address); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
