package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/dash"
)

func psCommand(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "ps",
		Short: "Show the processes and the services of the running application",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			s, err := client.Status(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), s)
			}
			return printStatus(c.OutOrStdout(), s)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printStatus(out io.Writer, s control.Status) error {
	fmt.Fprintf(out, "%s, up %s, process %d, dayfly %s\n", s.Name, time.Since(s.Started).Round(time.Second), s.PID, s.Version)
	if s.Reread() {
		fmt.Fprintf(out, "manifest read again %s ago\n", since(s.ManifestRead))
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROCESS\tSTATE\tPID\tPORT\tSINCE\tRESTARTS\tCPU\tMEMORY\tLAST EXIT")
	for _, g := range s.Groups {
		for _, x := range g.Processes {
			state := string(x.State)
			if x.State == dash.Running && !x.Healthy {
				state = "not answering"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", x.Name, state, number0(x.PID), number0(x.Port), since(x.Started),
				x.Restarts, percent(x.CPU), memory(x.Memory), x.LastExit)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if e := s.Edge; e.Requests > 0 {
		fmt.Fprintf(out, "\n%.1f requests a second, %.1f %% errors, p50 %s, p99 %s\n", e.Rate, 100*e.ErrorRate, short(e.P50), short(e.P99))
	}
	fmt.Fprintln(out)
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, x := range s.Addresses {
		fmt.Fprintf(w, "%s\t%s\t%s\n", x.Name, x.URL, x.Note)
	}
	for i, x := range s.Paused {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "Queue %s\tpaused %s\t\n", x.Queue, paused(x))
	}
	printSchedules(w, s.Schedules)
	return w.Flush()
}

func printSchedules(w io.Writer, all []dash.Schedule) {
	for i, x := range all {
		if i == 0 {
			fmt.Fprintln(w)
		}
		next := "never"
		if !x.Next.IsZero() {
			next = x.Next.Local().Format("2006-01-02 15:04:05 MST")
		}
		fmt.Fprintf(w, "Schedule %s\t%s → %s\tnext %s\n", x.Name, x.Spec, x.Task, next)
	}
}

func number0(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func since(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return time.Since(t).Round(time.Second).String()
}

func percent(cores float64) string {
	if cores < 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*cores)
}

func memory(bytes int64) string {
	if bytes <= 0 {
		return "-"
	}
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}

func short(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
