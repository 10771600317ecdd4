package awsclient

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Form is how a kind of place at a service is addressed:
//
//	SCHEME://PLACE/PREFIX?region=REGION&endpoint=URL
//
// All but the place may be left out. What is left out, and the credentials, are
// the AWS SDK's own configuration: AWS_REGION, AWS_ENDPOINT_URL, AWS_PROFILE,
// files, the machine's role.
type Form struct {
	Package string // of whom errors speak: "s3records"
	Scheme  string // "s3"
	Place   string // what it is: "bucket"
	// Own takes another parameter, and says whether there is one of that name, or
	// what is wrong with the value. Default nil: there is none.
	Own func(name, value string) (known bool, wrong string)
}

// Address is what an address says.
type Address struct {
	Place, Prefix string     // the prefix without slashes at its ends
	Config        aws.Config // with a region
}

// Read reads an address. It sends no request to the place. Errors do not repeat
// what may be a secret.
func (f Form) Read(ctx context.Context, u *url.URL) (Address, error) {
	if u.Scheme != f.Scheme || u.Host == "" || u.Opaque != "" {
		return f.bad("names no " + f.Place)
	}
	if u.User != nil || u.Port() != "" || u.Fragment != "" {
		return f.bad("has more than a " + f.Place + ", a prefix and parameters")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return f.bad("has a query that cannot be read")
	}
	var with []func(*config.LoadOptions) error
	for name, values := range query {
		if len(values) != 1 || values[0] == "" {
			return f.bad("has the parameter " + name + " empty, or more than once")
		}
		option, wrong := f.parameter(name, values[0])
		if wrong != "" {
			return f.bad(wrong)
		}
		if option != nil {
			with = append(with, option)
		}
	}
	cfg, err := config.LoadDefaultConfig(ctx, with...)
	if err != nil {
		return Address{}, fmt.Errorf("%s: AWS configuration: %w", f.Package, err)
	}
	if cfg.Region == "" {
		return Address{}, errors.New(f.Package + ": no region: set AWS_REGION, or add ?region=REGION to the address")
	}
	return Address{Place: u.Host, Prefix: strings.Trim(u.Path, "/"), Config: cfg}, nil
}

func (f Form) bad(why string) (Address, error) {
	return Address{}, fmt.Errorf("%s: the address %s; it is %s://%s/PREFIX?region=REGION", f.Package, why, f.Scheme, strings.ToUpper(f.Place))
}

// parameter returns what a parameter sets, nil where that is not the SDK's.
func (f Form) parameter(name, value string) (option func(*config.LoadOptions) error, wrong string) {
	switch name {
	case "region":
		return config.WithRegion(value), ""
	case "endpoint":
		if e, err := url.Parse(value); err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" {
			return nil, "has an endpoint that is no http or https address"
		}
		return config.WithBaseEndpoint(value), ""
	}
	if f.Own != nil {
		if known, wrong := f.Own(name, value); known {
			return nil, wrong
		}
	}
	return nil, "has the parameter " + name + ", which is not known"
}
