package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dayfly-dev/dayfly/app/manifest"
)

// external says which services dayfly does not embed because its own
// environment names others: that is how the same application runs on AWS.
//
//	AWS_ENDPOINT_URL set, or DAYFLY_AWS=1   SQS, SNS, S3 and SES are AWS's (or that endpoint's)
//	CACHE_<NAME>_URL                         that cache
//	DATABASE_URL, DATABASE_<NAME>_URL        that database
//	RECORDS_URL                              that store of records
//	SMTP_URL                                 mail goes there
//
// DAYFLY_AWS=1 is asked for because credentials in a developer's shell must
// not be enough to make a local `up` write to a real account.
type external struct {
	AWS  bool
	SMTP string
	env  map[string]string
}

func findExternal(env map[string]string) (external, error) {
	x := external{env: env, SMTP: env["SMTP_URL"]}
	switch v := env["DAYFLY_AWS"]; v {
	case "", "0":
		x.AWS = env["AWS_ENDPOINT_URL"] != ""
	case "1":
		x.AWS = true
	default:
		return x, fmt.Errorf("DAYFLY_AWS is %q; it is 1 to use AWS's services, or unset", v)
	}
	if x.AWS && env["AWS_REGION"] == "" && env["AWS_DEFAULT_REGION"] == "" {
		return x, fmt.Errorf("AWS_REGION is not set, and the environment asks for AWS's services: set it, such as AWS_REGION=eu-central-1")
	}
	return x, nil
}

// notItsOwn refuses an environment that `dayfly env` printed for this very
// application: it names the services that are to be started as others' to use.
func (a *App) notItsOwn() error {
	if a.environ["AWS_ACCESS_KEY_ID"] != a.keys.AccessKey {
		return nil
	}
	return errors.New("this shell has the application's own `dayfly env`, whose addresses would be used instead of starting the services: " +
		"run `dayfly up` in a shell without it")
}

// cache returns the address of a cache that is not ours, or "".
func (x *external) cache(name string) string { return x.env["CACHE_"+envName(name)+"_URL"] }

// database returns the address of a database named by the environment, or "".
func (x *external) database(name string) string {
	if v := x.env["DATABASE_"+envName(name)+"_URL"]; v != "" || name != "default" {
		return v
	}
	return x.env["DATABASE_URL"]
}

// records returns the address of a store of records named by the environment,
// or "".
func (x *external) records() string { return x.env["RECORDS_URL"] }

// bucket returns a bucket's name on S3: BUCKET_<NAME>, else APPLICATION-NAME,
// as bucket names are shared by all of AWS's customers.
func (x *external) bucket(m *manifest.Manifest, name string) string {
	if v := x.env["BUCKET_"+envName(name)]; v != "" {
		return v
	}
	return m.Name + "-" + name
}

// queue returns a queue's name on SQS: the last part of QUEUE_<NAME>_URL, else
// APPLICATION-NAME.
func (x *external) queue(m *manifest.Manifest, name string) string {
	if v := x.env["QUEUE_"+envName(name)+"_URL"]; v != "" {
		return v[strings.LastIndexByte(v, '/')+1:]
	}
	return m.Name + "-" + m.ServiceName(name)
}
