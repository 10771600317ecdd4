// Package jobs holds the release watcher's background tasks: reading files,
// asking registries, comparing archives, writing the daily mail.
//
// A task may run twice, and twice at once. What each of them writes is keyed by
// what it is about and the same whenever it is written, so the second run
// changes nothing; the one effect that cannot be taken back, the mail, is
// claimed in the database before it leaves.
package jobs

import (
	"log/slog"
	"time"

	"gocloud.dev/blob"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/task"
)

// Jobs is what the tasks work with. Client is needed to enqueue, the rest to run.
type Jobs struct {
	Client     *task.Client
	DB         *store.DB
	Registries map[watch.Ecosystem]watch.Registry
	Bucket     *blob.Bucket
	Mail       mail.Sender
	MailFrom   string
	DigestTo   string // "" for no digest
	SiteURL    string // without slash at its end
	Log        *slog.Logger
	Now        func() time.Time // default time.Now
	Pause      time.Duration    // between looks whether the first checks are done, default 5 s

	Import        *task.Task[ImportArgs]
	CheckPackages *task.Task[CheckPackagesArgs]
	CheckPackage  *task.Task[CheckPackageArgs]
	Advise        *task.Task[AdviseArgs]
	DailyDigest   *task.Task[DigestArgs]

	comparing chan struct{} // places for comparisons, which need memory
}

// comparisons at once in one process: each holds two archives' texts.
const comparisons = 2

// Define makes the tasks of what is set in j so far; what only enqueues may
// leave the rest of j empty.
func (j *Jobs) Define() *Jobs {
	if j.Log == nil {
		j.Log = slog.New(slog.DiscardHandler)
	}
	if j.Now == nil {
		j.Now = time.Now
	}
	if j.Pause == 0 {
		j.Pause = 5 * time.Second
	}
	j.comparing = make(chan struct{}, comparisons)
	j.Import = task.Define("import", j.importFile, task.Timeout(time.Minute))
	j.CheckPackages = task.Define("check_packages", j.checkPackages, task.Timeout(2*time.Minute))
	j.CheckPackage = task.Define("check_package", j.checkPackage, task.Timeout(3*time.Minute))
	j.Advise = task.Define("advise", j.advise, task.Timeout(15*time.Minute))
	j.DailyDigest = task.Define("daily_digest", j.dailyDigest, task.Timeout(2*time.Minute))
	return j
}

// All lists the tasks for a worker.
func (j *Jobs) All() []task.Definition {
	return []task.Definition{j.Import, j.CheckPackages, j.CheckPackage, j.Advise, j.DailyDigest}
}
