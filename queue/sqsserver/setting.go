package sqsserver

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// setting is a change of a queue's attributes as a request gives them.
type setting struct {
	*call
	queue  string
	a      *queue.Attributes
	given  map[string]string
	create bool // by CreateQueue
}

// apply makes the change, name by name in a fixed order so that the same
// request has the same answer.
func (s *setting) apply() error {
	for _, name := range slices.Sorted(maps.Keys(s.given)) {
		if err := s.one(name, s.given[name]); err != nil {
			return err
		}
	}
	if err := s.encryption(); err != nil {
		return err
	}
	return s.throughput()
}

func (s *setting) one(name, value string) (err error) {
	switch name {
	case "VisibilityTimeout":
		s.a.Visibility, err = duration(name, value, 0, 43200)
	case "DelaySeconds":
		s.a.Delay, err = duration(name, value, 0, 900)
	case "MessageRetentionPeriod":
		s.a.Retention, err = duration(name, value, 60, 1209600)
	case "ReceiveMessageWaitTimeSeconds":
		s.a.ReceiveWait, err = duration(name, value, 0, 20)
	case "MaximumMessageSize":
		s.a.MaxMessageSize, err = number(name, value, 1024, 1048576)
	case "RedrivePolicy":
		err = s.redrive(value)
	case "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit":
		err = s.fifo(name, value)
	case "Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled":
		if err = s.checkExtra(name, value); err == nil {
			setExtra(s.a, name, value)
		}
	default:
		err = unknownAttribute(name)
	}
	return err
}

// checkExtra checks an attribute that is stored as given.
func (s *setting) checkExtra(name, value string) (err error) {
	switch {
	case name == "KmsDataKeyReusePeriodSeconds":
		_, err = number(name, value, 60, 86400)
	case name == "SqsManagedSseEnabled":
		if value != "true" && value != "false" {
			err = wrongAttribute(name)
		}
	case value == "": // takes it away
	case name == "Policy":
		err = s.checkPolicy(value)
	case name == "RedriveAllowPolicy":
		_, err = parseRedriveAllow(value)
	}
	return err
}

// fifo sets an attribute that only FIFO queues have.
func (s *setting) fifo(name, value string) (err error) {
	switch fifo := isFIFO(s.queue); {
	case name == "FifoQueue":
		return s.fifoQueue(value)
	case !fifo && name == "ContentBasedDeduplication":
		return unknownAttribute(name)
	case !fifo:
		return &apiError{invalidAttributeName, "You can specify the " + name + " only when FifoQueue is set to true."}
	case name == "ContentBasedDeduplication":
		s.a.ContentDedup, err = boolean(name, value)
	case name == "DeduplicationScope":
		if value != "messageGroup" && value != "queue" {
			return wrongAttribute(name)
		}
		s.a.GroupDedup = value == "messageGroup"
	default:
		if value != "perMessageGroupId" && value != "perQueue" {
			return wrongAttribute(name)
		}
		setExtra(s.a, name, value)
	}
	return err
}

// fifoQueue takes what cannot be changed, and only "true": a queue that is not
// FIFO does not have the attribute.
func (s *setting) fifoQueue(value string) error {
	fifo, err := boolean("FifoQueue", value)
	switch {
	case err != nil:
		return err
	case s.create && fifo: // and of such a name: create saw to it
		s.a.FIFO = true
	case s.create || !isFIFO(s.queue):
		return unknownAttribute("FifoQueue")
	case !fifo:
		return &apiError{invalidAttributeValue, "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."}
	}
	return nil
}

// encryption sees that a queue has one kind of it.
func (s *setting) encryption() error {
	key, managed := s.given["KmsMasterKeyId"], s.given["SqsManagedSseEnabled"]
	switch {
	case key != "" && managed == "true":
		return &apiError{invalidAttributeName,
			"You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE."}
	case key != "":
		setExtra(s.a, "SqsManagedSseEnabled", "false")
	case managed == "true":
		setExtra(s.a, "KmsMasterKeyId", "")
		setExtra(s.a, "KmsDataKeyReusePeriodSeconds", "")
	}
	return nil
}

// throughput sees that only groups that are apart have a limit each.
func (s *setting) throughput() error {
	_, scope := s.given["DeduplicationScope"]
	_, limit := s.given["FifoThroughputLimit"]
	if (scope || limit) && s.a.Extra["FifoThroughputLimit"] == "perMessageGroupId" && !s.a.GroupDedup {
		return &apiError{invalidAttributeValue,
			"The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup"}
	}
	return nil
}

// checkFIFOName compares a new queue's name with whether it is to be FIFO.
func checkFIFOName(name string, given map[string]string) error {
	value, ok := given["FifoQueue"]
	fifo, err := boolean("FifoQueue", value)
	switch {
	case ok && err != nil:
		return err
	case ok && !fifo:
		return unknownAttribute("FifoQueue")
	case fifo && !isFIFO(name):
		return &apiError{invalidParameterValue, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."}
	case !fifo && isFIFO(name):
		return wrongName()
	}
	return nil
}

// wrongName answers a name that cannot be a queue's.
func wrongName() error {
	return &apiError{invalidParameterValue, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"}
}

// isWrongName reports whether package queue refused a name.
func isWrongName(err error) bool {
	var invalid *queue.InvalidError
	return errors.As(err, &invalid) && invalid.Field == "Name"
}

func wrongAttribute(name string) *apiError {
	return &apiError{invalidAttributeValue, "Invalid value for the parameter " + name + "."}
}

func number(name, value string, min, max int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < min || n > max {
		return 0, wrongAttribute(name)
	}
	return n, nil
}

func duration(name, value string, min, max int) (time.Duration, error) {
	n, err := number(name, value, min, max)
	return seconds(n), err
}

func boolean(name, value string) (bool, error) {
	switch strings.ToLower(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, wrongAttribute(name)
}
