package dynamorecords

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/dayfly-dev/dayfly/internal/awsclient"
)

// FromURL returns the options that an address says:
//
//	dynamodb://table/prefix?region=eu-central-1&endpoint=http://localhost:8000&create=no
//
// All but the table may be left out. What is left out, and the credentials, are
// the AWS SDK's own configuration: AWS_REGION, AWS_ENDPOINT_URL, AWS_PROFILE,
// files, the machine's role. create=no sets MustExist. It sends no request.
func FromURL(ctx context.Context, u *url.URL) (Options, error) {
	var opts Options
	form := awsclient.Form{Package: "dynamorecords", Scheme: "dynamodb", Place: "table", Own: func(name, value string) (known bool, wrong string) {
		switch {
		case name != "create":
			return false, ""
		case value != "yes" && value != "no":
			return true, "has create=" + value + ", which is yes or no"
		}
		opts.MustExist = value == "no"
		return true, ""
	}}
	a, err := form.Read(ctx, u)
	if err != nil {
		return Options{}, err
	}
	if err := checkPrefix(a.Prefix); err != nil {
		return Options{}, err
	}
	opts.Table, opts.Prefix, opts.Client = a.Place, a.Prefix, dynamodb.NewFromConfig(a.Config)
	return opts, nil
}
