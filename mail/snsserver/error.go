package snsserver

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
	"github.com/dayfly-dev/dayfly/mail/inbox"
)

// apiError is an answer to the client. Codes and texts are SNS's where they are
// known (service model, API reference, recorded answers).
type apiError struct{ awsquery.Fault }

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func fault(status int, code, format string, args ...any) *apiError {
	return &apiError{awsquery.Fault{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}}
}

// invalid is InvalidParameter, SNS's answer to nearly all that is wrong.
func invalid(format string, args ...any) *apiError {
	return fault(http.StatusBadRequest, "InvalidParameter", "Invalid parameter: "+format, args...)
}

// invalidValue is what SNS answers to a message attribute that is wrong.
func invalidValue(format string, args ...any) *apiError {
	return fault(http.StatusBadRequest, "ParameterValueInvalid", format, args...)
}

// missing is a required parameter that was not given; the name is the
// service's, which begins with a small letter.
func missing(name string) *apiError {
	return fault(http.StatusBadRequest, "ValidationError",
		"1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name)
}

var (
	errNoTopic        = fault(http.StatusNotFound, "NotFound", "Topic does not exist")
	errNoSubscription = fault(http.StatusNotFound, "NotFound", "Subscription does not exist")
	errNoResource     = fault(http.StatusNotFound, "ResourceNotFound", "Resource does not exist")
)

// failure is the one place where errors become answers.
func (c *call) failure(action string, err error) *awsquery.Fault {
	var a *apiError
	if errors.As(err, &a) {
		return &a.Fault
	}
	c.Log.Error("sns: request failed", "action", action, "request", c.id, "err", err)
	if isFull(err) {
		return &fault(http.StatusServiceUnavailable, "ServiceUnavailable",
			"There is no room on the disk. What was asked for may be done in part; make room and send the request again.").Fault
	}
	return &fault(http.StatusInternalServerError, "InternalError",
		"The request failed inside the service, and may be done in part; its log says why. Send the request again.").Fault
}

func isFull(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, inbox.ErrFull) || noSpace(err)
}
