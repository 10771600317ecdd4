package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"gocloud.dev/blob"

	dayflyblob "github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/cache"
	"github.com/dayfly-dev/dayfly/cache/memcachedcache"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/gomod"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/jobs"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/npm"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/pypi"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// parts is what both kinds of process are made of.
type parts struct {
	db       *store.DB
	queue    *queue.Queue
	payloads *payload.Store // nil when there is none
	bucket   *blob.Bucket
	cache    *cache.Cache // nil when there is none
	jobs     *jobs.Jobs
}

// openParts connects to everything. What does not work is an error here, not
// a surprise later; only the cache may be missing.
func openParts(ctx context.Context, s *settings, log *slog.Logger) (*parts, error) {
	p := new(parts)
	var err error
	if p.queue, err = sqsqueue.Open(ctx, s.Queue, nil); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if p.bucket, err = dayflyblob.Open(ctx, s.Bucket, nil); err != nil {
		return nil, fmt.Errorf("bucket: %w", err)
	}
	if s.Payloads != "" {
		if p.payloads, err = payload.Open(ctx, s.Payloads, nil); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	if s.Cache != "" {
		if p.cache, err = memcachedcache.Open(s.Cache); err != nil {
			return nil, errors.Join(fmt.Errorf("cache: %w", err), p.close())
		}
		if err := p.cache.Prove(ctx); err != nil {
			log.Warn("the cache does not work; registries are asked more often", "error", err)
		}
	}
	if p.db, err = store.Open(ctx, s.Database); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.jobs = (&jobs.Jobs{
		Client: task.NewClient(p.queue, &task.ClientOptions{Source: "releases", Payloads: p.payloads}), DB: p.db, Bucket: p.bucket,
		MailFrom: s.MailFrom, DigestTo: s.DigestTo, SiteURL: s.SiteURL, Log: log,
	}).Define()
	return p, nil
}

func (p *parts) close() error {
	var errs []error
	if p.db != nil {
		errs = append(errs, p.db.Close())
	}
	if p.cache != nil {
		errs = append(errs, p.cache.Close())
	}
	if p.payloads != nil {
		errs = append(errs, p.payloads.Close())
	}
	return errors.Join(append(errs, p.bucket.Close(), p.queue.Service().Close())...)
}

// openRegistries reads the configuration of the go command, npm and pip.
func openRegistries(s *settings, f *fetch.Client) (map[watch.Ecosystem]watch.Registry, error) {
	proxy, private := gomod.Settings(s.env)
	goRegistry, err := gomod.New(gomod.Options{Fetch: f, Proxy: proxy, Private: private})
	if err != nil {
		return nil, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	config, err := npm.Settings(s.Environ, dir)
	if err != nil {
		return nil, err
	}
	indexes, err := pypi.Settings(s.env)
	if err != nil {
		return nil, err
	}
	pypiRegistry, err := pypi.New(f, indexes, archive.Limits{})
	if err != nil {
		return nil, err
	}
	return map[watch.Ecosystem]watch.Registry{
		watch.Go: goRegistry, watch.NPM: npm.New(f, config, archive.Limits{}), watch.PyPI: pypiRegistry,
	}, nil
}

// answers keeps registries' answers in the cache.
type answers struct{ *cache.Cache }

func (a answers) Get(ctx context.Context, key string) ([]byte, bool, error) {
	it, err := a.Cache.Get(ctx, key)
	if errors.Is(err, cache.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return it.Value, true, nil
}

func (a answers) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return a.Cache.Set(ctx, &cache.Item{Key: key, Value: value, TTL: ttl})
}
