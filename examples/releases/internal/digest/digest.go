// Package digest writes the daily mail: plain text, narrow enough for any
// reader, with links that a person can read.
package digest

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// width of a line of text; a link alone on its line may be longer, as it must
// not be broken.
const width = 76

// Input of a digest.
type Input struct {
	Day     string
	SiteURL string
	Since   time.Time // what was compared until then was told before
	Lines   []store.Line
}

// Mail as it is sent. Updates is how many it tells of; 0 for nothing to send.
type Mail struct {
	Subject, Text string
	Updates       int
}

// Tells reports whether an update has something to tell: it was compared, or
// its archive was refused.
func Tells(u store.Update) bool { return u.Status == store.Ready || u.Status == store.Refused }

// Compose writes the digest of what was compared since, by project.
func Compose(in Input) Mail {
	var m Mail
	var body strings.Builder
	behind, alarms := 0, 0
	project := ""
	for _, l := range in.Lines {
		u := l.Update
		if u == nil {
			continue
		}
		behind++
		if !Tells(*u) || !u.Advised.After(in.Since) {
			continue
		}
		if l.Project != project {
			project = l.Project
			title := watch.Clip(project, width)
			fmt.Fprintf(&body, "\n%s\n%s\n", title, strings.Repeat("=", len([]rune(title))))
		}
		m.Updates++
		if u.Summary != nil && len(u.Summary.Alarms) > 0 {
			alarms++
		}
		writeUpdate(&body, in.SiteURL, l)
	}
	if m.Updates == 0 {
		return m
	}
	m.Subject = count(m.Updates, "update", "updates") + " for your projects"
	if alarms > 0 {
		m.Subject += fmt.Sprintf(", %d to look at closely", alarms)
	}
	var head strings.Builder
	wrap(&head, "", fmt.Sprintf("Until %s: %s. In all, %s.",
		day(in.Day), count(m.Updates, "update is new", "updates are new"), count(behind, "package has a newer release", "packages have a newer release")))
	m.Text = head.String() + body.String() +
		"\n-- \nAll packages: " + link(in.SiteURL, "/") + "\n"
	return m
}

func day(s string) string {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return s
	}
	return t.Format("Monday, 2 January 2006")
}

func writeUpdate(b *strings.Builder, site string, l store.Line) {
	u := l.Update
	title := fmt.Sprintf("%s %s -> %s", u.Name, u.From, u.To)
	about := []string{u.ID.Ecosystem.Title(), u.Step}
	if u.Behind > 1 {
		about = append(about, fmt.Sprintf("%d releases behind", u.Behind))
	}
	if !l.Direct {
		about = append(about, "indirect")
	}
	b.WriteByte('\n')
	wrap(b, "", title)
	wrap(b, "  ", strings.Join(about, ", "))
	if s := u.Summary; s != nil {
		if u.Status == store.Ready {
			wrap(b, "  ", fmt.Sprintf("%s, +%d -%d lines", count(s.Files, "file differs", "files differ"), s.Added, s.Removed))
		}
		for _, t := range s.Alarms {
			wrap(b, "  ", "! "+t)
		}
		for _, t := range s.Warnings {
			wrap(b, "  ", "* "+t)
		}
	}
	fmt.Fprintf(b, "  %s\n", link(site, UpdatePath(u.ID, u.From, u.To)))
}

// UpdatePath is the site's page of an update.
func UpdatePath(id watch.ID, from, to string) string {
	parts := strings.Split(id.Name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/updates/" + string(id.Ecosystem) + "/" + strings.Join(parts, "/") + "/" + url.PathEscape(from) + "/" + url.PathEscape(to) + "/"
}

// link goes through the site's click counter, which keeps the address readable
// (dayfly.toml, [edge.click.daily]).
func link(site, path string) string { return site + "/daily/?" + path }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// wrap writes text in lines of at most width characters; a word that is longer
// stands alone.
func wrap(b *strings.Builder, indent, text string) {
	line, n := indent, 0
	hang := ""
	if indent != "" {
		hang = "  " // a sentence below a title goes on further in
	}
	for _, w := range strings.Fields(text) {
		if n > 0 && len([]rune(line))+1+len([]rune(w)) > width {
			b.WriteString(line + "\n")
			line, n = indent+hang, 0
		}
		if n > 0 {
			line += " "
		}
		line += w
		n++
	}
	b.WriteString(line + "\n")
}
