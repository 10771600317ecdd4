package dash

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	shownLines    = 500   // on the page at first; the browser keeps 2,000
	searchedLines = 5_000 // looked through when lines are filtered by text
	maxLine       = 4_000 // bytes of a line shown
)

// logsPage is the newest log lines that pass the filter, oldest first.
type logsPage struct {
	Process   string    `json:"process"` // "" all
	Query     string    `json:"q"`
	Processes []string  `json:"processes"`
	Lines     []LogLine `json:"lines"`
}

func (logsPage) Title() string { return "Logs" }

func (d *Dash) logs(r *http.Request) (model, error) {
	raw, f := d.newest(r)
	p := logsPage{Process: f.process, Query: f.text, Processes: d.processNames(), Lines: make([]LogLine, len(raw))}
	for i, l := range raw {
		p.Lines[i] = l.clean()
	}
	return p, nil
}

// newest returns the newest lines that pass the request's filter, as written.
func (d *Dash) newest(r *http.Request) ([]LogLine, logFilter) {
	q := r.URL.Query()
	f := logFilter{process: q.Get("process"), text: strip(q.Get("q"), 200)}
	n := shownLines
	if f.text != "" {
		n = searchedLines
	}
	lines := slices.DeleteFunc(slices.Clone(d.App.Logs(f.process, n)), func(l LogLine) bool { return !f.pass(l) })
	return lines[max(0, len(lines)-shownLines):], f
}

// processNames are the groups and their processes, then dayfly itself.
func (d *Dash) processNames() []string {
	var names []string
	for _, g := range d.App.Groups() {
		names = append(names, g.Name)
		for _, p := range g.Processes {
			names = append(names, p.Name)
		}
	}
	return append(names, "dayfly")
}

type logFilter struct{ process, text string }

func (f logFilter) pass(l LogLine) bool {
	if f.process != "" && l.Process != f.process && !strings.HasPrefix(l.Process, f.process+".") {
		return false
	}
	return f.text == "" || strings.Contains(strings.ToLower(l.Text), strings.ToLower(f.text))
}

// terminal matches the sequences programs colour a terminal with.
var terminal = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])`)

// clean makes a line fit to be shown: no terminal sequences, no control
// characters, bounded.
func (l LogLine) clean() LogLine {
	text := l.Text
	if strings.ContainsRune(text, 0x1b) {
		text = terminal.ReplaceAllString(text, "")
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return -1
		}
		return r
	}, text)
	l.Text = strip(text, maxLine)
	return l
}

// followLogs shows the newest lines and then each new one that passes.
func (d *Dash) followLogs(s *stream, p *page, pr *http.Request) error {
	// Followed before looked at, so that no line is missed between; those seen
	// both ways are shown once.
	ch := d.App.FollowLogs(s.ctx)
	raw, f := d.newest(pr)
	seen := make(map[LogLine]int, len(raw))
	var page logsPage
	for _, l := range raw {
		seen[l.key()]++
		page.Lines = append(page.Lines, l.clean())
	}
	if err := s.lines(p, "fragment", page); err != nil {
		return err
	}
	for {
		batch, open, err := gather(s, ch)
		if err != nil {
			return err
		}
		page.Lines = page.Lines[:0]
		for _, l := range batch {
			if k := l.key(); seen[k] > 0 {
				seen[k]--
			} else if f.pass(l) {
				page.Lines = append(page.Lines, l.clean())
			}
		}
		if len(page.Lines) > 0 {
			if err := s.lines(p, "append", page); err != nil {
				return err
			}
		}
		if !open {
			return nil
		}
	}
}

// key compares lines; times may come by different ways and carry other zones.
func (l LogLine) key() LogLine {
	l.Time = time.Unix(0, l.Time.UnixNano()).UTC()
	return l
}

// gather waits for a line and takes those that follow closely, so that a
// chatty process makes few events.
func gather(s *stream, ch <-chan LogLine) (batch []LogLine, open bool, err error) {
	quiet := time.NewTimer(heartbeat)
	defer quiet.Stop()
	for len(batch) == 0 {
		select {
		case l, ok := <-ch:
			if !ok {
				return nil, false, nil
			}
			batch = append(batch, l)
		case <-s.ctx.Done():
			return nil, false, nil
		case <-quiet.C:
			if err := s.beat(); err != nil {
				return nil, false, err
			}
			quiet.Reset(heartbeat)
		}
	}
	quiet.Reset(batchWait)
	for len(batch) < batchLines {
		select {
		case l, ok := <-ch:
			if !ok {
				return batch, false, nil
			}
			batch = append(batch, l)
		case <-quiet.C:
			return batch, true, nil
		}
	}
	return batch, true, nil
}

func (s *stream) lines(p *page, event string, m logsPage) error {
	var b strings.Builder
	if err := p.tmpl.ExecuteTemplate(&b, "lines", m); err != nil {
		return err
	}
	return s.send(event, map[string]string{"id": "lines", "html": b.String()})
}
