package task

import (
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// Sooner is what queue.Service.Replace is to put in the place of a task's message
// that waits, be it for its delay, its next attempt or a limit, so that the task
// begins as soon as a worker receives it. Attempts that were used up stay so; a
// time before which the task may not run becomes now. A message that is no task's
// is as it was.
func Sooner(b queue.Browsed) queue.Outgoing {
	m := queue.Outgoing{Body: sooner(b.Body, time.Now()), Attributes: unlimited(b.Attributes), System: b.System, GroupID: b.GroupID}
	if n := earlierFailures(b.Message) + b.Receives; n > 0 {
		m.Attributes = withFailures(m.Attributes, n)
	}
	return m
}

// sooner is the body with another notbefore, if that is in the future. The new one
// is to the second, and so never longer than the old. All else is left as it was
// written: what this version does not know may matter to the next.
func sooner(body string, now time.Time) string {
	e, err := Decode(body)
	if err != nil || !e.NotBefore.After(now) {
		return body
	}
	all, err := readMembers(body)
	if err != nil {
		return body
	}
	m := all[all.find("notbefore")]
	var b strings.Builder
	b.WriteString(body[:m.at])
	b.WriteString(`"` + now.UTC().Truncate(time.Second).Format(time.RFC3339) + `"`)
	b.WriteString(body[m.at+len(m.text):])
	return b.String()
}
