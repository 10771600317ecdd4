package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/versions/archive"
)

// staticPrefix is where versions are in their bucket.
const staticPrefix = "static/"

// static has the edge serve the manifest's folder, and tells the processes where
// the addresses are found.
func (a *App) static(ctx context.Context, o *edge.Options) error {
	m := a.manifest
	if m.Static.Dir == "" {
		return nil
	}
	file := a.data.path("static.json")
	o.Static = edge.Static{Dir: filepath.Join(m.Dir, m.Static.Dir), Prefix: m.Static.Prefix, ManifestFile: file}
	a.variables.set("STATIC_MANIFEST", file)
	if m.Static.Keep == 0 {
		return nil
	}
	name := manifest.StaticBucket
	if a.buckets.server != nil {
		if err := a.buckets.server.MakeBucket(ctx, name, s3server.BucketOptions{}); err != nil {
			return err
		}
	} else {
		name = a.external.bucket(m, name)
		if err := a.buckets.makeElsewhere(ctx, name); err != nil {
			// The site works without; what cannot be kept the edge tells, too.
			a.log.Warn("the bucket for old versions of static files cannot be made; make it, or set [static] keep = \"0s\"", "error", err)
		}
	}
	bucket, err := blob.Open(ctx, name, &blob.Options{Client: a.buckets.client})
	if err != nil {
		return err
	}
	a.onStop("static versions", func(context.Context) error { return bucket.Close() })
	o.Static.Archive = archive.New(bucket, staticPrefix, time.Duration(m.Static.Keep))
	return nil
}
