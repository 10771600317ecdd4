package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/manifest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
	"github.com/dayfly-dev/dayfly/task"
)

// ImportArgs of the task "import": a file by its content, or by its path on
// the worker's machine. The name decides how it is read and may have folders
// before it: "shop/requirements.txt".
type ImportArgs struct {
	Name    string `json:"name"`
	Content string `json:"content,omitempty"`
	File    string `json:"file,omitempty"`    // a path, instead of name and content
	Project string `json:"project,omitempty"` // default: as the file names itself
	Digest  bool   `json:"digest,omitempty"`  // send the day's digest when all is compared
}

// importFile reads a file, remembers what it requires and asks for it.
func (j *Jobs) importFile(ctx context.Context, a ImportArgs) error {
	data := []byte(a.Content)
	if a.File != "" {
		if a.Name == "" {
			a.Name = a.File
		}
		var err error
		if data, err = manifest.ReadFile(a.File); err != nil {
			return task.Permanent(fmt.Errorf("import: %w", err))
		}
	}
	project, n, err := j.Take(ctx, a.Project, a.Name, data)
	if err != nil {
		return err
	}
	j.Log.Info("imported", "project", project, "file", a.Name, "packages", n)
	if a.Digest {
		_, err = j.DailyDigest.Enqueue(ctx, j.Client, DigestArgs{Wait: digestWaits}, task.Delay(j.Pause))
	}
	return err
}

// Take reads a file's content into the database and enqueues the checks of its
// packages. A file that cannot be read is a permanent error.
func (j *Jobs) Take(ctx context.Context, project, name string, data []byte) (string, int, error) {
	m, err := manifest.Read(name, data)
	if err != nil {
		return "", 0, task.Permanent(err)
	}
	project = manifest.Project(project, name, m)
	if err := j.DB.Import(ctx, project, m, j.Now()); err != nil {
		return project, 0, err
	}
	return project, len(m.Requirements), j.checkPackages(ctx, CheckPackagesArgs{Project: project})
}

// First imports a go.mod when nothing was ever imported: what a newcomer sees
// is the application's own packages. Several workers may do so at once: the
// task is the same and its effects are.
func (j *Jobs) First(ctx context.Context, dir, file string) error {
	empty, err := j.DB.Empty(ctx)
	if err != nil || !empty {
		return err
	}
	if file == "" {
		if file, err = manifest.FindGoMod(dir); errors.Is(err, manifest.ErrNoGoMod) {
			j.Log.Info("nothing to import at the first start; upload a file", "reason", err)
			return nil
		} else if err != nil {
			return err
		}
	}
	data, err := manifest.ReadFile(file)
	if err != nil {
		return fmt.Errorf("first import: %w", err)
	}
	if _, err := manifest.Read(file, data); err != nil {
		return fmt.Errorf("first import: %w", err)
	}
	j.Log.Info("first start: importing", "file", file)
	_, err = j.Import.Enqueue(ctx, j.Client, ImportArgs{Name: file, Content: string(data), Digest: true}, task.ID("first-import"))
	return err
}

// PackageArg names a package in a task's arguments.
type PackageArg struct {
	Ecosystem watch.Ecosystem `json:"ecosystem"`
	Name      string          `json:"name"`
}

func (p PackageArg) id() watch.ID { return watch.ID{Ecosystem: p.Ecosystem, Name: p.Name} }
