package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app"
)

func envCommand(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "env",
		Short: "Print the running application's services as environment variables",
		Long: `Print what the application's processes are told about their services, so that
a shell, the aws command, boto3 or a REPL work against the same ones. The
output holds the keys of the embedded AWS endpoint. After a start with other
ports it is another one; ` + "`dayfly up`" + ` itself wants a shell without it.`,
		Example: `  eval "$(dayfly env)"
  aws s3 ls
  aws sqs list-queues`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			var v app.Variables
			if err := client.Environment(c.Context(), &v); err != nil {
				return err
			}
			if asJSON {
				m := map[string]string{}
				for _, x := range v {
					m[x.Name] = x.Value
				}
				return printJSON(c.OutOrStdout(), m)
			}
			fmt.Fprint(c.OutOrStdout(), v.Shell())
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
