// Package snsserver speaks the Amazon SNS protocol (API version 2010-03-31,
// query and XML), so that any AWS SDK can publish to the queues embedded in
// dayfly through topics, and send text messages, which an inbox keeps.
//
// Topics and subscriptions are on disk before a reply (doc/formats/topic.md).
// Publish answers when every queue that is subscribed, and whose filter lets
// the message through, has it on disk; deliver.go says what happens when one
// cannot take it. What SNS does besides queues and text messages is refused by
// name.
//
// A request comes authenticated: internal/gateway verified its signature.
package snsserver

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/mail/inbox"
)

const (
	// namespace of the answers.
	namespace = "http://sns.amazonaws.com/doc/2010-03-31/"

	// maxBody is the largest request in bytes: 1 MiB of messages, of which a
	// form may spell every byte as %XX, and the rest of the request.
	maxBody = 4 << 20
)

// Options of Open.
type Options struct {
	// Files keep the topics; required. One server has the folder at a time.
	Files vfs.FS
	// Queues take what is published; required.
	Queues Queues
	// Inbox keeps text messages; required.
	Inbox *inbox.Inbox
	// BaseURL is what addresses in notifications begin with, without a slash at
	// the end; nil means the scheme and Host of the request.
	BaseURL func(*http.Request) string
	// Region in ARNs; required.
	Region string
	// Account in ARNs, 12 digits; required.
	Account string
	// Log gets what could not be delivered and what is the server's own fault,
	// never a message's text; nil discards.
	Log *slog.Logger
}

// Server is an http.Handler for requests that were authenticated.
type Server struct {
	Options
	store  *store
	orders orders
	reply  sync.Pool // of *awsquery.Writer
}

// Open reads the topics and returns a server.
func Open(o Options) (*Server, error) {
	switch {
	case o.Files == nil || o.Queues == nil || o.Inbox == nil:
		return nil, errors.New("snsserver: Options.Files, Queues and Inbox are all required")
	case o.Region == "" || len(o.Account) != 12 || strings.Trim(o.Account, "0123456789") != "":
		return nil, fmt.Errorf("snsserver: region %q and account %q: a region and 12 digits are required", o.Region, o.Account)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.BaseURL == nil {
		o.BaseURL = requestBase
	}
	s := &Server{Options: o}
	s.reply.New = func() any { return new(awsquery.Writer) }
	var err error
	if s.store, err = openStore(o.Files); err != nil {
		return nil, fmt.Errorf("snsserver: %w", err)
	}
	return s, nil
}

func requestBase(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Close gives the folder back. No request may run.
func (s *Server) Close() error { return s.store.close() }

// MaxBody is the largest request in bytes.
func (s *Server) MaxBody() int64 { return maxBody }

// call is one request being served.
type call struct {
	*Server
	r    *http.Request
	form *awsquery.Form
	id   string // of the request
}

// action acts and returns what to write of its result; a nil function where
// the action has no result.
type action func(c *call) (func(*awsquery.Writer), error)

// actions by name, a file a family.
var actions = map[string]action{
	"CreateTopic":               createTopic,
	"DeleteTopic":               deleteTopic,
	"ListTopics":                listTopics,
	"GetTopicAttributes":        getTopicAttributes,
	"SetTopicAttributes":        setTopicAttributes,
	"Subscribe":                 subscribe,
	"ConfirmSubscription":       confirmSubscription,
	"Unsubscribe":               unsubscribe,
	"ListSubscriptions":         listSubscriptions,
	"ListSubscriptionsByTopic":  listSubscriptionsByTopic,
	"GetSubscriptionAttributes": getSubscriptionAttributes,
	"SetSubscriptionAttributes": setSubscriptionAttributes,
	"Publish":                   publish,
	"PublishBatch":              publishBatch,
	"TagResource":               tagResource,
	"UntagResource":             untagResource,
	"ListTagsForResource":       listTagsForResource,
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := s.reply.Get().(*awsquery.Writer)
	defer s.reply.Put(w)
	w.Reset()
	c := &call{Server: s, r: r, id: uuid.NewString()}
	name, result, err := c.serve()
	if err != nil {
		f := c.failure(name, err)
		w.Fault(namespace, f, c.id)
		w.Send(rw, f.Status, c.id)
		return
	}
	w.Reply(namespace, name, c.id, result)
	w.Send(rw, http.StatusOK, c.id)
}

func (c *call) serve() (name string, result func(*awsquery.Writer), err error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, c.r.Body, maxBody))
	if err != nil {
		return "", nil, fault(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request has more than %d bytes.", maxBody)
	}
	if c.form, err = awsquery.Parse(string(body), c.r.URL.RawQuery); err != nil {
		return "", nil, fault(http.StatusBadRequest, "MalformedQueryString", "%s.", err)
	}
	name = c.form.Get("Action")
	run := actions[name]
	switch {
	case run != nil:
		result, err = run(c)
	case name == "":
		err = fault(http.StatusBadRequest, "MissingAction", "The request has no Action.")
	default:
		err = fault(http.StatusBadRequest, "InvalidAction", "The action %q is not available here: there are topics, "+
			"subscriptions of queues and phone numbers, and Publish.", name)
	}
	return name, result, err
}
