// Package sqsserver speaks the Amazon SQS protocols (API version 2012-11-05)
// in front of a queue.Service, so that any AWS SDK, in any language, works
// against the queues embedded in dayfly: JSON 1.0, and the older query protocol
// (a form in, XML out), in which SDKs from before November 2023 speak.
//
// A request comes authenticated: internal/gateway verified its signature and
// has its body in memory. What the service answers for wrong input is answered
// here: in JSON with its error codes in `__type` and in the header
// x-amzn-query-error, which SDKs made for the query protocol still read; in XML
// with the latter. Actions read and write JSON; a request in the query protocol
// is put in JSON and its reply in XML (query.go), by the shapes of
// queryoperation.go.
//
// Durable is what the service below makes durable; a reply is written after it
// returned.
package sqsserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

const (
	targetPrefix = "AmazonSQS."
	contentType  = "application/x-amz-json-1.0"

	// Largest request, bytes: ten messages of 1 MiB, which are answered with what
	// a batch may hold, or 1 MiB each character of which JSON may spell as \u0000.
	maxBody = 12 << 20
	// Larger reply buffers are not kept for the next reply, bytes.
	maxKeptReply = 256 << 10
)

// Options of New.
type Options struct {
	// Service keeps the queues; required.
	Service *queue.Service
	// BaseURL is what queue URLs begin with, without a slash at the end; nil
	// means the scheme and Host of the request.
	BaseURL func(*http.Request) string
	// Region in ARNs; "" means us-east-1.
	Region string
	// Account in ARNs and URLs, 12 digits; "" means 000000000000.
	Account string
	// Log gets what is the server's own fault; nil discards.
	Log *slog.Logger
}

// Server is an http.Handler for requests that were authenticated.
type Server struct {
	queues  *queue.Service
	baseURL func(*http.Request) string
	region  string
	account string
	log     *slog.Logger

	attributes sync.Mutex // read, change, write of attributes and tags
	closing    context.Context
	close      context.CancelFunc
	replies    sync.Pool // of *encoder
}

// New returns a server.
func New(o Options) (*Server, error) {
	s := &Server{queues: o.Service, baseURL: o.BaseURL, region: o.Region, account: o.Account, log: o.Log}
	if s.queues == nil {
		return nil, errors.New("sqsserver: Options.Service is missing")
	}
	if s.baseURL == nil {
		s.baseURL = requestBase
	}
	if s.region == "" {
		s.region = "us-east-1"
	}
	if s.account == "" {
		s.account = "000000000000"
	}
	if len(s.account) != 12 || strings.Trim(s.account, "0123456789") != "" {
		return nil, fmt.Errorf("sqsserver: account %q is not 12 digits", s.account)
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.replies.New = func() any { return new(encoder) }
	return s, nil
}

func requestBase(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// MaxBody is the largest request in bytes.
func (s *Server) MaxBody() int64 { return maxBody }

// Shutdown ends receives that wait: they answer at once with what they have,
// nothing. Call it before the Shutdown of the http.Server, which waits for the
// answers.
func (s *Server) Shutdown(context.Context) error {
	s.close()
	return nil
}

// call is one request being served.
type call struct {
	*Server
	r *http.Request
}

// action decodes its arguments, acts and encodes its result. The result is
// thrown away when it returns an error. An action that has none encodes nothing,
// not an object without members: so does SQS.
type action func(c *call, d *decoder, e *encoder) error

// actions by name, a file a family.
var actions = map[string]action{
	"CreateQueue":                  createQueue,
	"DeleteQueue":                  deleteQueue,
	"GetQueueUrl":                  getQueueURL,
	"ListQueues":                   listQueues,
	"PurgeQueue":                   purgeQueue,
	"ListDeadLetterSourceQueues":   listDeadLetterSourceQueues,
	"GetQueueAttributes":           getQueueAttributes,
	"SetQueueAttributes":           setQueueAttributes,
	"TagQueue":                     tagQueue,
	"UntagQueue":                   untagQueue,
	"ListQueueTags":                listQueueTags,
	"AddPermission":                addPermission,
	"RemovePermission":             removePermission,
	"SendMessage":                  sendMessage,
	"SendMessageBatch":             sendMessageBatch,
	"ReceiveMessage":               receiveMessage,
	"DeleteMessage":                deleteMessage,
	"DeleteMessageBatch":           deleteMessageBatch,
	"ChangeMessageVisibility":      changeMessageVisibility,
	"ChangeMessageVisibilityBatch": changeMessageVisibilityBatch,
	"StartMessageMoveTask":         startMessageMoveTask,
	"CancelMessageMoveTask":        cancelMessageMoveTask,
	"ListMessageMoveTasks":         listMessageMoveTasks,
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.Header["X-Amz-Target"]) == 0 && speaksQuery(r) {
		s.serveQuery(w, r)
		return
	}
	e := s.replies.Get().(*encoder)
	e.b = e.b[:0]
	err := s.serve(r, e)
	h := w.Header()
	h["X-Amzn-Requestid"] = []string{requestID()}
	h["Content-Type"] = jsonContentType
	if len(r.Header[entriesHeader]) > 0 {
		h[entriesHeader] = largeBatchOffer
	}
	status := http.StatusOK
	if err != nil {
		if r.Context().Err() != nil {
			return // nobody is there to answer
		}
		failure := s.failure(err)
		e.b = e.b[:0]
		failure.encode(e)
		h["X-Amzn-Query-Error"] = []string{failure.queryCode() + ";" + failure.fault()}
		status = failure.status()
	}
	h["Content-Length"] = []string{strconv.Itoa(len(e.b))}
	w.WriteHeader(status)
	w.Write(e.b) // an error is the client's: it is gone
	if cap(e.b) <= maxKeptReply {
		s.replies.Put(e)
	}
}

var jsonContentType = []string{contentType} // shared by all replies, never written to

func (s *Server) serve(r *http.Request, e *encoder) error {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	run := actions[name]
	if !ok || run == nil || r.Method != http.MethodPost {
		return noSuchAction(name)
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	return run(&call{Server: s, r: r}, &decoder{b: body}, e)
}

func noSuchAction(name string) *apiError {
	return &apiError{kind: unknownOperation, message: "The action " + strings.ToValidUTF8(name, "?") + " is not valid for this endpoint."}
}

// readBody takes what the gateway has in memory, or reads.
func readBody(r *http.Request) ([]byte, error) {
	if b, ok := r.Body.(interface{ Bytes() []byte }); ok {
		return b.Bytes(), nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, &apiError{kind: serialization, message: "The body ended before its length."}
	}
	if len(b) > maxBody {
		return nil, &apiError{kind: serialization, message: "The request must not be larger than " + strconv.Itoa(maxBody) + " bytes."}
	}
	return b, nil
}

// requestID is a random UUID; it need not be secret.
func requestID() string {
	const digits = "0123456789abcdef"
	var b [36]byte
	for half := range 2 {
		x := rand.Uint64()
		for i := range 16 {
			at := half*16 + i
			// Dashes before digits 8, 12, 16 and 20.
			for _, dash := range [4]int{8, 12, 16, 20} {
				if half*16+i >= dash {
					at++
				}
			}
			b[at] = digits[x&15]
			x >>= 4
		}
	}
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	b[14] = '4'
	return string(b[:])
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
