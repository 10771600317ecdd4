package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/publish"
)

const (
	releasesPrefix = "releases/"    // of all keys in the bucket
	publishFile    = "publish.json" // doc/formats/data-folder.md

	previewValid  = 72 * time.Hour // of a preview's address, unless it is said
	previewMost   = 90 * 24 * time.Hour
	warmTime      = 10 * time.Minute // for a release on this machine
	othersTime    = 15 * time.Second // for the other machines to follow
	othersEvery   = 250 * time.Millisecond
	maxPublishing = 1000 // bytes of a note
)

var errNoPublish = errors.New("this application does not publish: add an empty table [publish] to dayfly.toml and start it again")

// publishing has the edge answer from releases, if the manifest wants it.
func (a *App) publishing(ctx context.Context, o *edge.Options) error {
	m := a.manifest
	if m.Publish == nil {
		return nil
	}
	name := manifest.PublishBucket
	if a.buckets.server != nil {
		if err := a.buckets.server.MakeBucket(ctx, name, s3server.BucketOptions{}); err != nil {
			return err
		}
	} else {
		name = a.external.bucket(m, name)
		if err := a.buckets.makeElsewhere(ctx, name); err != nil {
			return fmt.Errorf("the bucket of [publish]: %w", err)
		}
	}
	bucket, err := blob.Open(ctx, name, &blob.Options{Client: a.buckets.client})
	if err != nil {
		return err
	}
	a.onStop("releases", func(context.Context) error { return bucket.Close() })
	options := publish.Options{Bucket: bucket, Prefix: releasesPrefix, Records: a.records, Keep: m.Publish.Keep, Log: a.log}
	if a.releases, err = publish.New(options); err != nil {
		return err
	}
	own, err := publish.New(options) // it counts what the edge reads, and nobody else
	if err != nil {
		return err
	}
	o.Publish = &edge.Publishing{Store: own, Name: a.edgeName(), File: a.data.path(publishFile), Memory: int64(m.Publish.Memory)}
	return nil
}

// edgeName tells the edges of an application apart for people.
func (a *App) edgeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "edge"
	}
	sum := sha256.Sum256([]byte(a.data.dir))
	return host + "-" + hex.EncodeToString(sum[:2])
}

// step tells what is done: pieces of total, 0 for none.
type step func(text string, done, total int)

// Stage makes a release, and has every machine load it.
func (a *App) Stage(ctx context.Context, want control.Stage, tell step) (control.Staged, error) {
	if a.releases == nil {
		return control.Staged{}, errNoPublish
	}
	valid, err := validity(want.Valid)
	if err != nil {
		return control.Staged{}, err
	}
	if len(want.Note) > maxPublishing || len(want.From) > maxPublishing {
		return control.Staged{}, fmt.Errorf("a note has at most %d bytes", maxPublishing)
	}
	site, err := url.Parse(a.variables.get("SITE_URL"))
	if err != nil || site.Host == "" {
		return control.Staged{}, fmt.Errorf("SITE_URL %q is no address of a site", a.variables.get("SITE_URL"))
	}
	var done control.Staged
	source, doing := a.source(site, want, &done), "reading"
	if want.Dir == "" {
		doing = "asking for"
	}
	known := len(want.Addresses)
	done.Staged, err = a.releases.Stage(ctx, publish.Staging{From: want.From, By: want.By, Note: want.Note, Source: source, Add: want.Add, Remove: want.Remove,
		Progress: func(pages int) { tell(doing, pages, known) }})
	if err != nil {
		return done, err
	}
	a.log.Info("release staged", "release", done.ID, "pages", done.Pages, "uploaded", done.Uploaded, "by", want.By)
	if err := a.stagedPages(ctx, &done); err != nil {
		return done, err
	}
	if err := a.warm(ctx, done.ID, tell); err != nil {
		return done, fmt.Errorf("%s is staged, but this machine cannot load it: %w", done.ID, err)
	}
	if done.Preview, err = a.preview(ctx, done.ID, valid); err != nil {
		return done, err
	}
	if done.Edges, err = a.followed(ctx, tell, func(e control.Edge) bool { return slices.Contains(e.Warm, done.ID) }); err != nil {
		return done, err
	}
	done.Swept = a.sweepReleases(ctx)
	return done, nil
}

// source is what a release is to be made of.
func (a *App) source(site *url.URL, want control.Stage, done *control.Staged) publish.Source {
	if want.Dir != "" {
		return publish.Folder(want.Dir, publish.FolderOptions{Type: edge.ContentType, Cache: cacheRules(want.Cache),
			Left: func(name string) { done.Left = append(done.Left, name) }})
	}
	o := publish.CaptureOptions{Site: site, Redirects: want.Redirects,
		Ask: func(ctx context.Context, target string) (*publish.Answer, error) {
			return a.edge.Capture(ctx, site, target)
		}}
	for _, x := range a.addresses {
		if u, err := url.Parse(x.URL); err == nil && strings.HasPrefix(x.Name, "Site") {
			o.Names = append(o.Names, u.Host)
		}
	}
	if host := a.manifest.Edge.Host; host != "" {
		o.Names = append(o.Names, host)
	}
	return publish.Captured(want.Addresses, o)
}

func cacheRules(rules []control.CacheRule) func(string) string {
	return func(path string) string {
		for _, r := range rules {
			if strings.HasPrefix(path, r.Prefix) {
				return r.Value
			}
		}
		return ""
	}
}

// stagedPages compares a release with what is live, and finds what nobody sees.
func (a *App) stagedPages(ctx context.Context, done *control.Staged) error {
	st, err := a.releases.State(ctx)
	if err != nil {
		return err
	}
	pages, err := a.releases.Pages(ctx, done.Entry)
	if err != nil {
		return err
	}
	if done.Diff, err = a.compare(ctx, st, st.Live, pages); err != nil {
		return err
	}
	if a.manifest.Static.Dir == "" {
		return nil
	}
	for _, p := range pages {
		if strings.HasPrefix(p.Path, a.manifest.Static.Prefix) {
			done.Hidden = append(done.Hidden, p.Key())
		}
	}
	return nil
}

// compare says what pages are otherwise than those of a release, "" for none.
func (a *App) compare(ctx context.Context, st *publish.State, id string, pages []publish.Page) (publish.Diff, error) {
	var before []publish.Page
	if e, ok := st.Find(id); ok {
		var err error
		if before, err = a.releases.Pages(ctx, e); err != nil {
			return publish.Diff{}, err
		}
	}
	return publish.Compare(before, pages), nil
}

// warm has this machine load a release.
func (a *App) warm(ctx context.Context, id string, tell step) error {
	ctx, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	return a.edge.PublishWarm(ctx, id, func(done, total int) { tell("warming", done, total) })
}

// sweepReleases deletes what no release names any more.
func (a *App) sweepReleases(ctx context.Context) int {
	n, err := a.releases.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("contents of old releases are not deleted; tried again with the next stage", "error", err)
	}
	return n
}

func validity(d time.Duration) (time.Duration, error) {
	d = cmp.Or(d, previewValid)
	if d < time.Minute || d > previewMost {
		return 0, fmt.Errorf("a preview is valid for 1m to %d days", previewMost/(24*time.Hour))
	}
	return d, nil
}

// preview makes an address for a release.
func (a *App) preview(ctx context.Context, id string, valid time.Duration) (control.Preview, error) {
	st, err := a.releases.State(ctx)
	if err != nil {
		return control.Preview{}, err
	}
	until := time.Now().Add(valid).UTC().Truncate(time.Second)
	return control.Preview{Release: id, Until: until,
		URL: a.siteURL() + edge.PreviewAddress(st, id, until)}, nil
}
