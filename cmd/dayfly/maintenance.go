package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func maintenanceCommand(p *place) *cobra.Command {
	c := &cobra.Command{
		Use:   "maintenance",
		Short: "Show visitors a page in place of the site, while the team sees it",
		Long: `Show visitors a page in place of the site, while the team sees it.

Every request that would go to the application is answered with status 503, a
Retry-After header and a page; static files, clicks and the health path (if it
is not /) are served as ever. It lasts until it is ended, over restarts too. The page is
[edge.page] maintenance of dayfly.toml, or a plain one.`,
	}
	c.AddCommand(maintenanceOn(p), maintenanceOff(p), maintenanceStatus(p))
	return c
}

func maintenanceOn(p *place) *cobra.Command {
	want := control.Maintain{On: true}
	var asJSON bool
	c := &cobra.Command{
		Use:   "on",
		Short: "Begin maintenance, or change what it says and who sees the site",
		Long: `Begin maintenance, or change what it says and who sees the site.

With --allow the site is seen from a network or address. With --token an address is
printed that lets whoever opens it see the site for a day; the address is good
for 24 hours, and for as long as this maintenance lasts.`,
		Example: `  dayfly maintenance on --message "We are moving, and back at 14:00 UTC." --allow 192.0.2.0/24
  dayfly maintenance on --token`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			want.By = username()
			m, err := client.Maintain(c.Context(), want)
			if err != nil {
				return err
			}
			return printMaintenance(c.OutOrStdout(), m, asJSON)
		},
	}
	c.Flags().StringVar(&want.Message, "message", "", "what visitors are told, plain text")
	c.Flags().StringArrayVar(&want.Allow, "allow", nil, "a network or address that sees the site; may be given again")
	c.Flags().BoolVar(&want.Token, "token", false, "print an address that lets the team in")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func maintenanceOff(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "off",
		Short: "End maintenance",
		Long:  "End maintenance. A site that is in none is left as it is.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			m, err := client.Maintain(c.Context(), control.Maintain{By: username()})
			if err != nil {
				return err
			}
			return printMaintenance(c.OutOrStdout(), m, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func maintenanceStatus(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Say whether the site is in maintenance",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			m, err := client.Maintenance(c.Context())
			if err != nil {
				return err
			}
			return printMaintenance(c.OutOrStdout(), m, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printMaintenance(out io.Writer, m control.Maintenance, asJSON bool) error {
	if asJSON {
		return printJSON(out, m)
	}
	if !m.On {
		text := "the site is open"
		if m.Changed {
			text = "maintenance is over: " + text
		}
		_, err := fmt.Fprintln(out, text)
		return err
	}
	text := "the site is in maintenance since " + m.Since.Local().Format(time.DateTime)
	if m.By != "" {
		text += ", by " + plainText(m.By)
	}
	if m.Message != "" {
		text += "\n  visitors are told: " + plainText(m.Message)
	}
	for _, network := range m.Allow {
		text += "\n  seen from " + network
	}
	if m.Pass != "" {
		text += "\n  the team gets in, until " + m.Until.Local().Format(time.DateTime) + ", by " + m.Pass
	}
	_, err := fmt.Fprintln(out, text+"\n`dayfly maintenance off` ends it")
	return err
}
