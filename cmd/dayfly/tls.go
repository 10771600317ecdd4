package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app"
	"github.com/dayfly-dev/dayfly/edge/cert"
)

func tlsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tls",
		Short: "Have this machine's browsers trust local certificates, or no more",
		Long: `Have this machine's browsers trust local certificates, or no more.

[edge.tls] local = true serves an application on this machine with certificates by
a root of its own, made once for all applications of a user. Nothing trusts it
until told to; it is good for localhost, NAME.localhost, NAME.test and loopback
addresses alone.`,
	}
	c.AddCommand(trustCommand("trust", "Have browsers and programs of this user trust the root"),
		trustCommand("untrust", "Have them trust it no more"))
	return c
}

func trustCommand(name, short string) *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		Long: short + `: Chromium's and Firefox's databases of this user by certutil, and the system's
roots, which curl, Python and Go read, by update-ca-certificates. The latter needs
root; to others the commands are printed.`,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := app.LocalRoot()
			if err != nil {
				return err
			}
			open := cert.OpenRoot
			if name == "untrust" {
				open = cert.ReadRoot
			}
			root, err := open(dir)
			if errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("there is no root in %s: nothing was ever trusted", dir)
			}
			if err != nil {
				return err
			}
			home, err := os.UserHomeDir()
			if err != nil {
				return err
			}
			return changeTrust(c.Context(), c.OutOrStdout(), root, home, name == "trust", show)
		},
	}
	c.Flags().BoolVar(&show, "print", false, "print the commands, and do nothing")
	return c
}

// changeTrust changes what may be changed, and prints the commands of the rest.
func changeTrust(ctx context.Context, out io.Writer, root *cert.Root, home string, trust, show bool) error {
	stores, missing := root.Stores(home)
	done, failed := map[bool]string{true: "trusts", false: "no longer trusts"}[trust], 0
	fmt.Fprintf(out, "root %s in %s\n", root.Fingerprint(), root.Path)
	for _, s := range stores {
		commands := s.Untrust
		if trust {
			commands = s.Trust
		}
		switch {
		case show || s.Root && os.Geteuid() != 0:
			fmt.Fprintf(out, "for %s:\n", s.Name)
			for _, c := range commands {
				sudo := ""
				if s.Root && os.Geteuid() != 0 {
					sudo = "sudo "
				}
				fmt.Fprintln(out, "  "+sudo+shellLine(c))
			}
		default:
			if err := cert.Run(ctx, commands); err != nil {
				failed++
				fmt.Fprintf(out, "%s: %v\n", s.Name, err)
				continue
			}
			fmt.Fprintf(out, "%s %s it\n", s.Name, done)
		}
	}
	if len(missing) > 0 {
		fmt.Fprintf(out, "not looked at, for programs that are missing: sudo apt-get install %s\n", strings.Join(missing, " "))
	}
	if trust {
		fmt.Fprintf(out, "by hand: curl --cacert %s; another system: add that file to its roots\n", root.Path)
	}
	if failed > 0 {
		return said{fmt.Errorf("%d of %d stores were not changed", failed, len(stores))}
	}
	return nil
}

// shellLine is a command as a shell reads it.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if strings.ContainsFunc(w, func(r rune) bool { return !strings.ContainsRune("/._-:,=", r) && (r < '0' || r > 'z') }) || w == "" {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
