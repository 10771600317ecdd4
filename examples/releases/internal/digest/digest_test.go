package digest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/digest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

func line(project string, id watch.ID, direct bool, u *store.Update) store.Line {
	if u != nil {
		u.ID = id
	}
	return store.Line{Project: project, Requirement: watch.Requirement{ID: id, Direct: direct}, Update: u}
}

func TestCompose(t *testing.T) {
	before, after := time.Unix(1000, 0), time.Unix(2000, 0)
	paint := watch.ID{Ecosystem: watch.NPM, Name: "@sample/paint"}
	mod := watch.ID{Ecosystem: watch.Go, Name: "golang.org/x/mod"}
	in := digest.Input{Day: "2026-11-21", SiteURL: "https://www.example.com", Since: before, Lines: []store.Line{
		line("app", mod, false, &store.Update{From: "v0.1.0", To: "v0.2.0", Step: "minor", Behind: 1, Status: store.Ready, Advised: after,
			Summary: &store.Summary{Files: 1, Added: 2, Removed: 3}}),
		line("shop", paint, true, &store.Update{From: "1.2.0", To: "2.0.0", Step: "major", Behind: 3, Status: store.Ready, Advised: after,
			Summary: &store.Summary{Files: 4, Added: 10, Removed: 2, Alarms: []string{"A script now runs when the package is installed: postinstall: node setup.js and more of it"}, Warnings: []string{"1 new dependency: is-odd"}}}),
		line("shop", watch.ID{Ecosystem: watch.PyPI, Name: "told"}, true, &store.Update{From: "1", To: "2", Status: store.Ready, Advised: before}),
		line("shop", watch.ID{Ecosystem: watch.PyPI, Name: "waiting"}, true, &store.Update{From: "1", To: "2", Status: store.Waiting}),
		line("shop", watch.ID{Ecosystem: watch.PyPI, Name: "current"}, true, nil),
	}}
	got := digest.Compose(in)
	want := digest.Mail{Updates: 2, Subject: "2 updates for your projects, 1 to look at closely", Text: `Until Saturday, 21 November 2026: 2 updates are new. In all, 4 packages have
a newer release.

app
===

golang.org/x/mod v0.1.0 -> v0.2.0
  Go, minor, indirect
  1 file differs, +2 -3 lines
  https://www.example.com/daily/?/updates/go/golang.org/x/mod/v0.1.0/v0.2.0/

shop
====

@sample/paint 1.2.0 -> 2.0.0
  npm, major, 3 releases behind
  4 files differ, +10 -2 lines
  ! A script now runs when the package is installed: postinstall: node
    setup.js and more of it
  * 1 new dependency: is-odd
  https://www.example.com/daily/?/updates/npm/@sample/paint/1.2.0/2.0.0/

-- 
All packages: https://www.example.com/daily/?/
`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for l := range strings.Lines(got.Text) {
		if n := len([]rune(strings.TrimRight(l, "\n"))); n > 77 && !strings.Contains(l, "://") {
			t.Errorf("a line of %d characters: %s", n, l)
		}
	}
	in.Since = after
	if m := digest.Compose(in); m.Updates != 0 || m.Text != "" {
		t.Errorf("nothing is new, and there is a mail: %+v", m)
	}
}

func TestUpdatePath(t *testing.T) {
	got := digest.UpdatePath(watch.ID{Ecosystem: watch.Go, Name: "example.com/a b/%2e"}, "v1+x", "v2?")
	if want := "/updates/go/example.com/a%20b/%252e/v1+x/v2%3F/"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
