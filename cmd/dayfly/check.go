package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/versions"
	"github.com/dayfly-dev/dayfly/task/schedule"
)

func checkCommand(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Read the manifest and say what is wrong in it, or what it makes",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir := ""
			if len(args) == 1 {
				dir = args[0]
			}
			m, err := p.manifest(dir)
			var doubts []versions.Problem
			if err == nil && m.Static.Dir != "" {
				// What the build makes need not be there yet.
				_, doubts, _ = edge.ReadStatic(edge.Static{Dir: filepath.Join(m.Dir, m.Static.Dir), Prefix: m.Static.Prefix}, nil)
			}
			if asJSON {
				return printCheck(c.OutOrStdout(), m, doubts, err)
			}
			if err != nil {
				return err
			}
			describe(c.OutOrStdout(), m)
			warnOf(c.ErrOrStderr(), m, doubts)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: {\"ok\":…,\"errors\":[{file,line,column,key,text}],\"warnings\":[{file,line,text}]}")
	return c
}

func printCheck(out io.Writer, m *manifest.Manifest, doubts []versions.Problem, err error) error {
	type problem struct {
		File   string `json:"file,omitempty"`
		Line   int    `json:"line,omitempty"`
		Column int    `json:"column,omitempty"`
		Key    string `json:"key,omitempty"`
		Text   string `json:"text"`
	}
	result := struct {
		OK     bool      `json:"ok"`
		Name   string    `json:"name,omitempty"`
		Errors []problem `json:"errors"`
		// Warnings are of static files, whose names are below the folder.
		Warnings []versions.Problem `json:"warnings"`
	}{OK: err == nil, Errors: []problem{}, Warnings: append([]versions.Problem{}, doubts...)}
	var wrong manifest.Errors
	switch {
	case err == nil:
		result.Name = m.Name
	case errors.As(err, &wrong):
		for _, x := range wrong {
			result.Errors = append(result.Errors, problem{x.File, x.Line, x.Column, x.Key, x.Text})
		}
	default:
		result.Errors = append(result.Errors, problem{Text: err.Error()})
	}
	if errPrint := printJSON(out, result); errPrint != nil {
		return errPrint
	}
	if err != nil {
		return said{err}
	}
	return nil
}

// said is an error whose message has been printed; its exit code still counts.
type said struct{ error }

func (s said) Is(target error) bool { return target == errSaid }
func (s said) Unwrap() error        { return s.error }

func describe(out io.Writer, m *manifest.Manifest) {
	fmt.Fprintf(out, "%s is right.\n\n", m.Path)
	row := func(kind, name, text string) { fmt.Fprintf(out, "  %-9s %-14s %s\n", kind, name, text) }
	for _, name := range keys(m.Process) {
		x := m.Process[name]
		text := fmt.Sprintf("%s  (%d to %d", x.Command, x.Instances.Min, x.Instances.Max)
		if x.HTTP {
			text += ", http, healthy when GET " + x.Health + " answers"
		}
		row("process", name, text+")")
	}
	for _, name := range keys(m.Queue) {
		q := m.Queue[name]
		text := fmt.Sprintf("visibility %s, %d attempts, then %s", q.Visibility, q.Attempts, manifest.Dead(m.ServiceName(name)))
		if q.FIFO {
			text = "FIFO, " + text
		}
		if q.Push != "" {
			text += fmt.Sprintf("; pushed to %s, %d at once, %s each", q.PushPlace(), q.PushConcurrency, q.PushTimeout)
		}
		row("queue", name, text)
		for _, line := range q.Limit.Lines() {
			row("", "", "limit "+line)
		}
	}
	for _, name := range keys(m.Schedule) {
		s := m.Schedule[name]
		when := s.Cron + " " + s.Timezone
		if s.Cron == "" {
			when = "every " + s.Every.String()
		}
		next := ""
		if sched, err := m.Times(name); err == nil {
			if times, err := sched.Times(); err == nil {
				next = ", next " + times.Next(time.Now()).Local().Format("2006-01-02 15:04:05 MST")
			}
		}
		policies := ""
		if s.Overlap != string(schedule.OverlapAllow) {
			policies += ", a tick is skipped while the task before has not ended"
		}
		if s.Missed != string(schedule.MissedLatest) {
			policies += ", missed ticks: " + s.Missed
		}
		row("schedule", name, fmt.Sprintf("%s → %s in %s%s%s", when, s.Task, s.Queue, next, policies))
	}
	for _, name := range keys(m.Database) {
		scheme, _, _ := strings.Cut(m.Database[name].URL, ":")
		if to := m.Database[name].Outbox; to != "" {
			scheme += "; outbox relayed to " + to
		}
		row("database", name, scheme)
	}
	if m.Records.URL != "" {
		scheme, _, _ := strings.Cut(m.Records.URL, ":")
		row("records", "", scheme)
	}
	for _, name := range keys(m.Cache) {
		text := m.Cache[name].Size.String()
		if ttl := m.Cache[name].TTL; ttl > 0 {
			text += ", entries live " + ttl.String()
		}
		row("cache", name, text)
	}
	for _, name := range keys(m.Bucket) {
		row("bucket", name, map[bool]string{true: "public", false: "private"}[m.Bucket[name].Public])
	}
	if m.Static.Dir != "" {
		kept := ", old versions kept for " + m.Static.Keep.String()
		if m.Static.Keep == 0 {
			kept = ""
		}
		row("static", m.Static.Dir, "under "+m.Static.Prefix+kept)
	}
	for _, line := range m.Edge.HTTPSLines() {
		row("https", "", line)
	}
	for _, name := range keys(m.Edge.Click) {
		row("click", name, "/"+name+"/?/…")
	}
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
