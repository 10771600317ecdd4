package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/digest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/task"
)

// DigestArgs of the task "daily_digest".
type DigestArgs struct {
	Day  string `json:"day,omitempty"`  // 2006-01-02, default today (UTC)
	To   string `json:"to,omitempty"`   // default DIGEST_TO
	Wait int    `json:"wait,omitempty"` // how many times to pause while checks are under way
}

// digestWaits: the first digest waits at most ten minutes for the first checks.
const digestWaits = 120

// dailyDigest mails what was found since the last digest. With nothing new
// there is no mail.
//
// The mail leaves at most once for a day and recipient: the claim is in the
// database before. If this process dies between the claim and the mail, that
// day's is lost, and what it would have told comes with the next day's. The
// other way round, two mails, is what people stop reading.
func (j *Jobs) dailyDigest(ctx context.Context, a DigestArgs) error {
	day := j.Now().UTC().Format(time.DateOnly)
	if a.Day != "" {
		if _, err := time.Parse(time.DateOnly, a.Day); err != nil {
			return task.Permanent(fmt.Errorf("daily_digest: day %.40q is not of the form 2006-01-02", a.Day))
		}
		day = a.Day
	}
	to := a.To
	if to == "" {
		to = j.DigestTo
	}
	if to == "" || j.Mail == nil {
		j.Log.Warn("no digest: neither DIGEST_TO nor MAIL_FROM says to whom")
		return nil
	}
	if a.Wait > 0 {
		packages, updates, err := j.DB.Pending(ctx)
		if err != nil {
			return err
		}
		if packages+updates > 0 {
			a.Wait--
			_, err := j.DailyDigest.Enqueue(ctx, j.Client, a, task.Delay(j.Pause))
			return err
		}
	}
	m, covered, err := j.compose(ctx, day, to)
	if err != nil {
		return err
	}
	if m.Updates == 0 {
		j.Log.Info("no digest: nothing new", "day", day)
		return nil
	}
	return j.sendDigest(ctx, day, to, m, covered)
}

func (j *Jobs) compose(ctx context.Context, day, to string) (digest.Mail, time.Time, error) {
	since, err := j.DB.CoveredTo(ctx, to)
	if err != nil {
		return digest.Mail{}, since, err
	}
	lines, err := j.DB.Lines(ctx, "")
	if err != nil {
		return digest.Mail{}, since, err
	}
	covered := since
	for _, l := range lines {
		if u := l.Update; u != nil && u.Advised.After(covered) && digest.Tells(*u) {
			covered = u.Advised
		}
	}
	return digest.Compose(digest.Input{Day: day, SiteURL: j.SiteURL, Since: since, Lines: lines}), covered, nil
}

func (j *Jobs) sendDigest(ctx context.Context, day, to string, m digest.Mail, covered time.Time) error {
	mine, err := j.DB.ClaimDigest(ctx, day, to, j.Now())
	if err != nil {
		return err
	}
	if !mine {
		j.Log.Info("digest was sent or claimed before", "day", day)
		return nil
	}
	err = j.Mail.Send(ctx, &mail.Message{From: j.MailFrom, To: []string{to}, Subject: m.Subject, Text: m.Text})
	if err != nil {
		err = fmt.Errorf("digest of %s: %w", day, err)
		if unknown(err) {
			// It may have left: the claim stays, see above.
			return task.Permanent(fmt.Errorf("not known whether it left, and not sent again: %w", err))
		}
		return errors.Join(err, j.DB.ReleaseDigest(context.WithoutCancel(ctx), day, to))
	}
	j.Log.Info("digest sent", "day", day, "updates", m.Updates)
	return j.DB.SettleDigest(context.WithoutCancel(ctx), day, to, store.Sent, m.Updates, covered)
}

// unknown reports whether a mail that was not acknowledged may have left.
func unknown(err error) bool {
	var se *mail.SendError
	return errors.As(err, &se) && se.Unknown
}
