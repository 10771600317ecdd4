package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const whole = `name = "releases"

[build]
command = "go build -o .dayfly/bin/releases ."

[process.web]
command   = ".dayfly/bin/releases web"
http      = true
instances = { min = 2, max = 4 }
health    = "/healthz"

[process.worker]
command = ".dayfly/bin/releases worker"

[queue.default]
visibility = "2m"
attempts   = 5                 # then default-dead

[schedule.digest]
cron     = "30 4 * * *"
timezone = "Europe/Sofia"
task     = "daily_digest"
queue    = "default"

[database.default]
url = "sqlite"

[cache.default]
ttl = "720h"

[bucket.advisories]
public = true

[static]
dir = "static"

[edge]
host = "www.example.com"

[edge.click.daily]
utm = { source = "email", medium = "email", campaign = "Daily_Notification" }
`

func TestParseWhole(t *testing.T) {
	m, err := Parse("/srv/releases/dayfly.toml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	web := m.Process["web"]
	want := &Process{Command: ".dayfly/bin/releases web", HTTP: true, Instances: Instances{2, 4}, Health: "/healthz",
		HealthTimeout: Duration(2 * time.Second), StartTimeout: Duration(30 * time.Second), StopTimeout: Duration(30 * time.Second),
		RestartUnhealthy: Duration(30 * time.Second)}
	if diff := cmp.Diff(want, web); diff != "" {
		t.Error(diff)
	}
	if got := m.Process["worker"].Instances; got != (Instances{1, 4}) {
		t.Errorf("worker instances %+v", got)
	}
	if got := time.Duration(m.Queue["default"].Visibility); got != 2*time.Minute {
		t.Errorf("visibility %s", got)
	}
	if m.Dir != "/srv/releases" || m.Mail.From != "releases@localhost" || m.Listen.Edge != "127.0.0.1:8080" {
		t.Errorf("dir %q, from %q, edge %q", m.Dir, m.Mail.From, m.Listen.Edge)
	}
	if got := m.Edge.Click["daily"].UTM.Campaign; got != "Daily_Notification" {
		t.Errorf("campaign %q", got)
	}
}

func pushed(to string) string {
	return "name = \"a\"\n[process]\ncron = { command = \"x\" }\nweb = { command = \"x\", http = true }\n[queue.q]\npush = \"" + to + "\"\n"
}

func TestPush(t *testing.T) {
	for to, process := range map[string]string{"http://web/tasks": "web", "http://web": "web", "http://web:80/": "", "https://tasks.example.com:443/run?key=hunter2": "", "http://[::1]:8000/": ""} {
		m, err := Parse("m.toml", []byte(pushed(to)))
		if err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		q := m.Queue["q"]
		if q.PushProcess() != process || q.PushConcurrency != 8 || q.PushTimeout != Duration(10*time.Minute) || strings.Contains(q.PushPlace(), "hunter2") {
			t.Errorf("%s: process %q, at %s, %+v", to, q.PushProcess(), q.PushPlace(), q)
		}
	}
	m, err := Parse("m.toml", []byte(pushed("http://web/")+"fifo = true\n[queue.other]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if q, other := m.Queue["q"], m.Queue["other"]; q.PushConcurrency != 8 || other.PushProcess() != "" || other.PushTimeout != 0 {
		t.Errorf("%+v, %+v", q, other)
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "name = \"a\"\n[process.web]\ncomand = \"x\"\n", "m.toml:3:1: unknown key \"comand\" in [process.web]; did you mean \"command\"?"},
		{"unknown table", "name = \"a\"\n[proces.web]\ncommand = \"x\"\n", "unknown key \"proces\" at the top of a manifest; did you mean \"process\"?"},
		{"far from any name", "name = \"a\"\n[build]\nzzzzzz = 1\n", "known are command, timeout"},
		{"wrong type", "name = \"a\"\n[process.web]\ncommand = \"x\"\nhttp = \"yes\"\n", "m.toml:4:8: process.web.http must be true or false"},
		{"duration without unit", "name = \"a\"\n[queue.q]\nvisibility = \"30\"\n", "\"30\" is not a duration"},
		{"number for duration", "name = \"a\"\n[queue.q]\nvisibility = 30\n", "queue.q.visibility must be a duration in quotes"},
		{"out of range", "name = \"a\"\n[queue.q]\nvisibility = \"13h\"\n", "m.toml:3:1: queue.q.visibility is 13h; it must be between 0s and 12h"},
		{"inline table value", "name = \"a\"\n[process.web]\ncommand = \"x\"\ninstances = { min = 5, max = 2 }\n", "m.toml:4:24: process.web.instances.max is 2; it must be between 5 and 64"},
		{"integer for instances", "name = \"a\"\n[process.web]\ncommand = \"x\"\ninstances = 3\n", "process.web.instances must be a table"},
		{"key in place of a named table", "name = \"a\"\n[cache]\nsize = \"64MiB\"\n", "cache.size must be a table; to set a key, name the table, as in [cache.default]"},
		{"schedule without a queue", "name = \"a\"\n[schedule.s]\nevery = \"1m\"\ntask = \"t\"\n", "there is no [queue.default] for the tasks of schedule \"s\": add it"},
		{"no name", "[process.web]\ncommand = \"x\"\n", "name is missing"},
		{"no command", "name = \"a\"\n\n[process.web]\nhttp = true\n", "m.toml:3:10: process \"web\" has no command"},
		{"schedule's queue", "name = \"a\"\n[queue.default]\n[schedule.s]\nevery = \"1m\"\ntask = \"t\"\nqueue = \"defualt\"\n", "m.toml:6:1: there is no [queue.defualt]; did you mean \"default\"?"},
		{"wrong overlap", "name = \"a\"\n[queue.default]\n[schedule.s]\nevery = \"1m\"\ntask = \"t\"\noverlap = \"skp\"\n", "m.toml:6:1: schedule.s.overlap is \"skp\"; it is one of allow, skip (did you mean \"skip\"?)"},
		{"wrong missed", "name = \"a\"\n[queue.default]\n[schedule.s]\nevery = \"1m\"\ntask = \"t\"\nmissed = \"some\"\n", "schedule.s.missed is \"some\"; it is one of latest, all, none"},
		{"missed of a wrong type", "name = \"a\"\n[queue.default]\n[schedule.s]\nevery = \"1m\"\ntask = \"t\"\nmissed = true\n", "schedule.s.missed must be"},
		{"schedule's queue is FIFO", "name = \"a\"\n[queue.default]\nfifo = true\n[schedule.s]\nevery = \"1m\"\ntask = \"t\"\n", "queue \"default\" is FIFO, where a message needs a group"},
		{"push to a misspelt process", pushed("http://wbe/tasks"), "m.toml:6:1: there is no [process.wbe]; did you mean \"web\"?"},
		{"push to no process", pushed("https://example.com/tasks?key=hunter2"), "there is no [process.example.com]: name one with http = true, or, for an address elsewhere, its port, as in https://example.com:443/"},
		{"push to a process without http", pushed("http://cron/tasks"), "process \"cron\" has no http = true"},
		{"push to a process by https", pushed("https://web/tasks"), "write http://web/tasks"},
		{"push with a password", pushed("http://u:hunter2@web:80/"), "m.toml:6:1: queue.q.push has a user or a password in it: take it out; an endpoint knows dayfly by PUSH_TOKEN"},
		{"push with a fragment", pushed("http://web/#hunter2"), "has a # in it"},
		{"push that is no address", pushed("web/hunter2"), "queue.q.push is not an address such as"},
		{"push that cannot be parsed", pushed("http://u:hunter2@[::1"), "queue.q.push is not an address such as"},
		{"push by another scheme", pushed("ftp://web/hunter2"), "queue.q.push is not an address such as"},
		{"push to no port", pushed("http://web:/tasks"), "without a port"},
		{"push to port 0", pushed("http://web:0/"), "has the port \"0\""},
		{"push to IPv6 without a port", pushed("http://[::1]/"), "names the host \"[::1]\" without a port"},
		{"push to nowhere", pushed(""), "m.toml:6:1: queue.q.push is empty"},
		{"push concurrency", pushed("http://web/\"\npush_concurrency = 0\npush_timeout = \"13h"), "m.toml:7:1: queue.q.push_concurrency is 0; it must be between 1 and 1000"},
		{"push timeout", pushed("http://web/\"\npush_timeout = \"13h"), "m.toml:7:1: queue.q.push_timeout is 13h; it must be between 1s and 12h"},
		{"once", pushed("http://web/\"\nonce = \"exactly-once"), "m.toml:7:1: queue.q.once is \"exactly-once\"; it is \"at-most-once\" or \"at-least-once\""},
		{"push options without push", "name = \"a\"\n[queue.q]\npush_timeout = \"1m\"\n", "m.toml:3:1: queue.q.push_timeout is of no use without push"},
		{"misspelt push option", "name = \"a\"\n[queue.q]\npush_timout = \"1m\"\n", "did you mean \"push_timeout\"?"},
		{"outbox's queue", "name = \"a\"\n[queue.default]\n[database.default]\noutbox = \"defualt\"\n", "m.toml:4:1: there is no [queue.defualt]; did you mean \"default\"?"},
		{"outbox without a queue", "name = \"a\"\n[database.default]\noutbox = \"default\"\n", "there is no [queue.default] for the outbox of database \"default\": add it"},
		{"outbox that is no name", "name = \"a\"\n[database.default]\noutbox = true\n", "database.default.outbox must be text in quotes"},
		{"outbox, empty", "name = \"a\"\n[queue.default]\n[database.default]\noutbox = \"\"\n", "there is no [queue.]"},
		{"time zone", "name = \"a\"\n[queue.default]\n[schedule.s]\nevery = \"1m\"\ntask = \"t\"\ntimezone = \"Europe/Sofja\"\n", "is not a time zone"},
		{"cron and every", "name = \"a\"\n[queue.default]\n[schedule.s]\nevery = \"1m\"\ncron = \"* * * * *\"\ntask = \"t\"\n", "needs either cron"},
		{"not TOML", "name = \"a\"\n[process.web\n", "m.toml:2:"},
		{"cron", "name = \"a\"\n[queue.default]\n[schedule.s]\ncron = \"61 * * * *\"\ntask = \"t\"\n", "m.toml:4:1: schedule s: "},
		{"utm", "name = \"a\"\n[edge.click.d]\nutm = { source = \"e mail\", medium = \"m\", campaign = \"c\" }\n", "m.toml:3:9: edge.click.d.utm.source is"},
		{"two with http", "name = \"a\"\n[process.a]\ncommand=\"x\"\nhttp=true\n[process.b]\ncommand=\"x\"\nhttp=true\n", "two processes have http = true"},
		{"static outside", "name = \"a\"\n[static]\ndir = \"../up\"\n", "below the manifest's own"},
		{"twice the same key", "name = \"a\"\nname = \"b\"\n", "m.toml:2:"},
		{"PORT", "name = \"a\"\n[env]\nPORT = \"1\"\n", "PORT is each instance's own"},
		{"records relative", "name = \"a\"\n[records]\nurl = \"sqlite:///records.db\"\n", "m.toml:3:1: records.url takes an absolute path"},
		{"records elsewhere", "name = \"a\"\n[records]\nurl = \"redis://localhost\"\n", "m.toml:3:1: records.url must be \"sqlite\", or begin with"},
		{"records with a secret", "name = \"a\"\n[records]\nurl = \"postgres://u:hunter2@[::1\"\n", "not an address such as postgres://"},
		{"records in no bucket", "name = \"a\"\n[records]\nurl = \"s3:///prefix\"\n", "names no bucket or table"},
		{"records, mistyped", "name = \"a\"\n[records]\nurk = \"sqlite\"\n", "did you mean \"url\""},
		{"database with a secret", "name = \"a\"\n[database.default]\nurl = \"postgres://u:hunter2@[::1\"\n", "not an address such as postgres://"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("m.toml", []byte(tt.text))
			if err == nil {
				t.Fatal("accepted")
			}
			first, _, _ := strings.Cut(err.Error(), "\n    ")
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
			if strings.Contains(first, "hunter2") {
				t.Errorf("the message repeats a secret: %s", first)
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("not an *Error: %T", err)
			}
		})
	}
}

func TestReadBoundsTheFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); !errors.Is(err, ErrNotFound) {
		t.Errorf("empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileName), make([]byte, 50<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "at most 1 MiB") {
		t.Errorf("50 MiB: %v", err)
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "4d": 96 * time.Hour, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "-1s", "d", "1d-1s", "99999d", "1x"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q accepted as %s", text, got)
		}
	}
	for text, want := range map[string]Size{"64MiB": 64 << 20, "500kB": 500_000, "1 GiB": 1 << 30, "7B": 7} {
		var z Size
		if err := z.UnmarshalText([]byte(text)); err != nil || z != want {
			t.Errorf("%q: %d, %v", text, z, err)
		}
	}
	for _, text := range []string{"64", "-1MiB", "99999999999GiB", "MiB"} {
		var z Size
		if err := z.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q accepted as %d", text, z)
		}
	}
}

func TestDurationsReadAsWritten(t *testing.T) {
	for _, text := range []string{"90s", "2m", "1h", "1h30m", "45m", "1h0m1s", "4d", "250ms", "0s"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := d.String(); got != text && !(text == "90s" && got == "1m30s") {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("name = \"a\"\n[process.web]\ncommand = \"x\"\ninstances = { min = 5, max = 2 }\n")
	f.Add(limited("limit = { rate = \"10/s\", per.tenant.concurrency = 1, task.t.per.type = { rate = \"1/10s\", burst = 2 } }\n"))
	f.Add("a.b.\"c\".d = [ { x = 1 } ]\n[[z]]\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse("m.toml", []byte(text))
		if (m == nil) == (err == nil) {
			t.Fatal("neither a manifest nor an error")
		}
	})
}

func TestSizesReadAsWritten(t *testing.T) {
	for _, text := range []string{"64MiB", "1GiB", "1TiB", "1536KiB", "1000B", "0B"} {
		var z Size
		if err := z.UnmarshalText([]byte(text)); err != nil || z.String() != text {
			t.Errorf("%s is shown as %s (%v)", text, z, err)
		}
	}
}
