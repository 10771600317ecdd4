package test

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	nodesBucket = "three-dayfly"
	pastPeriod  = 40 * time.Second
	pastLong    = 10 * time.Minute
	// A tick counts as missed when it is older than this: younger ones are late.
	pastLate = 30 * time.Second
)

// nodesPast is the time in which no node ran, as the store of ticks has it.
type nodesPast struct {
	last time.Time   // tick that was fired before
	gone []time.Time // ticks in it, when the nodes were started
	back time.Time   // when that was
	up   time.Time   // when all of them ran
}

func (s *nodes) bucket() *s3.Client {
	env := s.stores.env
	return s3.New(s3.Options{Region: env["AWS_REGION"], BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")})
}

// pretendPast leaves the records of nodes that ran until ten minutes ago.
func (s *nodes) pretendPast() *nodesPast {
	t := s.t
	t.Helper()
	c := s.bucket()
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(nodesBucket),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(s.stores.env["AWS_REGION"])}}); err != nil {
		t.Fatal(err)
	}
	p := &nodesPast{back: time.Now(), last: time.Now().Add(-pastLong).Truncate(pastPeriod).UTC()}
	for at := p.last.Add(pastPeriod); at.Before(p.back); at = at.Add(pastPeriod) {
		p.gone = append(p.gone, at)
	}
	stamp := p.last.Format(time.RFC3339)
	for _, name := range []string{"all", "latest", "none"} {
		of := "schedule/" + name + "/"
		claim := map[string]any{"version": 1, "schedule": name, "tick": stamp, "claim": 1, "owner": "before", "at": stamp, "lease": "30s", "id": name + "@" + stamp, "nonce": name}
		for key, v := range map[string]map[string]any{
			of + "spec-000001":   {"version": 1, "times": "every 40s", "since": p.last.Add(-time.Hour).Format(time.RFC3339), "owner": "before", "nonce": name},
			of + stamp + ".1":    claim,
			of + stamp + ".done": claim,
		} {
			if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(nodesBucket), Key: &key, Body: bytes.NewReader(pastRecord(v))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p
}

// recorded reports whether a key is in the store of ticks.
func (s *nodes) recorded(key string) bool {
	s.t.Helper()
	_, err := s.bucket().HeadObject(s.t.Context(), &s3.HeadObjectInput{Bucket: aws.String(nodesBucket), Key: &key})
	var missing *types.NotFound
	if err != nil && !errors.As(err, &missing) {
		s.t.Fatal(err)
	}
	return err == nil
}

// judge sees what became of the ticks that were missed: by "all" each was fired,
// by "latest" the last, by "none" none. Those that were younger than half a
// minute when a node came were late and not missed, and are fired by each; with
// "latest" they are the latest.
func (p *nodesPast) judge(s *nodes) {
	t := s.t
	t.Helper()
	fired := func(name string, at time.Time) int { return s.runs.of(name + "@" + at.Format(time.RFC3339)) }
	newest := p.gone[len(p.gone)-1]
	// Where the start took long, another tick came before a node did: that is then
	// the latest, and the one before it is fired or not.
	latest := p.up.Truncate(pastPeriod).UTC()
	for _, name := range []string{"all", "latest"} {
		eventually(t, "the newest missed tick of "+name, func() bool { return fired(name, latest) > 0 })
	}
	eventually(t, "each missed tick of all", func() bool {
		for _, at := range p.gone {
			if fired("all", at) == 0 {
				return false
			}
		}
		return true
	})
	for _, at := range p.gone {
		for _, name := range []string{"all", "latest", "none"} {
			n := fired(name, at)
			if n > 1 {
				t.Errorf("the missed tick %v of %s was fired %d times", at, name, n)
			}
			if older := p.back.Sub(at) > pastLate; n > 0 && older && (name == "none" || name == "latest" && at != newest) {
				t.Errorf("the missed tick %v of %s was fired", at, name)
			}
		}
	}
	for _, name := range []string{"all", "latest", "none"} {
		if n := fired(name, p.last); n > 0 {
			t.Errorf("the last tick of %s before was fired again", name)
		}
	}
	if len(p.gone) < 10 || strings.Contains(p.last.String(), ".") {
		t.Fatalf("the past has only %d ticks since %v", len(p.gone), p.last)
	}
}
