package dynamorecords

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// FromURL returns the options that an address says:
//
//	dynamodb://table/prefix?region=eu-central-1&endpoint=http://localhost:8000&create=no
//
// All but the table may be left out. What is left out, and the credentials, are
// the AWS SDK's own configuration: AWS_REGION, AWS_ENDPOINT_URL, AWS_PROFILE,
// files, the machine's role. create=no sets MustExist. It sends no request.
func FromURL(ctx context.Context, u *url.URL) (Options, error) {
	bad := func(why string) (Options, error) {
		return Options{}, errors.New("dynamorecords: the address " + why + "; it is dynamodb://TABLE/PREFIX?region=REGION")
	}
	if u.Scheme != "dynamodb" || u.Host == "" || u.Opaque != "" {
		return bad("names no table")
	}
	if u.User != nil || u.Port() != "" || u.Fragment != "" {
		return bad("has more than a table, a prefix and parameters")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return bad("has a query that cannot be read")
	}
	opts := Options{Table: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if err := checkPrefix(opts.Prefix); err != nil {
		return Options{}, err
	}
	var with []func(*config.LoadOptions) error
	for name, values := range query {
		if len(values) != 1 || values[0] == "" {
			return bad("has the parameter " + name + " empty, or more than once")
		}
		switch value := values[0]; name {
		case "region":
			with = append(with, config.WithRegion(value))
		case "endpoint":
			if e, err := url.Parse(value); err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" {
				return bad("has an endpoint that is no http or https address")
			}
			with = append(with, config.WithBaseEndpoint(value))
		case "create":
			if value != "yes" && value != "no" {
				return bad("has create=" + value + ", which is yes or no")
			}
			opts.MustExist = value == "no"
		default:
			return bad("has the parameter " + name + ", which is not known")
		}
	}
	cfg, err := config.LoadDefaultConfig(ctx, with...)
	if err != nil {
		return Options{}, fmt.Errorf("dynamorecords: AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return Options{}, errors.New("dynamorecords: no region: set AWS_REGION, or add ?region=REGION to the address")
	}
	opts.Client = dynamodb.NewFromConfig(cfg)
	return opts, nil
}
