package jobs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/advisory"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/jobs"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/registrytest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watchtest"
	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/task"
)

const gomodText = "module example.com/app\n\ngo 1.26\n\nrequire (\n\tgolang.org/x/mod v0.30.0\n\texample.com/quiet v1.0.0 // indirect\n\texample.com/private v1.0.0\n)\n\nreplace example.com/private => ../private\n"

func sample(t *testing.T) []registrytest.Package {
	t.Helper()
	list, err := registrytest.GoModules([]byte(gomodText))
	if err != nil {
		t.Fatal(err)
	}
	return append(list, registrytest.Sample()...)
}

func enqueue[A any](t *testing.T, a *watchtest.App, what *task.Task[A], args A) {
	t.Helper()
	if _, err := what.Enqueue(t.Context(), a.Client, args); err != nil {
		t.Fatal(err)
	}
}

func TestFromFileToDigest(t *testing.T) {
	t.Parallel()
	a := watchtest.New(t, sample(t)...)
	enqueue(t, a, a.Import, jobs.ImportArgs{Name: "go.mod", Content: gomodText})
	enqueue(t, a, a.Import, jobs.ImportArgs{Name: "shop/package.json", Content: `{"dependencies":{"@sample/paint":"1.2.0","is-odd":"^3.0.0"}}`})
	enqueue(t, a, a.Import, jobs.ImportArgs{Name: "shop/requirements.txt", Content: "requests==2.31.0\nidna==3.9\n"})
	for _, r := range a.Work(t) {
		if r.Outcome != task.Done {
			t.Errorf("%s: %s, %v", r.Run.Task, r.Outcome, r.Err)
		}
	}
	want := []string{
		"go/golang.org/x/mod/v0.30.0..v0.31.0.json", "npm/@sample/paint/1.2.0..2.0.0.json", "npm/is-odd/3.0.0..3.0.1.json",
		"pypi/idna/3.9..3.10.json", "pypi/requests/2.31.0..2.32.0.json",
	}
	if diff := cmp.Diff(want, watchtest.Objects(t, a.Bucket)); diff != "" {
		t.Errorf("advisories (-want +got):\n%s", diff)
	}
	if n := a.Registry.Asked("/go/example.com/private/@v/list"); n != 0 {
		t.Errorf("the proxy was told the name of a replaced module %d times", n)
	}
	attr, err := a.Bucket.Attributes(t.Context(), want[0])
	if err != nil || attr.ContentType != "application/json" || attr.CacheControl != advisory.CacheControl {
		t.Errorf("attributes %+v, %v", attr, err)
	}
	paint := read(t, a, want[1])
	for _, says := range []string{"postinstall: node setup.js", "bin/paint", "from MIT to BUSL-1.1", "new dependency: is-odd", "new major version"} {
		if !strings.Contains(findings(paint), says) {
			t.Errorf("the advisory does not say %q:\n%s", says, findings(paint))
		}
	}
	mod := read(t, a, want[0])
	if diff := cmp.Diff([]string{"func Old() int"}, mod.API.Removed); diff != "" || mod.News == nil {
		t.Errorf("API (-want +got):\n%s", diff)
	}

	enqueue(t, a, a.DailyDigest, jobs.DigestArgs{Day: "2026-11-21"})
	enqueue(t, a, a.DailyDigest, jobs.DigestArgs{Day: "2026-11-21"})
	a.Work(t)
	if len(a.Outbox.Mail) != 1 {
		t.Fatalf("%d mails for one day, want 1", len(a.Outbox.Mail))
	}
	m := a.Outbox.Mail[0]
	if m.To[0] != "team@example.com" || !strings.Contains(m.Text, watchtest.SiteURL+"/daily/?/updates/npm/@sample/paint/1.2.0/2.0.0/\n") || m.HTML != "" {
		t.Errorf("%+v", m)
	}
	enqueue(t, a, a.DailyDigest, jobs.DigestArgs{Day: "2026-11-22"})
	a.Work(t)
	if len(a.Outbox.Mail) != 1 {
		t.Errorf("nothing was new, and a mail was sent:\n%s", a.Outbox.Mail[1].Text)
	}
}

func read(t *testing.T, a *watchtest.App, key string) *advisory.Advisory {
	t.Helper()
	data, err := a.Bucket.ReadAll(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	adv, err := advisory.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return adv
}

func findings(a *advisory.Advisory) string {
	var list []string
	for _, f := range a.Findings {
		list = append(list, string(f.Level)+": "+f.Text)
	}
	return strings.Join(list, "\n")
}

// TestTwiceIsOnce runs every task twice and compares what is there afterwards.
func TestTwiceIsOnce(t *testing.T) {
	t.Parallel()
	a := watchtest.New(t, sample(t)...)
	state := func() string {
		t.Helper()
		enqueue(t, a, a.Import, jobs.ImportArgs{Name: "go.mod", Content: gomodText})
		enqueue(t, a, a.CheckPackages, jobs.CheckPackagesArgs{})
		a.Work(t)
		mod := jobs.PackageArg{Ecosystem: watch.Go, Name: "golang.org/x/mod"}
		enqueue(t, a, a.Advise, jobs.AdviseArgs{PackageArg: mod, From: "v0.30.0", To: "v0.31.0", Again: true})
		a.Work(t)
		data, err := a.Bucket.ReadAll(t.Context(), "go/golang.org/x/mod/v0.30.0..v0.31.0.json")
		if err != nil {
			t.Fatal(err)
		}
		updates, err := a.DB.Recent(t.Context(), 10)
		if err != nil || len(updates) != 1 || updates[0].Status != store.Ready {
			t.Fatalf("%+v, %v", updates, err)
		}
		return string(data)
	}
	first := state()
	if diff := cmp.Diff(first, state()); diff != "" {
		t.Errorf("the second run wrote something else:\n%s", diff)
	}
	zip := "/go/golang.org/x/mod/@v/v0.31.0.zip"
	before := a.Registry.Asked(zip)
	enqueue(t, a, a.Advise, jobs.AdviseArgs{PackageArg: jobs.PackageArg{Ecosystem: watch.Go, Name: "golang.org/x/mod"}, From: "v0.30.0", To: "v0.31.0"})
	a.Work(t)
	if n := a.Registry.Asked(zip) - before; n != 0 {
		t.Errorf("an advisory that is there was made again: %d downloads", n)
	}
}

func TestRegistryDownIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	a := watchtest.New(t, sample(t)...)
	a.Registry.Down(watch.Go, 503)
	enqueue(t, a, a.Import, jobs.ImportArgs{Name: "go.mod", Content: "module m\n\nrequire golang.org/x/mod v0.30.0\n"})
	runs := map[task.Outcome]int{}
	for _, r := range a.Work(t) {
		if r.Run.Task == "check_package" {
			runs[r.Outcome]++
		}
	}
	if runs[task.Retried] != 4 || runs[task.Dead] != 1 {
		t.Errorf("runs %v, want 4 retried and then dead", runs)
	}
	id := watch.ID{Ecosystem: watch.Go, Name: "golang.org/x/mod"}
	p, err := a.DB.Package(t.Context(), id)
	if err != nil || p.Status != "unreachable" || !strings.Contains(p.Message, "HTTP 503") {
		t.Errorf("%+v, %v", p, err)
	}
	a.Registry.Down(watch.Go, 0)
	enqueue(t, a, a.CheckPackages, jobs.CheckPackagesArgs{})
	a.Work(t)
	if p, err = a.DB.Package(t.Context(), id); err != nil || p.Status != store.OK || p.Latest != "v0.31.0" {
		t.Errorf("when it is back: %+v, %v", p, err)
	}
}

func TestMissingPackageIsToldOnce(t *testing.T) {
	t.Parallel()
	a := watchtest.New(t)
	enqueue(t, a, a.Import, jobs.ImportArgs{Name: "package.json", Content: `{"name":"x","dependencies":{"no-such-package":"1.0.0"}}`})
	for _, r := range a.Work(t) {
		if r.Outcome != task.Done {
			t.Errorf("%s: %s, %v; a package that is not there is an answer", r.Run.Task, r.Outcome, r.Err)
		}
	}
	p, err := a.DB.Package(t.Context(), watch.ID{Ecosystem: watch.NPM, Name: "no-such-package"})
	if err != nil || p.Status != "missing" || !strings.Contains(p.Message, "no-such-package: not found at http://127.0.0.1") {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestRefusedArchiveIsAnAdvisory(t *testing.T) {
	t.Parallel()
	evil := registrytest.Package{ID: watch.ID{Ecosystem: watch.NPM, Name: "evil"}, Versions: []registrytest.Version{
		{Version: "1.0.0", Files: map[string]string{"package.json": "{}"}},
		{Version: "1.0.1", Raw: registrytest.TarGz("package/", map[string]string{"../../../etc/cron.d/x": "boom"})},
	}}
	a := watchtest.New(t, evil)
	enqueue(t, a, a.Import, jobs.ImportArgs{Name: "package.json", Content: `{"name":"x","dependencies":{"evil":"1.0.0"}}`})
	a.Work(t)
	u, err := a.DB.Update(t.Context(), evil.ID, "1.0.0", "1.0.1")
	if err != nil || u.Status != store.Refused || !strings.Contains(u.Message, `leads outside`) {
		t.Fatalf("%+v, %v", u, err)
	}
	if adv := read(t, a, u.Summary.Key); adv.Findings[0].Level != advisory.Alarm || len(u.Summary.Alarms) != 1 {
		t.Errorf("%+v", adv)
	}
}

func TestBadFilesAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	a := watchtest.New(t)
	big := filepath.Join(t.TempDir(), "go.mod")
	if err := errors.Join(os.WriteFile(big, nil, 0o600), os.Truncate(big, 50<<20)); err != nil {
		t.Fatal(err)
	}
	enqueue(t, a, a.Import, jobs.ImportArgs{Name: "go.mod", Content: "module x\n\nrequire banana\n"})
	enqueue(t, a, a.Import, jobs.ImportArgs{File: big})
	enqueue(t, a, a.Import, jobs.ImportArgs{Name: "Gemfile", Content: "x"})
	enqueue(t, a, a.DailyDigest, jobs.DigestArgs{Day: "tomorrow"})
	for _, r := range a.Work(t) {
		if r.Outcome != task.Dead || r.Run.Attempt != 1 {
			t.Errorf("%s: %s at attempt %d, want dead at once: %v", r.Run.Task, r.Outcome, r.Run.Attempt, r.Err)
		}
	}
	if empty, err := a.DB.Empty(t.Context()); !empty || err != nil {
		t.Errorf("something was imported: %v", err)
	}
}

func TestFirstStart(t *testing.T) {
	t.Parallel()
	a := watchtest.New(t, sample(t)...)
	dir := t.TempDir()
	deep := filepath.Join(dir, "examples", "x")
	if err := errors.Join(os.MkdirAll(deep, 0o755), os.WriteFile(filepath.Join(dir, "go.mod"), []byte(gomodText), 0o600)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // two workers at once
		if err := a.First(t.Context(), deep, ""); err != nil {
			t.Fatal(err)
		}
	}
	a.Work(t)
	projects, err := a.DB.Projects(t.Context())
	if err != nil || len(projects) != 1 || projects[0].Name != "example.com/app" {
		t.Errorf("%+v, %v", projects, err)
	}
	if len(a.Outbox.Mail) != 1 || !strings.Contains(a.Outbox.Mail[0].Text, "golang.org/x/mod v0.30.0 -> v0.31.0") {
		t.Errorf("the first digest: %d mails", len(a.Outbox.Mail))
	}
	if err := a.First(t.Context(), deep, ""); err != nil {
		t.Fatal(err)
	}
	if d, err := a.Queue.Describe(t.Context()); err != nil || d.Visible+d.Delayed != 0 {
		t.Errorf("the second start imported again: %+v, %v", d, err)
	}
}

func TestDigestThatFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		err   error
		mails int
	}{
		{"refused, so sent by the next try", &mail.SendError{Temporary: true, Err: errors.New("451 later")}, 1},
		{"not known, so not again", &mail.SendError{Unknown: true, Err: errors.New("connection lost")}, 0},
	} {
		a := watchtest.New(t, sample(t)...)
		enqueue(t, a, a.Import, jobs.ImportArgs{Name: "go.mod", Content: gomodText})
		a.Work(t)
		a.Outbox.Err = tt.err
		enqueue(t, a, a.DailyDigest, jobs.DigestArgs{Day: "2026-11-21"})
		a.Work(t)
		if len(a.Outbox.Mail) != tt.mails {
			t.Errorf("%s: %d mails, want %d", tt.name, len(a.Outbox.Mail), tt.mails)
		}
		enqueue(t, a, a.DailyDigest, jobs.DigestArgs{Day: "2026-11-22"})
		a.Work(t)
		if len(a.Outbox.Mail) != 1 {
			t.Errorf("%s: %d mails after the next day, want the updates told once", tt.name, len(a.Outbox.Mail))
		}
	}
}
