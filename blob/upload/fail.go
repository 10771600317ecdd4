package upload

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// An Error is what a bucket did not do.
type Error struct {
	Doing  string // "put", "list"
	Bucket string
	Key    string // "": all of it
	Code   string // of S3, such as "AccessDenied"; "": there was no answer
	Advice string // what to do; "": nothing is known
	Err    error  // as the SDK tells it
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Doing
	if e.Key != "" {
		text += " " + e.Key + " in"
	}
	text = fmt.Sprintf("%s bucket %s: %s", text, e.Bucket, e.what())
	if e.Advice != "" {
		text += "; " + e.Advice
	}
	return text
}

// what is the SDK's error without the names that the SDK puts around it.
func (e *Error) what() string {
	var api smithy.APIError
	if errors.As(e.Err, &api) {
		if m := api.ErrorMessage(); m != "" {
			return fmt.Sprintf("%s (%s)", strings.TrimSuffix(m, "."), e.Code)
		}
		return e.Code
	}
	var of *smithy.OperationError
	if errors.As(e.Err, &of) {
		return of.Err.Error()
	}
	return e.Err.Error()
}

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.Err }

// permissions are what is needed for each verb.
var permissions = map[string]string{"list": "s3:ListBucket", "get": "s3:GetObject", "look at": "s3:GetObject", "put": "s3:PutObject",
	"delete": "s3:DeleteObject", "delete from": "s3:DeleteObject"}

func (b *Bucket) failed(doing, key string, err error) error {
	e := &Error{Doing: doing, Bucket: b.opt.Bucket, Err: err}
	if key != "" {
		e.Key = b.opt.Prefix + key
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code = api.ErrorCode()
	}
	switch e.Code {
	case "NoSuchBucket":
		e.Advice = "create it, or give another"
	case "AccessDenied", "Forbidden":
		e.Advice = fmt.Sprintf("the credentials need %s on %s/%s*", permissions[doing], b.opt.Bucket, b.opt.Prefix)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "XAdminUserNotFound":
		e.Advice = "the store does not accept the credentials: look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_PROFILE"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "MovedPermanently":
		e.Advice = "the bucket is in another region: set AWS_REGION"
	case "InsufficientStorage":
		e.Advice = "make room, and run it again"
	case "":
		if strings.Contains(err.Error(), "get identity") || strings.Contains(err.Error(), "get credentials") {
			e.Advice = "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
		}
	}
	return e
}

// refused is an error that came in an answer about many objects.
func refused(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message}
}

// isStatus reports whether a request was answered with one of these.
func isStatus(err error, codes ...int) bool {
	var res *awshttp.ResponseError
	return errors.As(err, &res) && slices.Contains(codes, res.HTTPStatusCode())
}
