package open

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite" // registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/sqlrecords"
)

// connections bounds those of one store. Records are small and soon read, so a
// few serve many goroutines; PostgreSQL has a hundred for everybody.
const connections = 8

// options takes what is ours out of the parameters.
func options(q url.Values) (*sqlrecords.Options, error) {
	o := &sqlrecords.Options{CloseDB: true, Table: q.Get("table")}
	switch v := q.Get("lossy"); v {
	case "", "0":
	case "1":
		o.Lossy = true
	default:
		return nil, fmt.Errorf("lossy is %q in the address; it is 1, or left out", v)
	}
	q.Del("table")
	q.Del("lossy")
	return o, nil
}

// unknown refuses what else is in the parameters.
func unknown(q url.Values, known string) error {
	if len(q) == 0 {
		return nil
	}
	return fmt.Errorf("the address has the parameter %q; known are %s", slices.Sorted(maps.Keys(q))[0], known)
}

// open makes the store of a database.
func open(ctx context.Context, db *sql.DB, d sqlrecords.Dialect, o *sqlrecords.Options) (driver.Store, error) {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s, err := sqlrecords.New(ctx, db, d, o)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// openSQLite: a write is on disk when it returns (synchronous FULL; WAL alone
// would sync only now and then), and processes wait for each other.
func openSQLite(ctx context.Context, u *url.URL) (driver.Store, error) {
	path, ok := strings.CutPrefix(u.Path, "//")
	if !ok || u.Host != "" || path == "" {
		return nil, errors.New("sqlite takes the absolute path of a file, so that all processes mean the same one: sqlite:////absolute/path.db")
	}
	q := u.Query()
	o, err := options(q)
	if err == nil {
		err = unknown(q, "table and lossy")
	}
	if err != nil {
		return nil, err
	}
	pragmas := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(20000)", "journal_mode(WAL)", "synchronous(FULL)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: "/" + path, RawQuery: pragmas.Encode()}).String())
	if err != nil {
		return nil, err
	}
	if err := connectSQLite(ctx, db); err != nil {
		return nil, fmt.Errorf("%s: %w", "/"+path, errors.Join(err, folderOf("/"+path), db.Close()))
	}
	d, err := open(ctx, db, sqlrecords.SQLite, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", "/"+path, err)
	}
	return d, nil
}

// connectSQLite makes the first connection. It turns a new file to WAL, and of
// several processes that do so at once SQLite refuses all but one without
// waiting, whatever busy_timeout says: they try again, for 20 s.
func connectSQLite(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		var e *sqlite.Error
		if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// maxPath is the longest path of SQLite's on Unix, with what it appends.
const maxPath = 500

// folderOf says what SQLite does not: that the file cannot be made for want of
// a folder, or for the length of its path.
func folderOf(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("the path has %d bytes and SQLite takes %d: choose a shorter one, or another store in RECORDS_URL", len(path), maxPath)
	}
	_, err := os.Stat(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder %s: make it", filepath.Dir(path))
	}
	return nil
}

func openPostgres(ctx context.Context, u *url.URL) (driver.Store, error) {
	q := u.Query()
	o, err := options(q)
	if err != nil {
		return nil, err
	}
	own := *u
	own.RawQuery = q.Encode()
	c, err := pgx.ParseConfig(own.String())
	if err != nil {
		return nil, errors.New("PostgreSQL's client does not understand the address: postgres://user:password@host/database?sslmode=require")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	return open(ctx, stdlib.OpenDB(*c), sqlrecords.PostgreSQL, o)
}

func openMySQL(ctx context.Context, u *url.URL) (driver.Store, error) {
	q := u.Query()
	o, err := options(q)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.DBName = strings.TrimPrefix(u.Path, "/")
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr = u.Hostname() + ":3306"
	}
	if socket := q.Get("socket"); socket != "" {
		c.Net, c.Addr = "unix", socket
	} else if u.Host == "" {
		return nil, errors.New("mysql takes a host, or ?socket=/path: mysql://user:password@host/database")
	}
	c.TLSConfig = q.Get("tls")
	c.Timeout = 10 * time.Second
	c.Logger = &mysql.NopLogger{} // what it logs is in the errors
	q.Del("socket")
	q.Del("tls")
	if err := unknown(q, "socket, tls, table and lossy"); err != nil {
		return nil, err
	}
	if c.DBName == "" {
		return nil, errors.New("the address names no database: mysql://user:password@host/database")
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, errors.New("MySQL's client does not understand the address: tls is true, skip-verify or preferred")
	}
	return open(ctx, sql.OpenDB(connector), sqlrecords.MySQL, o)
}
