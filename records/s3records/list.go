package s3records

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// abreast is how many records one call reads at once.
const abreast = 16

// after is a cursor's end where all objects of the last hash are done with: it
// sorts behind them.
const after = "~"

// List implements driver.Store. The objects of a mark give the hashes; each record
// is read, and tells itself whether it has the mark, through that object and no
// other.
func (s *Store) List(ctx context.Context, mark, from string, n int) ([]driver.Record, string, error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return nil, "", err
	}
	defer cancel()
	if !goodCursor(from) {
		return nil, "", fmt.Errorf("the listing cannot go on from %.100q: pass what the listing before returned", from)
	}
	folder := s.prefix + markFolder + mark + "/"
	page, err := s.page(ctx, folder, from, n)
	if err != nil {
		return nil, "", err
	}
	read, err := s.told(ctx, page, mark)
	if err != nil {
		return nil, "", err
	}
	var found []driver.Record
	next, last := "", ""
	for i, t := range read {
		next = page.names[i]
		if t.live && t.hash != last {
			found, last = append(found, t.record), t.hash
		}
		// A record that lost the mark and has it again has another object there.
		if t.hash != "" && t.hash == last {
			next = t.hash + after
		}
		if t.stale && page.settled(i) {
			s.forget(folder + page.names[i])
		}
	}
	if !page.more {
		next = ""
	}
	return found, next, nil
}

// told is what an object of a mark led to.
type told struct {
	hash   string // "" where the object is not of our making
	record driver.Record
	live   bool // the record has the mark through this object, and did not expire
	stale  bool // the record has not, or there is none
}

func (s *Store) told(ctx context.Context, p page, mark string) ([]told, error) {
	read := make([]told, len(p.names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(abreast)
	for i, name := range p.names {
		hash, entry, ok := parseMark(name)
		if !ok {
			continue
		}
		group.Go(func() error {
			o, etag, err := s.fetch(ctx, hash)
			if err != nil && !errors.Is(err, errNone) {
				return err
			}
			has := err == nil && o.Mark == mark && o.Entry == entry
			read[i] = told{hash: hash, live: has && !o.expired(time.Now()), stale: !has}
			if read[i].live {
				read[i].record = o.record(etag)
			}
			return nil
		})
	}
	return read, group.Wait()
}

// page is some of a folder's objects, in the order of their names.
type page struct {
	names []string // without the folder
	ages  []time.Duration
	more  bool
}

// settled says whether an object is so old that no record it tells of is still
// on its way.
func (p page) settled(i int) bool { return p.ages[i] > settled }

func (s *Store) page(ctx context.Context, folder, from string, n int) (page, error) {
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &folder, MaxKeys: aws.Int32(int32(n))}
	if from != "" {
		in.StartAfter = aws.String(folder + from)
	}
	out, err := s.reads.ListObjectsV2(ctx, in)
	if err != nil {
		return page{}, fmt.Errorf("list %s: %w", folder, err)
	}
	now, ok := middleware.GetServerTime(out.ResultMetadata)
	p := page{more: aws.ToBool(out.IsTruncated) && len(out.Contents) > 0}
	for _, o := range out.Contents {
		p.names = append(p.names, strings.TrimPrefix(aws.ToString(o.Key), folder))
		p.ages = append(p.ages, age(o, now, ok))
	}
	return p, nil
}

// age is 0 where the service does not say.
func age(o types.Object, now time.Time, known bool) time.Duration {
	if !known || o.LastModified == nil {
		return 0
	}
	return now.Sub(*o.LastModified)
}

// goodCursor keeps foreign bytes out of requests; what is wrong otherwise only
// begins the listing elsewhere.
func goodCursor(from string) bool {
	for i := range len(from) {
		if from[i] <= ' ' || from[i] > '~' {
			return false
		}
	}
	return len(from) <= 256
}
