package sqsserver

import (
	"fmt"
	"net/http"
	"strings"
)

// The query protocol: arguments in a form, by POST or in the query of the URL,
// replies in XML. It is the protocol of SDKs from before November 2023. A form
// is written anew as the JSON that actions read, and the JSON that they answer
// as XML, so that there is one implementation of each action.
//
// Source: "Making Query API requests" and "Interpreting responses" of the
// developer guide, and the service's model.

var (
	missingAction = kind{"MissingAction", "MissingAction", 400, true}
	// nothingAsked is a request in no protocol; the service answers it with a
	// document of its own.
	nothingAsked = kind{"UnknownOperationException", "UnknownOperationException", 404, true}
)

// speaksQuery reports whether a request without X-Amz-Target is to be answered
// in XML.
func speaksQuery(r *http.Request) bool {
	return r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json")
}

// serveQuery answers a request in the query protocol.
func (s *Server) serveQuery(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	x, err := s.query(r, id)
	status := http.StatusOK
	if err != nil {
		if r.Context().Err() != nil {
			return // nobody is there to answer
		}
		failure := s.failure(err)
		x, status = failure.document(id), failure.status()
	}
	h := w.Header()
	h["X-Amzn-Requestid"] = []string{id}
	h["Content-Type"] = xmlContentType
	write(w, status, x.b)
}

var xmlContentType = []string{"text/xml"} // shared by all replies, never written to

// query runs the action that a form asks for. Version is not looked at: what
// the versions before 2012-11-05 had is a part of it.
func (s *Server) query(r *http.Request, id string) (*document, error) {
	parameters, err := readParameters(r)
	if err != nil {
		return nil, err
	}
	name, err := actionOf(r, parameters)
	if err != nil {
		return nil, err
	}
	run, op := actions[name], operations[name]
	// The address of a queue is no place to ask for all of them.
	if run == nil || op.in == nil || onQueue(r) && (name == "CreateQueue" || name == "ListQueues") {
		return nil, noSuchAction(name)
	}
	var request, reply encoder
	if err := encodeForm(&request, op.in, r, parameters); err != nil {
		return nil, err
	}
	if err := run(&call{Server: s, r: r}, &decoder{b: request.b}, &reply); err != nil {
		return nil, err
	}
	return op.document(name, reply.b, id)
}

// readParameters reads those of the URL and of the body, which count more.
func readParameters(r *http.Request) ([]parameter, error) {
	list, err := appendParameters(nil, r.URL.RawQuery)
	if err != nil || r.Method != http.MethodPost {
		return list, err
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return appendParameters(list, string(body))
}

func actionOf(r *http.Request, parameters []parameter) (name string, err error) {
	for _, p := range parameters {
		if p.name == "Action" {
			name = p.value
		}
	}
	isForm := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodGet, name == "" && !isForm:
		return "", &apiError{nothingAsked, "There is no such operation."}
	case name == "":
		return "", &apiError{missingAction, "The request must contain the parameter Action."}
	}
	return name, nil
}

// onQueue reports whether a request went to the address of a queue.
func onQueue(r *http.Request) bool { return len(r.URL.Path) > 1 }

// encodeForm writes the arguments of an action in JSON. The queue is the one
// the request was sent to, unless the form names one.
func encodeForm(e *encoder, in *shape, r *http.Request, parameters []parameter) error {
	var a argument
	if onQueue(r) {
		if err := a.set(in, urlMember.tag, r.URL.Path); err != nil {
			return err
		}
	}
	for _, p := range parameters {
		if err := a.set(in, p.name, p.value); err != nil {
			return err
		}
	}
	return a.encode(e, in, "")
}

// document writes an action's reply, which is in JSON, in XML.
func (o *operation) document(name string, reply []byte, id string) (*document, error) {
	x := beginDocument(name + "Response")
	if o.out != nil {
		d := &decoder{b: reply}
		x.value(d, name+"Result", o.out)
		if err := d.done(); err != nil {
			return nil, fmt.Errorf("the reply of %s cannot be put in XML: %s", name, err) // not an answer to the client
		}
	}
	x.open("ResponseMetadata")
	x.element("RequestId", id)
	x.close("ResponseMetadata")
	x.close(name + "Response")
	return x, nil
}

// document writes the error in XML.
func (e *apiError) document(id string) *document {
	if e.kind == nothingAsked {
		return &document{b: []byte(xmlDeclaration + "<" + e.shape + "/>")}
	}
	message := e.message
	if e.kind == queueDoesNotExist {
		message = "The specified queue does not exist for this wsdl version." // as it is in this protocol
	}
	x := beginDocument("ErrorResponse")
	x.open("Error")
	x.element("Type", e.fault())
	x.element("Code", e.queryCode())
	x.element("Message", message)
	x.b = append(x.b, "<Detail/>"...)
	x.close("Error")
	x.element("RequestId", id)
	x.close("ErrorResponse")
	return x
}
