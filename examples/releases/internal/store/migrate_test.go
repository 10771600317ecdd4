package store

import (
	"path/filepath"
	"testing"
)

func TestAFailedCommitIsTold(t *testing.T) {
	d, err := Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "releases.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	conn, err := d.sql.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	unlock, err := d.lock(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil { // as SQLite does on a full disk
		t.Fatal(err)
	}
	if unlock() == nil {
		t.Error("what was undone was said to be committed")
	}
}
