package sqsserver

import (
	"context"
	"errors"
	"strconv"

	"github.com/dayfly-dev/dayfly/queue"
)

// kind of error: how SQS names it in both protocols, and its HTTP status, from
// the service's model and the API reference's common errors.
type kind struct {
	shape  string // of the JSON protocol
	query  string // of the query protocol
	status int
	coral  bool // a shape of the framework below SQS, not of its model
}

var (
	batchEntryIDsNotDistinct = kind{"BatchEntryIdsNotDistinct", legacy + "BatchEntryIdsNotDistinct", 400, false}
	batchRequestTooLong      = kind{"BatchRequestTooLong", legacy + "BatchRequestTooLong", 400, false}
	emptyBatchRequest        = kind{"EmptyBatchRequest", legacy + "EmptyBatchRequest", 400, false}
	invalidBatchEntryID      = kind{"InvalidBatchEntryId", legacy + "InvalidBatchEntryId", 400, false}
	tooManyEntries           = kind{"TooManyEntriesInBatchRequest", legacy + "TooManyEntriesInBatchRequest", 400, false}
	invalidAttributeName     = kind{"InvalidAttributeName", "InvalidAttributeName", 400, false}
	invalidAttributeValue    = kind{"InvalidAttributeValue", "InvalidAttributeValue", 400, false}
	invalidMessageContents   = kind{"InvalidMessageContents", "InvalidMessageContents", 400, false}
	messageNotInflight       = kind{"MessageNotInflight", legacy + "MessageNotInflight", 400, false}
	overLimit                = kind{"OverLimit", "OverLimit", 403, false}
	purgeInProgress          = kind{"PurgeQueueInProgress", legacy + "PurgeQueueInProgress", 403, false}
	queueDeletedRecently     = kind{"QueueDeletedRecently", legacy + "QueueDeletedRecently", 400, false}
	queueDoesNotExist        = kind{"QueueDoesNotExist", legacy + "NonExistentQueue", 400, false}
	queueNameExists          = kind{"QueueNameExists", "QueueAlreadyExists", 400, false}
	receiptHandleIsInvalid   = kind{"ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404, false}
	resourceNotFound         = kind{"ResourceNotFoundException", "ResourceNotFoundException", 404, false}
	unsupportedOperation     = kind{"UnsupportedOperation", legacy + "UnsupportedOperation", 400, false}

	emptyValue            = kind{"EmptyValue", "EmptyValue", 400, true} // of an entry of a batch only
	invalidParameterValue = kind{"InvalidParameterValueException", "InvalidParameterValue", 400, true}
	missingRequired       = kind{"MissingRequiredParameterException", "MissingParameter", 400, true}
	serialization         = kind{"SerializationException", "MalformedInput", 400, true}
	unknownOperation      = kind{"UnknownOperationException", "InvalidAction", 400, true}
	serviceUnavailable    = kind{"ServiceUnavailableException", "ServiceUnavailable", 503, true}
	internalFailure       = kind{"InternalFailure", "InternalFailure", 500, true}
)

const legacy = "AWS.SimpleQueueService."

// apiError is an answer to the client.
type apiError struct {
	kind
	message string
}

func (e *apiError) Error() string { return e.shape + ": " + e.message }

func (e *apiError) queryCode() string { return e.query }
func (e *apiError) status() int       { return e.kind.status }

func (e *apiError) fault() string {
	if e.kind.status >= 500 {
		return "Receiver"
	}
	return "Sender"
}

func (e *apiError) encode(w *encoder) {
	namespace := "com.amazonaws.sqs#"
	if e.coral {
		namespace = "com.amazon.coral.service#"
	}
	w.begin()
	w.str("__type", namespace+e.shape)
	w.str("message", e.message)
	w.end()
}

func missingParameter(name string) *apiError {
	return &apiError{missingRequired, "The request must contain the parameter " + name + "."}
}

func wrongValue(value, name, reason string) *apiError {
	return &apiError{invalidParameterValue, "Value " + value + " for parameter " + name + " is invalid. Reason: " + reason}
}

func noSuchQueue() *apiError {
	return &apiError{queueDoesNotExist, "The specified queue does not exist."}
}

func unknownAttribute(name string) *apiError {
	return &apiError{invalidAttributeName, "Unknown Attribute " + name + "."}
}

// answers to errors that depend on state. Where the answer repeats what was
// given, a receipt handle or a size, the action made it before.
var answers = []struct {
	is      error
	kind    kind
	message string
}{
	{queue.ErrQueueNotFound, queueDoesNotExist, "The specified queue does not exist."},
	{queue.ErrQueueExists, queueNameExists, "A queue already exists with the same name and a different value for an attribute."},
	{queue.ErrQueueDeletedRecently, queueDeletedRecently,
		"You must wait 60 seconds after deleting a queue before you can create another with the same name."},
	{queue.ErrReceiptInvalid, receiptHandleIsInvalid, "The input receipt handle is not a valid receipt handle."},
	{queue.ErrReceiptExpired, invalidParameterValue, "The receipt handle has expired."},
	{queue.ErrNotInFlight, messageNotInflight, "The message is not in flight under this receipt handle."},
	{queue.ErrVisibilityTooLong, invalidParameterValue, "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]."},
	{queue.ErrOverLimit, overLimit, "The maximum number of messages in flight is reached."},
	{queue.ErrNoDedupID, invalidParameterValue,
		"The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
	{queue.ErrPurgeInProgress, purgeInProgress, "Only one PurgeQueue operation on a queue is allowed every 60 seconds."},
	{queue.ErrTooLarge, invalidParameterValue, "One or more parameters are invalid. Reason: Message must be shorter than the queue's MaximumMessageSize."},
	{queue.ErrMoveNotFound, resourceNotFound, "Task does not exist."},
	{queue.ErrMoveActive, unsupportedOperation, "As many message move tasks run as may run at a time."},
	{queue.ErrUnsupported, unsupportedOperation, "The operation is not supported by this queue service."},
	{queue.ErrFull, serviceUnavailable, "There is no room on the disk of the queue service; nothing was stored."},
	{queue.ErrClosed, serviceUnavailable, "The queue service is closed."},
	{context.Canceled, serviceUnavailable, "The request was given up."},
}

// failure is the one place where errors of the queue become answers.
func (s *Server) failure(err error) *apiError {
	var a *apiError
	if errors.As(err, &a) {
		return a
	}
	var invalid *queue.InvalidError
	if errors.As(err, &invalid) {
		return invalidArgument(invalid)
	}
	for _, m := range answers {
		if errors.Is(err, m.is) {
			if m.kind.status >= 500 {
				s.log.Warn("sqs: request failed", "err", err)
			}
			return &apiError{m.kind, m.message}
		}
	}
	s.log.Error("sqs: request failed", "err", err)
	return &apiError{internalFailure, "The request failed inside the queue service; its log says why."}
}

// invalidArgument answers what package queue refused and no action found a word
// for: actions say in SQS's words what it says in its own.
func invalidArgument(e *queue.InvalidError) *apiError {
	if e.Field == "Name" {
		return noSuchQueue() // of a URL; createQueue checks names itself
	}
	name := e.Field
	if n, ok := parameterNames[name]; ok {
		name = n
	}
	return wrongValue(e.Value, name, "It "+e.Reason+".")
}

// parameterNames are the API's for the fields of package queue.
var parameterNames = map[string]string{
	"Delay": "DelaySeconds", "Visibility": "VisibilityTimeout", "Max": "MaxNumberOfMessages", "Wait": "WaitTimeSeconds",
	"GroupID": "MessageGroupId", "DedupID": "MessageDeduplicationId", "AttemptID": "ReceiveRequestAttemptId",
	"Retention": "MessageRetentionPeriod", "ReceiveWait": "ReceiveMessageWaitTimeSeconds", "MaxMessageSize": "MaximumMessageSize",
	"FIFO": "FifoQueue", "ContentDedup": "ContentBasedDeduplication", "GroupDedup": "DeduplicationScope",
	"DeadLetter.Queue": "RedrivePolicy", "DeadLetter.MaxReceives": "RedrivePolicy",
}

// inRange checks a number that was given.
func inRange(name string, n, min, max int, reason string) error {
	if n >= min && n <= max {
		return nil
	}
	return wrongValue(strconv.Itoa(n), name, reason)
}
