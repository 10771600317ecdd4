package s3server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/versity/versitygw/s3err"
)

// BucketOptions say who else than the holder of the credentials reads a bucket.
type BucketOptions struct {
	// Public lets anyone read objects, not list them.
	Public bool
	// AllowOrigins are the origins ("https://www.example.com", or "*") whose
	// pages may fetch objects with a script (CORS). Default: "*" for a public
	// bucket, none for a private one.
	AllowOrigins []string
}

// ruleID marks the policy statement and the CORS rule that are ours.
const ruleID = "DayflyManifest"

// corsMaxAge is how long, in seconds, a browser remembers a preflight's answer.
const corsMaxAge = 3600

// MakeBucket makes the bucket, or makes the one that is there be as the options
// say; objects stay. A policy or CORS rules that someone else set on a bucket
// are left as they are, and are an error where the options ask for another.
func (s *Server) MakeBucket(ctx context.Context, name string, opts BucketOptions) error {
	_, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name, CreateBucketConfiguration: s.location()})
	var mine *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &mine) {
		return fmt.Errorf("s3server: make bucket %q: %w", name, err)
	}
	if err := s.setPolicy(ctx, name, opts.Public); err != nil {
		return fmt.Errorf("s3server: policy of bucket %q: %w", name, err)
	}
	origins := opts.AllowOrigins
	if len(origins) == 0 && opts.Public {
		origins = []string{"*"}
	}
	if err := s.setOrigins(ctx, name, origins); err != nil {
		return fmt.Errorf("s3server: CORS of bucket %q: %w", name, err)
	}
	return nil
}

func (s *Server) location() *types.CreateBucketConfiguration {
	if s.opts.Region == "us-east-1" { // which S3 does not let one name
		return nil
	}
	return &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(s.opts.Region)}
}

type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid, Effect, Principal, Action, Resource string
}

func (s *Server) setPolicy(ctx context.Context, name string, public bool) error {
	want, err := json.Marshal(policy{Version: "2012-10-17", Statement: []statement{{
		Sid: ruleID, Effect: "Allow", Principal: "*",
		Action: "s3:GetObject", Resource: "arn:aws:s3:::" + name + "/*",
	}}})
	if err != nil {
		return err
	}
	got, err := s.client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name})
	if err != nil && !notSet(err) {
		return err
	}
	ours := err == nil && *got.Policy == string(want)
	switch {
	case public && err == nil && !ours:
		return errors.New("it has a policy of its own, which stays: delete that one (aws s3api delete-bucket-policy) or drop `public`")
	case public && !ours:
		_, err = s.client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: aws.String(string(want))})
		return err
	case !public && ours:
		_, err = s.client.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &name})
		return err
	}
	return nil
}

func (s *Server) setOrigins(ctx context.Context, name string, origins []string) error {
	got, err := s.client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &name})
	if err != nil && !notSet(err) {
		return err
	}
	set := err == nil && len(got.CORSRules) > 0
	ours := set && len(got.CORSRules) == 1 && aws.ToString(got.CORSRules[0].ID) == ruleID
	if set && !ours {
		if len(origins) == 0 {
			return nil
		}
		return errors.New("it has CORS rules of its own, which stay: delete those (aws s3api delete-bucket-cors) or drop the origins")
	}
	if len(origins) == 0 {
		if ours {
			_, err = s.client.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &name})
			return err
		}
		return nil
	}
	_, err = s.client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &name, CORSConfiguration: &types.CORSConfiguration{
		CORSRules: []types.CORSRule{{
			ID:             aws.String(ruleID),
			AllowedOrigins: origins,
			AllowedMethods: []string{http.MethodGet, http.MethodHead},
			AllowedHeaders: []string{"*"},
			ExposeHeaders:  []string{"ETag"},
			MaxAgeSeconds:  aws.Int32(corsMaxAge),
		}},
	}})
	return err
}

// newClient is an S3 client of this server, past the network.
func (s *Server) newClient() *s3.Client {
	return s3.New(s3.Options{
		Region:       s.opts.Region,
		BaseEndpoint: aws.String("http://s3"),
		UsePathStyle: true,
		HTTPClient:   &http.Client{Transport: s.link},
		Retryer:      aws.NopRetryer{}, // nothing between here and the engine fails for a moment
		Credentials:  credentials.NewStaticCredentialsProvider(s.opts.AccessKey, s.opts.SecretKey, ""),
	})
}

// notSet tells that what was asked for (a policy, CORS rules, tags) is not there.
func notSet(err error) bool {
	code := ""
	var api smithy.APIError
	var own s3err.APIError
	var bucket s3err.BucketError
	switch {
	case errors.As(err, &api):
		code = api.ErrorCode()
	case errors.As(err, &bucket):
		code = bucket.Code
	case errors.As(err, &own):
		code = own.Code
	}
	switch code {
	case "NoSuchBucketPolicy", "NoSuchCORSConfiguration", "NoSuchTagSet":
		return true
	}
	return false
}
