package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/versions"
)

func staticCommand(p *place) *cobra.Command {
	c := &cobra.Command{
		Use:   "static",
		Short: "List static files with their addresses, and upload them for a CDN",
		Long: `List the files of [static] with the addresses they are served at, and upload
them to a bucket.

A file's address has a hash of its content, and changes with that of all it
refers to: css/app.css is at /static/css/app.0123456789abcdef.css, and may be
kept for ever. ` + "`dayfly up`" + ` serves them by itself; the application does not have
to run for these commands. doc/static.md tells more.`,
		Example: `  dayfly static list
  dayfly static push s3://my-bucket --dry-run`,
	}
	c.AddCommand(staticListCommand(p), staticPushCommand(p))
	return c
}

// readStatic reads the manifest's folder.
func readStatic(p *place) (*manifest.Manifest, []edge.StaticFile, []versions.Problem, error) {
	m, err := p.manifest("")
	if err != nil {
		return nil, nil, nil, err
	}
	if m.Static.Dir == "" {
		return nil, nil, nil, fmt.Errorf("%s has no static files: say where they are, as in\n[static]\ndir = \"static\"", m.Path)
	}
	files, problems, err := edge.ReadStatic(edge.Static{Dir: filepath.Join(m.Dir, m.Static.Dir), Prefix: m.Static.Prefix}, nil)
	return m, files, problems, err
}

// warnOf writes what is wrong with references, as a compiler would.
func warnOf(out io.Writer, m *manifest.Manifest, problems []versions.Problem) {
	for _, p := range problems {
		fmt.Fprintf(out, "%s:%d: %s\n", filepath.Join(m.Static.Dir, p.File), p.Line, p.Text)
	}
}

func staticListCommand(p *place) *cobra.Command {
	var asJSON, sizes bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Show each static file: name, address, size, encodings",
		Long: `Show each static file: its name, the address it is served at, its size, and the
encodings it is served in besides. References to files that are not there go to
the standard error, with file and line; they are left as they are.`,
		Example: `  dayfly static list
  dayfly static list --sizes                   # how small each gets
  dayfly static list --json | jq -r '.files[] | "\(.name) \(.address)"'`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			m, files, problems, err := readStatic(p)
			if err != nil {
				return err
			}
			slices.SortFunc(files, func(a, b edge.StaticFile) int { return strings.Compare(a.Name, b.Name) })
			rows := staticRows(c.ErrOrStderr(), m, files, sizes)
			if problems == nil {
				problems = []versions.Problem{}
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), struct {
					Files    []staticRow        `json:"files"`
					Problems []versions.Problem `json:"problems"`
				}{rows, problems})
			}
			warnOf(c.ErrOrStderr(), m, problems)
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tADDRESS\tSIZE\tENCODINGS")
			for _, r := range rows {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Name, r.Address, size(r.Size), r.encodings())
			}
			return t.Flush()
		},
	}
	c.Flags().BoolVar(&sizes, "sizes", false, "compress each file, and show what it takes (about a second a megabyte)")
	c.Flags().BoolVar(&asJSON, "json", false, `print JSON: {"files":[{name,address,size,type,encodings}],"problems":[{file,line,text}]}`)
	return c
}

// staticRow is a file as it is listed.
type staticRow struct {
	Name      string           `json:"name"`
	Address   string           `json:"address"`
	Size      int64            `json:"size"`
	Type      string           `json:"type"`
	Encodings map[string]int64 `json:"encodings"` // bytes by name; -1: not asked
}

func (r staticRow) encodings() string {
	var list []string
	for _, e := range keys(r.Encodings) {
		if n := r.Encodings[e]; n >= 0 {
			e += " " + size(n)
		}
		list = append(list, e)
	}
	return strings.Join(list, ", ")
}

func staticRows(progressTo io.Writer, m *manifest.Manifest, files []edge.StaticFile, sizes bool) []staticRow {
	var done, total int64
	for _, f := range files {
		total += int64(len(f.Data))
	}
	p := newProgress(progressTo, "compressing")
	defer p.end()
	rows := []staticRow{}
	for _, f := range files {
		r := staticRow{f.Name, m.Static.Prefix + f.Address, int64(len(f.Data)), f.ContentType, map[string]int64{}}
		for _, e := range edge.Encodings {
			switch {
			case !f.Compressible:
			case !sizes:
				r.Encodings[e] = -1
			default:
				if data := f.Compress(e); data != nil {
					r.Encodings[e] = int64(len(data))
				}
			}
		}
		done += r.Size
		if sizes {
			p.at(done, total)
		}
		rows = append(rows, r)
	}
	return rows
}

// size is memory with small files in bytes.
func size(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	return memory(n)
}
