package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
	"github.com/dayfly-dev/dayfly/task"
)

// CheckPackagesArgs of the task "check_packages".
type CheckPackagesArgs struct {
	Project string `json:"project,omitempty"` // default: all
}

// CheckPackageArgs of the task "check_package".
type CheckPackageArgs struct{ PackageArg }

// checkPackages enqueues a check for each package that is watched.
func (j *Jobs) checkPackages(ctx context.Context, a CheckPackagesArgs) error {
	ids, err := j.DB.Watched(ctx, a.Project)
	if err != nil || len(ids) == 0 {
		return err
	}
	args := make([]CheckPackageArgs, len(ids))
	for i, id := range ids {
		args[i] = CheckPackageArgs{PackageArg{id.Ecosystem, id.Name}}
	}
	if _, err := j.CheckPackage.EnqueueMany(ctx, j.Client, args); err != nil {
		return fmt.Errorf("enqueue %d checks: %w", len(args), err)
	}
	j.Log.Info("checks enqueued", "packages", len(args), "project", a.Project)
	return nil
}

// checkPackage asks the registry, remembers the answer or why there is none,
// and enqueues an advisory for each update that has none yet.
func (j *Jobs) checkPackage(ctx context.Context, a CheckPackageArgs) error {
	id := a.id()
	registry := j.Registries[id.Ecosystem]
	if registry == nil {
		return task.Permanent(fmt.Errorf("%.20q is no ecosystem that is watched", id.Ecosystem))
	}
	listing, err := registry.List(ctx, id.Name)
	if err != nil {
		return j.noListing(ctx, id, err)
	}
	if err := j.DB.SaveListing(ctx, id, listing, j.Now()); err != nil {
		return err
	}
	versions, err := j.DB.InUse(ctx, id)
	if err != nil {
		return err
	}
	waiting, err := j.DB.SaveOffers(ctx, id, offers(registry, listing, versions), j.Now())
	if err != nil {
		return err
	}
	for _, o := range waiting {
		if _, err := j.Advise.Enqueue(ctx, j.Client, AdviseArgs{PackageArg: a.PackageArg, From: o.From, To: o.To}); err != nil {
			return fmt.Errorf("enqueue advisory: %w", err)
		}
	}
	j.Log.Info("checked", "package", id.String(), "latest", listing.Latest, "updates", len(waiting))
	return nil
}

// offers is the newest release each version in use should go to.
func offers(r watch.Registry, l *watch.Listing, versions []string) []store.Offer {
	var list []store.Offer
	for _, v := range versions {
		newer := r.Newer(l, v)
		if len(newer) == 0 {
			continue
		}
		to := newer[len(newer)-1].Version
		list = append(list, store.Offer{From: v, To: to, Step: r.Step(v, to), Behind: len(newer)})
	}
	return list
}

// noListing remembers why there was no answer. What passes by itself is an
// error of the task, which is tried again; the rest is an answer too.
func (j *Jobs) noListing(ctx context.Context, id watch.ID, err error) error {
	if ctx.Err() != nil {
		return err
	}
	problem := watch.ProblemOf(err)
	if problem == "" {
		return err
	}
	if saveErr := j.DB.SaveProblem(ctx, id, problem, err.Error(), j.Now()); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	j.Log.Warn("no answer about a package", "package", id.String(), "problem", string(problem), "error", err)
	if problem == watch.Unreachable {
		return err
	}
	return nil
}

// refusal returns the refusal in err, if it is one.
func refusal(err error) *archive.Refusal {
	var r *archive.Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}
