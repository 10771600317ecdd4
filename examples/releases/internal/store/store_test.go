package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// each runs a test over every kind of database; address gives a new, empty one.
func each(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite://"+filepath.Join(t.TempDir(), "db", "releases.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresDatabase(t)) })
	t.Run("mariadb", func(t *testing.T) { test(t, mariadbDatabase(t)) })
}

func open(t *testing.T, address string) *store.DB {
	t.Helper()
	d, err := store.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

var (
	at    = time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC)
	lower = watch.ID{Ecosystem: watch.Go, Name: "example.com/toml"}
	upper = watch.ID{Ecosystem: watch.Go, Name: "example.com/TOML"}
)

func manifestOf(file string, list ...watch.Requirement) *watch.Manifest {
	return &watch.Manifest{File: file, Requirements: list}
}

func TestSeveralProcessesStartAtOnce(t *testing.T) {
	each(t, func(t *testing.T, address string) {
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			wg.Go(func() {
				d, err := store.Open(t.Context(), address)
				if err == nil {
					err = d.Import(t.Context(), "app", manifestOf("go.mod", watch.Requirement{ID: lower, Version: "v1"}), at)
					err = errors.Join(err, d.Prove(t.Context()), d.Close())
				}
				errs[i] = err
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		list, err := open(t, address).Projects(t.Context())
		if err != nil || len(list) != 1 || list[0].Files[0].Packages != 1 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestImportReplaces(t *testing.T) {
	each(t, func(t *testing.T, address string) {
		d, ctx := open(t, address), t.Context()
		if empty, err := d.Empty(ctx); !empty || err != nil {
			t.Fatalf("a new database: %v, %v", empty, err)
		}
		m := manifestOf("go.mod", watch.Requirement{ID: lower, Version: "v1", Direct: true, Line: 3}, watch.Requirement{ID: upper, Version: "v2"},
			watch.Requirement{ID: lower, Version: "v1"}, watch.Requirement{ID: watch.ID{Ecosystem: watch.Go, Name: "example.com/local"}, Elsewhere: true})
		m.Notes = []string{"a note"}
		for range 2 {
			if err := d.Import(ctx, "app", m, at); err != nil {
				t.Fatal(err)
			}
		}
		ids, err := d.Watched(ctx, "app")
		if diff := cmp.Diff([]watch.ID{upper, lower}, ids); diff != "" || err != nil {
			t.Errorf("names differ in case: %v (-want +got):\n%s", err, diff)
		}
		projects, err := d.Projects(ctx)
		want := []store.Project{{Name: "app", Imported: at, Files: []store.ProjectFile{{Name: "go.mod", Imported: at, Packages: 3, Notes: []string{"a note"}}}}}
		if diff := cmp.Diff(want, projects); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if err := d.Import(ctx, "app", manifestOf("go.mod", watch.Requirement{ID: lower, Version: "v3"}), at); err != nil {
			t.Fatal(err)
		}
		if v, err := d.InUse(ctx, lower); len(v) != 1 || v[0] != "v3" || err != nil {
			t.Errorf("in use: %v, %v", v, err)
		}
		if err := d.DeleteProject(ctx, "app"); err != nil {
			t.Fatal(err)
		}
		if empty, err := d.Empty(ctx); !empty || err != nil {
			t.Errorf("after deleting: %v, %v", empty, err)
		}
	})
}

func TestLargeImport(t *testing.T) {
	each(t, func(t *testing.T, address string) {
		d, m := open(t, address), manifestOf("package-lock.json")
		for i := range 2000 {
			m.Requirements = append(m.Requirements, watch.Requirement{ID: watch.ID{Ecosystem: watch.NPM, Name: fmt.Sprint("p", i)}, Version: "1.0.0", Note: "naïve ⚠"})
		}
		if err := d.Import(t.Context(), "shop", m, at); err != nil {
			t.Fatal(err)
		}
		lines, err := d.Lines(t.Context(), "shop")
		if err != nil || len(lines) != 2000 || lines[7].Note != "naïve ⚠" {
			t.Errorf("%d lines, %v", len(lines), err)
		}
	})
}

func TestLockFileCounts(t *testing.T) {
	each(t, func(t *testing.T, address string) {
		d, ctx := open(t, address), t.Context()
		a, b := watch.ID{Ecosystem: watch.NPM, Name: "a"}, watch.ID{Ecosystem: watch.NPM, Name: "b"}
		err := errors.Join(
			d.Import(ctx, "shop", manifestOf("package.json", watch.Requirement{ID: a, Version: "1.0.0", Range: "^1"}, watch.Requirement{ID: b, Version: "2.0.0", Range: "^2"}), at),
			d.Import(ctx, "shop", manifestOf("package-lock.json", watch.Requirement{ID: a, Version: "1.7.0"}), at),
			d.Import(ctx, "other", manifestOf("package.json", watch.Requirement{ID: a, Version: "1.1.0", Range: "^1"}), at),
		)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := d.InUse(ctx, a); fmt.Sprint(v) != "[1.1.0 1.7.0]" || err != nil {
			t.Errorf("a is used in %v, %v", v, err)
		}
		if v, err := d.InUse(ctx, b); fmt.Sprint(v) != "[2.0.0]" || err != nil {
			t.Errorf("b is used in %v, %v", v, err)
		}
	})
}

func TestUpdatesKeepWhatBecameOfThem(t *testing.T) {
	each(t, func(t *testing.T, address string) {
		d, ctx := open(t, address), t.Context()
		listing := &watch.Listing{Latest: "v2", Registry: "https://proxy.example", Successor: &watch.Successor{Name: "n", Version: "v3"},
			Releases: []watch.Release{{Version: "v1"}, {Version: "v1.5", Withdrawn: "retracted: x"}, {Version: "v2", Published: at}}}
		err := errors.Join(
			d.Import(ctx, "app", manifestOf("go.mod", watch.Requirement{ID: lower, Version: "v1"}), at),
			d.SaveListing(ctx, lower, listing, at), d.SaveListing(ctx, lower, listing, at),
			d.SaveProblem(ctx, lower, watch.Unreachable, "no answer", at.Add(time.Minute)),
			d.SaveProblem(ctx, upper, watch.Missing, "not there", at),
		)
		if err != nil {
			t.Fatal(err)
		}
		p, err := d.Package(ctx, lower)
		want := &store.Package{ID: lower, Status: "unreachable", Message: "no answer", Latest: "v2", Published: at, Registry: "https://proxy.example",
			Successor: listing.Successor, Checked: at.Add(time.Minute)}
		if diff := cmp.Diff(want, p); diff != "" || err != nil {
			t.Errorf("a problem does not wipe what was known: %v (-want +got):\n%s", err, diff)
		}
		versions, err := d.Versions(ctx, lower)
		if len(versions) != 3 || versions[0].Version != "v2" || versions[1].Withdrawn == "" || err != nil {
			t.Errorf("versions %+v, %v", versions, err)
		}
		offer := []store.Offer{{From: "v1", To: "v2", Step: "major", Behind: 2}}
		waiting, err := d.SaveOffers(ctx, lower, offer, at)
		if diff := cmp.Diff(offer, waiting); diff != "" || err != nil {
			t.Fatalf("%v %s", err, diff)
		}
		if packages, updates, err := d.Pending(ctx); packages != 0 || updates != 1 || err != nil {
			t.Errorf("pending %d, %d, %v", packages, updates, err)
		}
		s := &store.Summary{Key: "k", Alarms: []string{"a"}, Added: 3}
		if err := d.SaveAdvised(ctx, lower, "v1", "v2", store.Ready, "", s, at); err != nil {
			t.Fatal(err)
		}
		if waiting, err = d.SaveOffers(ctx, lower, offer, at.Add(time.Hour)); len(waiting) != 0 || err != nil {
			t.Errorf("compared, and waiting again: %v, %v", waiting, err)
		}
		u, err := d.Update(ctx, lower, "v1", "v2")
		if err != nil || !u.Found.Equal(at) || !u.Standing || cmp.Diff(s, u.Summary) != "" {
			t.Errorf("%+v, %v", u, err)
		}
		lines, err := d.Lines(ctx, "")
		if err != nil || len(lines) != 1 || lines[0].Update == nil || lines[0].Package == nil {
			t.Errorf("%+v, %v", lines, err)
		}
		if recent, err := d.Recent(ctx, 10); len(recent) != 1 || err != nil {
			t.Errorf("recent %v, %v", recent, err)
		}
		if _, err = d.SaveOffers(ctx, lower, nil, at); err != nil {
			t.Fatal(err)
		}
		if u, err = d.Update(ctx, lower, "v1", "v2"); err != nil || u.Standing {
			t.Errorf("overtaken: %+v, %v", u, err)
		}
		if _, err := d.Update(ctx, lower, "v1", "v9"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no such update: %v", err)
		}
	})
}

func TestDigestIsClaimedOnce(t *testing.T) {
	each(t, func(t *testing.T, address string) {
		d, ctx := open(t, address), t.Context()
		var wg sync.WaitGroup
		mine := make([]bool, 10)
		errs := make([]error, 10)
		for i := range mine {
			wg.Go(func() { mine[i], errs[i] = d.ClaimDigest(ctx, "2026-11-21", "a@example.com", at) })
		}
		wg.Wait()
		n := 0
		for _, m := range mine {
			if m {
				n++
			}
		}
		if err := errors.Join(errs...); n != 1 || err != nil {
			t.Fatalf("%d claims of one day, %v", n, err)
		}
		if covered, err := d.CoveredTo(ctx, "a@example.com"); !covered.IsZero() || err != nil {
			t.Errorf("covered before it was sent: %v, %v", covered, err)
		}
		if err := d.ReleaseDigest(ctx, "2026-11-21", "a@example.com"); err != nil {
			t.Fatal(err)
		}
		again, err := d.ClaimDigest(ctx, "2026-11-21", "a@example.com", at)
		if !again || err != nil {
			t.Fatalf("after a release: %v, %v", again, err)
		}
		if err := d.SettleDigest(ctx, "2026-11-21", "a@example.com", store.Sent, 3, at); err != nil {
			t.Fatal(err)
		}
		if err := d.ReleaseDigest(ctx, "2026-11-21", "a@example.com"); err != nil {
			t.Fatal(err)
		}
		covered, err := d.CoveredTo(ctx, "a@example.com")
		last, lastErr := d.LastDigest(ctx)
		if !covered.Equal(at) || errors.Join(err, lastErr) != nil || last.Status != store.Sent || last.Updates != 3 {
			t.Errorf("covered %v, last %+v, %v", covered, last, errors.Join(err, lastErr))
		}
	})
}

func TestBadAddresses(t *testing.T) {
	for _, a := range []string{"", "oracle://x", "sqlite://", "postgres://u:hunter2@[x", "mysql://u:hunter2@%zz/"} {
		_, err := store.Open(context.Background(), a)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", a, err)
		}
	}
}
