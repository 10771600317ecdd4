package stsserver_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/internal/stsserver"
)

// client of a gateway that has only STS.
func client(t *testing.T) *sts.Client {
	t.Helper()
	own := sigv4.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}
	g, err := gateway.New(gateway.Options{Credentials: []sigv4.Credentials{own},
		Services: map[string]http.Handler{"sts": &stsserver.Server{Account: "000000000000", Credentials: own}}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	return sts.New(sts.Options{Region: "eu-central-2", BaseEndpoint: &srv.URL,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")})
}

func TestIdentity(t *testing.T) {
	out, err := client(t).GetCallerIdentity(t.Context(), nil)
	if err != nil || *out.Account != "000000000000" || *out.Arn != "arn:aws:iam::000000000000:root" || *out.UserId != "000000000000" {
		t.Fatalf("%+v, %v", out, err)
	}
}

// TestAssumeRole: the keys of a role are good for further requests.
func TestAssumeRole(t *testing.T) {
	c := client(t)
	out, err := c.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/path/Worker"),
		RoleSessionName: aws.String("Celery"), DurationSeconds: aws.Int32(900)})
	if err != nil {
		t.Fatal(err)
	}
	if arn := *out.AssumedRoleUser.Arn; arn != "arn:aws:sts::123456789012:assumed-role/Worker/Celery" {
		t.Error(arn)
	}
	if left := time.Until(*out.Credentials.Expiration); left < 890*time.Second || left > 900*time.Second {
		t.Errorf("expires in %v", left)
	}
	_, err = c.GetCallerIdentity(context.Background(), nil, func(o *sts.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	})
	if err != nil {
		t.Errorf("with the role's keys: %v", err)
	}
}

func TestRefused(t *testing.T) {
	c := client(t)
	good := sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/Worker"), RoleSessionName: aws.String("Celery")}
	for name, change := range map[string]func(*sts.AssumeRoleInput){
		"role":    func(i *sts.AssumeRoleInput) { i.RoleArn = aws.String("arn:aws:iam::123456789012:user/Worker") },
		"session": func(i *sts.AssumeRoleInput) { i.RoleSessionName = aws.String("a b") },
		"short":   func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(899) },
		"long":    func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(43201) },
	} {
		input := good
		change(&input)
		_, err := c.AssumeRole(t.Context(), &input)
		if code(err) != "ValidationError" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.GetSessionToken(t.Context(), nil); code(err) != "InvalidAction" || !strings.Contains(err.Error(), "AssumeRole") {
		t.Errorf("another action: %v", err)
	}
}

func TestMalformed(t *testing.T) {
	for body, want := range map[string]string{"Action=%zz": "MalformedQueryString", "": "InvalidAction", strings.Repeat("a", 65<<10): "RequestEntityTooLarge"} {
		w := httptest.NewRecorder()
		new(stsserver.Server).ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(body)))
		if !strings.Contains(w.Body.String(), "<Code>"+want+"</Code>") {
			t.Errorf("%.40q: %d %s", body, w.Code, w.Body)
		}
	}
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}
