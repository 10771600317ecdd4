package gateway

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/internal/sigv4"
)

// Error is an answer in the protocol of the request.
type Error struct {
	Status  int    // HTTP, 4xx
	Code    string // in the query protocol, e.g. SignatureDoesNotMatch
	Type    string // in the JSON protocols, e.g. InvalidSignatureException
	Message string // for the client
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// protocol is how a service is spoken to.
type protocol int

const (
	restJSON protocol = iota
	awsJSON           // JSON 1.0 and 1.1: the operation in X-Amz-Target
	query             // form in, XML out: the operation in Action
)

func protocolOf(r *http.Request) protocol {
	contentType := r.Header.Get("Content-Type")
	switch {
	case r.Header.Get("X-Amz-Target") != "", strings.HasPrefix(contentType, "application/x-amz-json-"):
		return awsJSON
	// Only a POST: curl says so of everything it sends with -d.
	case r.Method == http.MethodPost && strings.HasPrefix(contentType, "application/x-www-form-urlencoded"),
		strings.HasPrefix(r.URL.RawQuery, "Action="), strings.Contains(r.URL.RawQuery, "&Action="):
		return query
	}
	return restJSON
}

// otherProtocol reports whether a request cannot be meant for S3. "v2" is too
// short for a bucket's name; SES v2 has all its operations under it.
func otherProtocol(r *http.Request) bool {
	return protocolOf(r) != restJSON || strings.HasPrefix(r.URL.Path, "/v2/email/")
}

// WriteError answers with an error of this package or of sigv4.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	e := asError(err)
	id := uuid.NewString()
	h := w.Header()
	h.Set("X-Amzn-RequestId", id)
	switch protocolOf(r) {
	case query:
		h.Set("Content-Type", "text/xml")
		w.WriteHeader(e.Status)
		type xmlError struct{ Type, Code, Message string }
		xml.NewEncoder(w).Encode(struct { //nolint:errcheck // a client that left cannot be told
			XMLName   xml.Name `xml:"ErrorResponse"`
			Error     xmlError
			RequestId string
		}{Error: xmlError{"Sender", e.Code, e.Message}, RequestId: id})
		return
	case awsJSON:
		h.Set("Content-Type", jsonType(r))
		h.Set("X-Amzn-Query-Error", e.Code+";Sender")
	case restJSON:
		h.Set("Content-Type", "application/json")
	}
	h.Set("X-Amzn-ErrorType", e.Type)
	w.WriteHeader(e.Status)
	json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazon.coral.service#" + e.Type, "message": e.Message}) //nolint:errcheck // a client that left cannot be told
}

func jsonType(r *http.Request) string {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json-1.1") {
		return "application/x-amz-json-1.1"
	}
	return "application/x-amz-json-1.0"
}

func asError(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var s *sigv4.Error
	if errors.As(err, &s) {
		return &Error{Status: s.Status(), Code: s.Code(), Type: s.Type(), Message: s.Message}
	}
	return &Error{Status: http.StatusBadRequest, Code: "InvalidRequest", Type: "InvalidRequestException", Message: err.Error()}
}
