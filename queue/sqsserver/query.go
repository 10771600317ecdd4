package sqsserver

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// The query protocol: arguments in a form, by POST or in the query of the URL,
// replies in XML. A form is written anew in the JSON that actions read, and the
// JSON that they answer in XML, so that there is one implementation of each
// action and its fast path stays as it is.
//
// Source: the developer guide, "Making Query API requests" and "Interpreting
// Amazon SQS XML API responses", and the service's model of 2023.

var (
	missingAction  = kind{"MissingAction", "MissingAction", 400, true}
	malformedQuery = kind{"MalformedQueryString", "MalformedQueryString", 404, true}
)

// errNothingAsked is a request in neither protocol.
var errNothingAsked = errors.New("sqsserver: neither X-Amz-Target nor Action")

// speaksQuery reports whether a request without X-Amz-Target is to be answered
// in XML.
func speaksQuery(r *http.Request) bool {
	return r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json")
}

// serveQuery answers a request in the query protocol.
func (s *Server) serveQuery(w http.ResponseWriter, r *http.Request) {
	var x awsquery.Writer
	id := requestID()
	err := s.query(&x, r, id)
	switch {
	case err == nil:
		x.Send(w, http.StatusOK, id)
	case r.Context().Err() != nil:
		// nobody is there to answer
	case errors.Is(err, errNothingAsked):
		x.Text("UnknownOperationException", "")
		x.Send(w, http.StatusNotFound, id)
	default:
		failure := s.failure(err)
		x.Reset()
		failure.writeFault(&x, id)
		x.Send(w, failure.status(), id)
	}
}

// query runs the action that a form asks for. Version is not looked at: what
// the versions before 2012-11-05 had is a part of it.
func (s *Server) query(x *awsquery.Writer, r *http.Request, id string) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	name, given := form.Lookup("Action")
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodGet, !given && !isForm(r):
		return errNothingAsked
	case name == "":
		return &apiError{missingAction, "The request must contain the parameter Action."}
	}
	run, o := actions[name], operations[name]
	// The address of a queue is no place to make queues or to list them all.
	if run == nil || o.in == nil || onQueue(r) && (name == "CreateQueue" || name == "ListQueues") {
		return noSuchAction(name)
	}
	var request, reply encoder
	if err := encodeForm(&request, o.in, form, ""); err != nil {
		return err
	}
	if err := run(&call{Server: s, r: r}, &decoder{b: request.b}, &reply); err != nil {
		return err
	}
	return o.writeReply(x, name, reply.b, id)
}

// readForm reads the arguments. Those of the body come before those of the URL,
// and these before what the URL's path says: which queue is meant.
func readForm(r *http.Request) (*awsquery.Form, error) {
	var posted, queue string
	if r.Method == http.MethodPost {
		body, err := readBody(r)
		if err != nil {
			return nil, err
		}
		posted = string(body)
	}
	if onQueue(r) {
		queue = "QueueUrl=" + url.QueryEscape(r.URL.Path)
	}
	form, err := awsquery.Parse(posted, r.URL.RawQuery, queue)
	if err != nil {
		return nil, &apiError{malformedQuery, strings.ToValidUTF8(err.Error(), "?")}
	}
	return form, nil
}

func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// onQueue reports whether a request went to the address of a queue.
func onQueue(r *http.Request) bool { return len(r.URL.Path) > 1 }
