// Package stsserver answers what applications ask AWS STS (2011-06-15, query
// and XML) of themselves: whose keys they have, and keys of a role.
//
// There is one account and one pair of keys, which may do everything: a role
// is that pair again, under a session token that nothing looks at, and its end
// is only said. Nothing is kept.
//
// A request comes authenticated: internal/gateway verified its signature.
package stsserver

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
)

const (
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	maxBody   = 64 << 10 // bytes of a request
)

// Server is an http.Handler for requests that were authenticated.
type Server struct {
	// Account, 12 digits.
	Account string
	// Credentials of the application, which AssumeRole gives out again.
	Credentials sigv4.Credentials
}

// MaxBody is the largest request in bytes.
func (s *Server) MaxBody() int64 { return maxBody }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var w awsquery.Writer
	id := uuid.NewString()
	action, result, fault := s.serve(r)
	if fault != nil {
		w.Fault(namespace, fault, id)
		w.Send(rw, fault.Status, id)
		return
	}
	w.Reply(namespace, action, id, result)
	w.Send(rw, http.StatusOK, id)
}

func (s *Server) serve(r *http.Request) (action string, result func(*awsquery.Writer), fault *awsquery.Fault) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return "", nil, &awsquery.Fault{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge",
			Message: fmt.Sprintf("The request has more than %d bytes.", maxBody)}
	}
	form, err := awsquery.Parse(string(body), r.URL.RawQuery)
	if err != nil {
		return "", nil, &awsquery.Fault{Status: http.StatusBadRequest, Code: "MalformedQueryString", Message: err.Error()}
	}
	switch action = form.Get("Action"); action {
	case "GetCallerIdentity":
		return action, s.identity, nil
	case "AssumeRole":
		result, fault = s.assumeRole(form)
		return action, result, fault
	}
	return action, nil, &awsquery.Fault{Status: http.StatusBadRequest, Code: "InvalidAction",
		Message: fmt.Sprintf("The action %q is not available here. Of STS there are GetCallerIdentity and AssumeRole.", action)}
}

// identity is that of the account itself.
func (s *Server) identity(w *awsquery.Writer) {
	w.Text("Arn", "arn:aws:iam::"+s.Account+":root")
	w.Text("UserId", s.Account)
	w.Text("Account", s.Account)
}

var (
	role    = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:role/([\x21-\x7e]{1,512}/)?([A-Za-z0-9+=,.@_-]{1,64})$`)
	session = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]{2,64}$`)
)

// Lifetimes of a role's keys, in seconds (AssumeRole).
const minSeconds, defaultSeconds, maxSeconds = 900, 3600, 43200

func (s *Server) assumeRole(f *awsquery.Form) (func(*awsquery.Writer), *awsquery.Fault) {
	wrong := func(format string, args ...any) (func(*awsquery.Writer), *awsquery.Fault) {
		return nil, &awsquery.Fault{Status: http.StatusBadRequest, Code: "ValidationError", Message: fmt.Sprintf(format, args...)}
	}
	arn, name := f.Get("RoleArn"), f.Get("RoleSessionName")
	part := role.FindStringSubmatch(arn)
	if part == nil {
		return wrong("%s is invalid", arn)
	}
	if !session.MatchString(name) {
		return wrong("RoleSessionName must be 2 to 64 letters, digits and characters of +=,.@_-")
	}
	seconds := defaultSeconds
	if v, given := f.Lookup("DurationSeconds"); given {
		var err error
		if seconds, err = strconv.Atoi(v); err != nil || seconds < minSeconds || seconds > maxSeconds {
			return wrong("DurationSeconds must be %d to %d", minSeconds, maxSeconds)
		}
	}
	token := make([]byte, 48)
	_, _ = rand.Read(token) // never fails
	account := strings.Split(arn, ":")[4]
	return func(w *awsquery.Writer) {
		w.Begin("Credentials")
		w.Text("AccessKeyId", s.Credentials.AccessKeyID)
		w.Text("SecretAccessKey", s.Credentials.SecretAccessKey)
		w.Text("SessionToken", base64.StdEncoding.EncodeToString(token))
		w.Text("Expiration", time.Now().UTC().Add(time.Duration(seconds)*time.Second).Format(time.RFC3339))
		w.End()
		w.Begin("AssumedRoleUser")
		w.Text("Arn", "arn:aws:sts::"+account+":assumed-role/"+part[2]+"/"+name)
		w.Text("AssumedRoleId", "AROA"+strings.Repeat("0", 17)+":"+name)
		w.End()
	}, nil
}
