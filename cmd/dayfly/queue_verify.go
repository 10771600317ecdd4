package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

func queueVerifyCommand(s *queueStore) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Read every byte of the queues and say what is damaged",
		Long: `Read every byte of the queues on disk, compare it with its checksum, and say
what is there, what is damaged, and what the damage costs: which messages are
lost, and which may be back though they were deleted.

Nothing is changed. The application must not run. The exit code is 1 where
there is damage, and 0 where there is none.`,
		Example: `  dayfly queue verify
  dayfly queue verify -C ~/shop --json
  dayfly queue verify --store /backup/queue`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			v := verification{OK: true, Damage: []diskqueue.Damage{}}
			var err error
			if v.Store, err = s.folder(); err != nil {
				return err
			}
			out := c.OutOrStdout()
			p := newProgress(c.ErrOrStderr(), "verifying")
			v.Report, err = diskqueue.Verify(c.Context(), v.Store, p.at, func(d diskqueue.Damage) error {
				v.OK = false
				if asJSON {
					v.Damage = append(v.Damage, d)
					return nil
				}
				p.end()
				return printDamage(out, d)
			})
			p.end()
			if err != nil {
				return s.explain(err)
			}
			if asJSON {
				err = printJSON(out, v)
			} else {
				err = v.print(out)
			}
			if err == nil && !v.OK {
				err = v.damaged()
				if asJSON {
					err = said{err}
				}
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: {store,ok,queues,messages,lost,damages,torn,bytes,damage:[{file,offset,bytes,reason,cost,lost}]}")
	return c
}

// verification is what verify prints as JSON.
type verification struct {
	Store string `json:"store"`
	OK    bool   `json:"ok"`
	diskqueue.Report
	Damage []diskqueue.Damage `json:"damage"`
}

func (v *verification) damaged() error {
	text := count(int64(v.Damages), "damage") + " in " + v.Store
	if v.Lost > 0 {
		text += ", " + count(v.Lost, "message") + " lost"
	}
	return fmt.Errorf("%s\n%s", text, app.Salvage(v.Store))
}

func (v *verification) print(out io.Writer) error {
	if v.OK {
		fmt.Fprintf(out, "%s is whole: %s in %s, %s read\n", v.Store, count(v.Messages, "message"), count(int64(len(v.Queues)), "queue"), memory(v.Bytes))
	} else {
		fmt.Fprintf(out, "\nWhat can be read: %s in %s\n", count(v.Messages, "message"), count(int64(len(v.Queues)), "queue"))
	}
	if v.Torn != "" {
		fmt.Fprintf(out, "The log ends in a write that the machine did not finish, at %s. That is no damage: nothing in\nit was acknowledged, and the next start cuts it off.\n", v.Torn)
	}
	if len(v.Queues) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "QUEUE\tMESSAGES\tVISIBLE\tDELAYED\tIN FLIGHT\tDOUBTFUL\tLOST\tSIZE")
	for _, q := range v.Queues {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", q.Name, q.Messages, q.Visible, q.Delayed, q.InFlight, q.Doubtful, q.Lost, memory(q.Bytes))
	}
	return w.Flush()
}

// shownLost is how many lost messages of one damage are listed; --json has all.
const shownLost = 10

func printDamage(out io.Writer, d diskqueue.Damage) error {
	size := ""
	if d.Bytes > 0 {
		size = ", " + count(d.Bytes, "byte")
	}
	_, err := fmt.Fprintf(out, "%s at offset %d%s: %s\n", d.File, d.Offset, size, d.Reason)
	if d.Cost != "" {
		fmt.Fprintf(out, "    %s\n", d.Cost)
	}
	for i, l := range d.Lost {
		if i == shownLost {
			fmt.Fprintf(out, "    … and %d more\n", len(d.Lost)-i)
			break
		}
		fmt.Fprintf(out, "    %s\n", describeLost(l))
	}
	return err
}

func describeLost(l diskqueue.Lost) string {
	words := []string{fmt.Sprintf("message %d", l.Number)}
	if l.Queue != "" {
		words = append(words, "of queue "+l.Queue)
	}
	if !l.Sent.IsZero() {
		words = append(words, "sent "+l.Sent.Format(time.RFC3339))
	}
	if l.ID != "" {
		words = append(words, "id "+l.ID)
	}
	return strings.Join(words, ", ")
}
