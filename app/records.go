package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/records/s3records"
)

const (
	recordsPatience   = 30 * time.Second // for the store to answer at the start
	recordsSweepEvery = 10 * time.Minute
)

// startRecords opens the store in which the processes, on all machines, agree
// on what was done, tells them of it, and removes what expired in it.
func (a *App) startRecords(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	address, note, err := a.recordsURL(ctx)
	if err != nil {
		return err
	}
	if a.records, err = a.openRecords(ctx, address); err != nil {
		if note != "" {
			err = fmt.Errorf("the store of RECORDS_URL, %s: %w", note, err)
		}
		return err
	}
	a.onStop("records", func(context.Context) error { return a.records.Close() })
	run, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.keepRecordsSwept(run)
	}()
	a.onStop("records sweep", func(context.Context) error { stop(); <-ended; return nil })
	a.variables.set("RECORDS_URL", address)
	a.address("Records", redact(address), note)
	return nil
}

// recordsURL is what the environment names, else the manifest. Otherwise it is
// a file in the data folder, or, where other machines work on the same queues,
// the bucket in which dayfly processes agree.
func (a *App) recordsURL(ctx context.Context) (address, note string, err error) {
	if v := a.external.records(); v != "" {
		return v, "from the environment", nil
	}
	switch v := a.manifest.Records.URL; {
	case v != "" && v != "sqlite":
		return v, "", nil
	case v == "" && a.external.AWS:
		bucket := a.external.bucket(a.manifest, "dayfly")
		return "s3://" + bucket + "/records", "", a.buckets.makeElsewhere(ctx, bucket)
	}
	path := a.data.path("records", "records.db")
	return "sqlite:///" + path, "", os.MkdirAll(filepath.Dir(path), 0o700)
}

// openRecords asks S3 as all else here does, not as the shell's configuration
// says: unless dayfly is on AWS, a bucket is one of the embedded store.
func (a *App) openRecords(ctx context.Context, address string) (*records.Store, error) {
	u, err := url.Parse(address)
	if err == nil && u.Scheme == "dynamodb" && !a.external.AWS && !u.Query().Has("endpoint") {
		return nil, errors.New("DynamoDB is not embedded, and the processes are told of embedded services: " +
			"set DAYFLY_AWS=1 to use AWS's, or add ?endpoint=https://… to the address of the records")
	}
	if err != nil || u.Scheme != "s3" || u.Query().Has("endpoint") {
		return open.URL(ctx, address)
	}
	if q := u.Query(); !q.Has("region") {
		q.Set("region", a.buckets.client.Options().Region)
		u.RawQuery = q.Encode()
	}
	o, err := s3records.FromURL(ctx, u)
	if err != nil {
		return nil, err
	}
	o.Client = a.buckets.client
	d, err := s3records.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return records.New(d), nil
}

// keepRecordsSwept removes records that expired, now and then.
func (a *App) keepRecordsSwept(ctx context.Context) {
	t := time.NewTicker(recordsSweepEvery)
	defer t.Stop()
	for {
		a.sweepRecords(ctx)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (a *App) sweepRecords(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, recordsSweepEvery)
	defer cancel()
	all := 0
	for {
		n, err := a.records.Sweep(ctx, records.MaxList)
		all += n
		if err != nil && !errors.Is(err, context.Canceled) {
			a.log.Warn("cannot remove records that expired; tried again in "+recordsSweepEvery.String(), "error", err)
		}
		if n == 0 || err != nil {
			break
		}
	}
	if all > 0 {
		a.log.Info("removed records that expired", "records", all)
	}
}
