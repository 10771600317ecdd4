package outbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/outbox"
)

// page returns the code of that language in doc/formats/outbox.md, block by block.
func page(t *testing.T, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(need.Root(t), "doc", "formats", "outbox.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, rest := range strings.Split(string(text), "```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(rest, "```")
		blocks = append(blocks, block)
	}
	return blocks
}

// TestPython runs the Python of the page in a process of its own: what it
// commits arrives, what it rolls back does not.
func TestPython(t *testing.T) {
	py := need.Python(t, "sqlite3")
	path := filepath.Join(t.TempDir(), "app.db")
	r := newRig(t, database{outbox.SQLite, "sqlite", "file:" + path + "?_pragma=busy_timeout(20000)"}, nil)
	r.relay(outbox.RelayOptions{})
	c := exec.CommandContext(t.Context(), py, "-c", "import json, sqlite3, sys, uuid\n"+page(t, "python")[0]+`
db = sqlite3.connect(sys.argv[1])
enqueue(db.cursor(), "never", {})
db.rollback()
enqueue(db.cursor(), "daily_digest", {"Day": "Grüße"})
db.commit()
`, path)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	e, err := task.Decode(r.take("default", 1)[0].Body)
	if err != nil || e.Type != "daily_digest" || !strings.Contains(string(e.Data), "Gr") || e.Source != "shop" {
		t.Errorf("%+v, %v", e, err)
	}
	r.wantCount("dayfly_outbox", 0)
}

// TestDeadIsTriedAgain runs the statements of the page by which a dead row is
// sent after all.
func TestDeadIsTriedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		r := newRig(t, d, nil)
		stop := r.relay(outbox.RelayOptions{})
		r.execute("INSERT INTO dayfly_outbox (seq, body, queue, delay_seconds, message_group) VALUES (17, 'x', 'nowhere', 0, 'g')")
		r.wantCount("dayfly_outbox_dead", 1)
		stop()
		r.execute("UPDATE dayfly_outbox_dead SET queue = 'mails'")
		i := slices.IndexFunc(page(t, "sql"), func(s string) bool { return strings.Contains(s, "_dead") })
		for statement := range strings.SplitSeq(strings.TrimSpace(page(t, "sql")[i]), ";\n") {
			r.execute(strings.TrimSuffix(statement, ";"))
		}
		r.relay(outbox.RelayOptions{})
		if m := r.take("mails", 1)[0]; m.Body != "x" || m.GroupID != "g" {
			t.Errorf("%+v", m)
		}
		r.wantCount("dayfly_outbox_dead", 0)
	})
}
