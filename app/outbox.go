package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task/outbox"
)

const outboxPatience = 10 * time.Second // for a database to answer at the start

// startOutboxes relays the outboxes of the databases that have one. Their tables
// are there before the processes start, unless the database does not answer:
// then the relay goes on asking.
func (a *App) startOutboxes(ctx context.Context) error {
	for _, name := range sortedKeys(a.manifest.Database) {
		to := a.manifest.Database[name].Outbox
		if to == "" {
			continue
		}
		if err := a.startOutbox(ctx, name, to); err != nil {
			return fmt.Errorf("outbox of database %s: %w", name, err)
		}
	}
	return nil
}

func (a *App) startOutbox(ctx context.Context, name, to string) error {
	db, err := openDatabase(a.variables.get("DATABASE_" + envName(name) + "_URL"))
	if err != nil {
		return err
	}
	a.onStop("database "+name, func(context.Context) error { return db.Close() })
	log := a.log.With("database", name)
	relay, err := outbox.NewRelay(db, a.queues.Queue(a.names[to]), &outbox.RelayOptions{Queues: a.queuesByName(), Log: log})
	if err != nil {
		return err
	}
	a.outboxes = append(a.outboxes, outboxDatabase{name: name, queue: a.names[to], db: db})
	limited, cancel := context.WithTimeout(ctx, outboxPatience)
	defer cancel()
	if err := outbox.Create(limited, db); err != nil {
		if _, newer := errors.AsType[*outbox.VersionError](err); newer {
			return err
		}
		log.Warn("the outbox's tables cannot be looked for; the relay goes on trying", "error", err)
	}
	run, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := relay.Run(run); err != nil {
			log.Error("the outbox's relay ended", "error", err)
		}
	}()
	a.onStop("outbox "+name, func(context.Context) error { stop(); <-ended; return nil })
	return nil
}

// queuesByName are the manifest's queues under all names that rows may use: the
// manifest's, and that of a FIFO queue with its ending.
func (a *App) queuesByName() map[string]*queue.Queue {
	m := make(map[string]*queue.Queue, 2*len(a.names))
	for name, service := range a.names {
		m[name] = a.queues.Queue(service)
		m[a.manifest.ServiceName(name)] = a.queues.Queue(service)
	}
	return m
}

// openDatabase connects to a database by the address that the processes are
// told. An error does not repeat it, as it may hold a password.
func openDatabase(address string) (*sql.DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("its address cannot be read")
	}
	var db *sql.DB
	switch u.Scheme {
	case "sqlite":
		// The application chose how its file is written (journal, syncs): nothing
		// here changes that.
		file := url.URL{Scheme: "file", Path: path.Clean(u.Path), RawQuery: "_pragma=busy_timeout(20000)&_txlock=immediate"}
		db, err = sql.Open("sqlite", file.String())
	case "postgres", "postgresql":
		var c *pgx.ConnConfig
		if c, err = pgx.ParseConfig(address); err != nil {
			return nil, errors.New("PostgreSQL's driver cannot read its address")
		}
		db = stdlib.OpenDB(*c)
	case "mysql", "mariadb":
		db, err = openMySQL(u)
	default:
		return nil, fmt.Errorf("an outbox is known of sqlite, postgres and mysql, not of %q", u.Scheme)
	}
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2) // one round at a time
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

// openMySQL takes ?socket=/path for a local server without TCP, and ?tls=true.
func openMySQL(u *url.URL) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr = u.Hostname() + ":3306"
	}
	if s := u.Query().Get("socket"); s != "" {
		c.Net, c.Addr = "unix", s
	}
	c.TLSConfig = u.Query().Get("tls")
	c.DBName = strings.TrimPrefix(u.Path, "/")
	c.Timeout = outboxPatience
	if err := c.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin")); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, errors.New("MySQL's driver cannot read its address")
	}
	return sql.OpenDB(connector), nil
}
