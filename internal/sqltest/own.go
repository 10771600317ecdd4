package sqltest

import (
	"syscall"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// Own is a PostgreSQL of one test, which stops it and starts it again.
type Own struct {
	Address string // for the driver "pgx", of an empty database
	t       testing.TB
	server  server
}

// OwnPostgres starts one; it ends with the test.
func OwnPostgres(t testing.TB) *Own {
	t.Helper()
	o := &Own{t: t}
	initdb, program := need.Tool(t, "initdb"), need.Tool(t, "postgres")
	t.Cleanup(func() { o.server.stop(syscall.SIGQUIT) })
	if err := o.server.startPostgres(initdb, program); err != nil {
		t.Fatal(err)
	}
	o.Address = postgresAddress(o.server.dir, create(t, "pgx", postgresAddress(o.server.dir, "postgres")))
	return o
}

// Stop ends the server with its connections; connecting is refused from then on.
func (o *Own) Stop() {
	o.server.end(syscall.SIGINT)
	o.server.process = nil
}

// Start has it come back with its data.
func (o *Own) Start() {
	o.t.Helper()
	if err := o.server.again(); err != nil {
		o.t.Fatal(err)
	}
}
