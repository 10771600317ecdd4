package jobs

import (
	"context"
	"errors"
	"fmt"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/advisory"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
	"github.com/dayfly-dev/dayfly/task"
)

// AdviseArgs of the task "advise".
type AdviseArgs struct {
	PackageArg
	From string `json:"from"`
	To   string `json:"to"`
	// Again compares even if the advisory is there, and writes it under the
	// same address; browsers that have the old one keep it.
	Again bool `json:"again,omitempty"`
}

// advise writes the advisory of an update into the bucket, once: one that is
// there already is taken as it is.
func (j *Jobs) advise(ctx context.Context, a AdviseArgs) error {
	id := a.id()
	registry := j.Registries[id.Ecosystem]
	if registry == nil {
		return task.Permanent(fmt.Errorf("%.20q is no ecosystem that is watched", id.Ecosystem))
	}
	if _, err := j.DB.Update(ctx, id, a.From, a.To); errors.Is(err, store.ErrNotFound) {
		return task.Permanent(err)
	} else if err != nil {
		return err
	}
	key, err := advisory.Key(id, a.From, a.To)
	if err != nil {
		return task.Permanent(err)
	}
	adv, err := j.existing(ctx, key, a.Again)
	if err != nil {
		return err
	}
	if adv == nil {
		if adv, err = j.compare(ctx, registry, a); err != nil {
			return j.notAdvised(ctx, a, err)
		}
		if err := j.write(ctx, key, adv); err != nil {
			return err
		}
	}
	status := store.Ready
	if adv.Refused != "" {
		status = store.Refused
	}
	j.Log.Info("advisory", "package", id.String(), "from", a.From, "to", a.To, "status", status, "key", key)
	return j.DB.SaveAdvised(ctx, id, a.From, a.To, status, adv.Refused, summary(key, adv), j.Now())
}

func (j *Jobs) existing(ctx context.Context, key string, again bool) (*advisory.Advisory, error) {
	if again {
		return nil, nil
	}
	data, err := j.Bucket.ReadAll(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for advisory %s: %w", key, err)
	}
	adv, err := advisory.Decode(data)
	if err != nil {
		j.Log.Warn("an advisory in the bucket cannot be read and is written anew", "key", key, "error", err)
		return nil, nil
	}
	return adv, nil
}

func (j *Jobs) write(ctx context.Context, key string, adv *advisory.Advisory) error {
	data, err := adv.Encode()
	if err != nil {
		return task.Permanent(err)
	}
	err = j.Bucket.WriteAll(ctx, key, data, &blob.WriterOptions{
		ContentType: advisory.ContentType, CacheControl: advisory.CacheControl,
	})
	if err != nil {
		return fmt.Errorf("write advisory %s: %w", key, err)
	}
	return nil
}

// compare downloads both archives and compares them.
func (j *Jobs) compare(ctx context.Context, r watch.Registry, a AdviseArgs) (*advisory.Advisory, error) {
	select {
	case j.comparing <- struct{}{}:
		defer func() { <-j.comparing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	id := a.id()
	known, err := j.DB.Versions(ctx, id)
	if err != nil {
		return nil, err
	}
	from, to := release(known, a.From), release(known, a.To)
	step := r.Step(a.From, a.To)
	sides := [2]advisory.Side{{Release: from}, {Release: to}}
	for i := range sides {
		s := &sides[i]
		s.Tree, err = r.Archive(ctx, a.Name, s.Release.Version)
		if why := refusal(err); why != nil {
			return advisory.Refuse(id, step, from, to, s.Release.Version, why), nil
		}
		if err != nil {
			return nil, err
		}
		s.Facts = r.Facts(s.Tree)
	}
	return advisory.Compare(id, step, sides[0], sides[1]), nil
}

func release(known []watch.Release, version string) watch.Release {
	for _, r := range known {
		if r.Version == version {
			return r
		}
	}
	return watch.Release{Version: version}
}

// notAdvised remembers why an update could not be compared; what passes by
// itself is tried again.
func (j *Jobs) notAdvised(ctx context.Context, a AdviseArgs, err error) error {
	problem := watch.ProblemOf(err)
	if ctx.Err() != nil || problem == "" {
		return err
	}
	if saveErr := j.DB.SaveAdvised(ctx, a.id(), a.From, a.To, store.Failed, err.Error(), nil, j.Now()); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	j.Log.Warn("no advisory", "package", a.id().String(), "from", a.From, "to", a.To, "error", err)
	if problem == watch.Unreachable {
		return err
	}
	return nil
}

func summary(key string, a *advisory.Advisory) *store.Summary {
	s := &store.Summary{
		Key: key, Files: a.Files.AddedCount + a.Files.RemovedCount + a.Files.ChangedCount,
		Added: a.Lines.Added, Removed: a.Lines.Removed,
	}
	if a.API != nil {
		s.APIBroken, s.APIAdded = a.API.RemovedCount+a.API.ChangedCount, a.API.AddedCount
	}
	for _, d := range a.Dependencies {
		if d.From == "" {
			s.Dependencies++
		}
	}
	for _, f := range a.Findings {
		switch f.Level {
		case advisory.Alarm:
			s.Alarms = append(s.Alarms, watch.Clip(f.Text, 300))
		case advisory.Warning:
			s.Warnings = append(s.Warnings, watch.Clip(f.Text, 300))
		}
	}
	return s
}
