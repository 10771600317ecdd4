package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/upload"
	"github.com/dayfly-dev/dayfly/edge/versions"
	"github.com/dayfly-dev/dayfly/edge/versions/push"
)

func staticPushCommand(p *place) *cobra.Command {
	var (
		o      push.Options
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "push s3://BUCKET[/FOLDER]",
		Short: "Upload static files to a bucket, for a CDN",
		Long: `Upload the static files to a bucket on S3, or any other that speaks its
protocol, from which a CDN serves them at the paths where the site has them.

Each file is uploaded at its address, to be kept for ever (Cache-Control: public,
max-age=31536000, immutable), and at its plain name, to be asked for anew
(no-cache). What is there already is not sent again; nothing is deleted. What a
file refers to comes before it, plain names come last, and pages after all.

Files are uploaded as they are, and the CDN compresses them: on CloudFront,
"compress objects automatically" with a cache policy that has gzip and Brotli on.
With --siblings there are ADDRESS.br and ADDRESS.gz besides, smaller than a CDN
makes them, for one that is set up to choose by Accept-Encoding.

Credentials and region are found as the AWS command finds them, the endpoint in
AWS_ENDPOINT_URL. For the embedded store: eval "$(dayfly env)".`,
		Example: `  dayfly static push s3://my-bucket --dry-run
  dayfly static push s3://my-bucket/site --siblings`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			name, key, err := upload.ParseTarget(args[0])
			if err != nil {
				return usageError{err}
			}
			m, files, problems, err := readStatic(p)
			if err != nil {
				return err
			}
			if !asJSON {
				warnOf(c.ErrOrStderr(), m, problems)
			}
			client, err := blob.Client(c.Context())
			if err != nil {
				return err
			}
			shown := newProgress(c.ErrOrStderr(), "uploading")
			o.Bucket, o.Key, o.Prefix, o.Progress = name, key, m.Static.Prefix, shown.at
			result, err := push.Push(c.Context(), client, files, o)
			shown.end()
			if err != nil {
				if c.Context().Err() != nil {
					err = errors.New("stopped before the end")
				}
				return fmt.Errorf("%w\n%s uploaded; run it again to go on", err, count(int64(len(result.Uploaded)), "object"))
			}
			if asJSON {
				if problems == nil {
					problems = []versions.Problem{}
				}
				return printJSON(c.OutOrStdout(), struct {
					push.Result
					DryRun   bool               `json:"dry_run"`
					Problems []versions.Problem `json:"problems"`
				}{result, o.DryRun, problems})
			}
			verb := "uploaded"
			if o.DryRun {
				verb = "would upload"
				for _, x := range result.Uploaded {
					fmt.Fprintf(c.OutOrStdout(), "%s  %s  %s\n", x.Key, size(x.Size), x.Cache)
				}
			}
			fmt.Fprintf(c.OutOrStdout(), "%s %s (%s); %d there already\n", verb, count(int64(len(result.Uploaded)), "object"), size(result.Bytes), result.Present)
			return nil
		},
	}
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "upload nothing, and show what would be")
	c.Flags().BoolVar(&o.Siblings, "siblings", false, "add .br and .gz beside each file that gets smaller")
	c.Flags().BoolVar(&o.Force, "force", false, "upload what is there already, too")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: {uploaded:[{key,size,type,cache_control,encoding}],present,bytes,dry_run,problems}")
	return c
}
