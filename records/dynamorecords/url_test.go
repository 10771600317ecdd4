package dynamorecords

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestFromURL(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ENDPOINT_URL", "")
	for _, c := range []struct {
		address, table, prefix, region, endpoint string
		mustExist                                bool
	}{
		{"dynamodb://T_a-b.c", "T_a-b.c", "", "eu-central-1", "", false},
		{"dynamodb://t/app/one?region=us-east-2&create=no", "t", "app/one", "us-east-2", "", true},
		{"dynamodb://t?endpoint=http://127.0.0.1:8000&create=yes", "t", "", "eu-central-1", "http://127.0.0.1:8000", false},
		{address: "dynamodb:///app"},
		{address: "dynamodb:t"},
		{address: "s3://t"},
		{address: "dynamodb://user:secret@t"},
		{address: "dynamodb://t:80"},
		{address: "dynamodb://t?create=maybe"},
		{address: "dynamodb://t?crate=no"},
		{address: "dynamodb://t?region="},
		{address: "dynamodb://t?endpoint=127.0.0.1:8000"},
		{address: "dynamodb://t/é"},
		{address: "dynamodb://t/" + strings.Repeat("x", 256)},
	} {
		u, err := url.Parse(c.address)
		if err != nil {
			t.Fatal(err)
		}
		opts, err := FromURL(context.Background(), u)
		if c.table == "" {
			if err == nil {
				t.Errorf("%s was taken", c.address)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats what may be a secret: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		o := opts.Client.Options()
		if opts.Table != c.table || opts.Prefix != c.prefix || o.Region != c.region || aws.ToString(o.BaseEndpoint) != c.endpoint || opts.MustExist != c.mustExist {
			t.Errorf("%s: %+v, region %q, endpoint %q", c.address, opts, o.Region, aws.ToString(o.BaseEndpoint))
		}
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("0")
	f.Add("7key")
	f.Add("8key")
	f.Add("é")
	f.Fuzz(func(t *testing.T, from string) {
		if p, err := parsePlace(from); err == nil && from != "" && (p.String() != from || p.shard < 0 || p.shard >= shards) {
			t.Errorf("%q is taken for %+v", from, p)
		}
	})
}
