package sqsserver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/queue"
)

// What SQS says of a message it does not take. Whether it does is for package
// queue to decide, whose errors are in terms of Go; here they are put in the
// words that clients know, which repeat what was given. Entries of a batch are
// refused in fewer words.

const wrongQueueType = "The request include parameter that is not valid for this queue type"

// check refuses what package queue cannot see or would take to mean something
// else.
func (m *sending) check() error {
	switch {
	case m.out.Body == "":
		return m.noBody()
	case m.listed:
		return &apiError{unsupportedOperation, "Message attribute list values in SendMessage operation are not supported."}
	case m.fifo && m.delay != absent && m.delay != 0:
		return wrongValue(strconv.Itoa(m.delay), "DelaySeconds", wrongQueueType+".")
	case m.delay != absent && (m.delay < 0 || m.delay > 900):
		return wrongValue(strconv.Itoa(m.delay), "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
	case m.fifo && !m.grouped:
		return m.noGroup()
	case m.grouped && m.out.GroupID == "":
		return m.wrongToken("MessageGroupId", "")
	case m.deduplicated && m.out.DedupID == "":
		return m.wrongToken("MessageDeduplicationId", "")
	}
	return nil
}

// inFailed reports whether the answer goes into the list of failed entries.
func (m *sending) inFailed() bool { return m.place > 0 && !m.fifo }

func (m *sending) noBody() error {
	if m.place == 0 {
		return missingParameter("MessageBody")
	}
	missing := missingParameter(entryMember(sendEntry, m.place-1, "MessageBody"))
	if m.inFailed() {
		missing.kind = emptyValue
	}
	return missing
}

func (m *sending) noGroup() error {
	missing := missingParameter("MessageGroupId")
	if m.place > 0 {
		missing.kind = invalidParameterValue
	}
	return missing
}

func (m *sending) wrongToken(name, value string) error {
	reason := name + " can only include alphanumeric and punctuation characters. 1 to 128 in length"
	if m.inFailed() {
		return &apiError{invalidParameterValue, reason}
	}
	return wrongValue(value, name, reason+".")
}

// refusal puts the error of a message in SQS's words.
func (m *sending) refusal(c *call, name string, err error) error {
	var invalid *queue.InvalidError
	if errors.Is(err, queue.ErrTooLarge) {
		return m.tooLarge(c.maxMessageSize(name))
	}
	if !errors.As(err, &invalid) {
		return err
	}
	field := invalid.Field
	if strings.HasPrefix(field, "[") { // its place among several
		_, field, _ = strings.Cut(field, ".")
	}
	switch {
	case field == "Send":
		return m.tooLarge(maxBatchBytes)
	case field == "Body":
		return &apiError{invalidMessageContents, "Invalid binary character '#x" + wrongCharacter(m.out.Body) +
			"' was found in the message body, " + allowedCharacters}
	case field == "GroupID":
		return m.wrongToken("MessageGroupId", m.out.GroupID)
	case field == "DedupID" && !m.fifo && m.inFailed():
		return &apiError{invalidParameterValue, wrongQueueType}
	case field == "DedupID" && !m.fifo:
		return wrongValue(m.out.DedupID, "MessageDeduplicationId", wrongQueueType+".")
	case field == "DedupID":
		return m.wrongToken("MessageDeduplicationId", m.out.DedupID)
	case strings.HasPrefix(field, "Attributes"):
		return &apiError{invalidParameterValue, m.wrongAttributes(invalid)}
	case strings.HasPrefix(field, "System"):
		return &apiError{invalidParameterValue, m.wrongSystemAttributes()}
	}
	return err
}

// maxMessageSize is the size a queue takes, or the most that any takes.
func (c *call) maxMessageSize(name string) int {
	if q, err := c.queues.Describe(c.r.Context(), name); err == nil {
		return q.Attributes.MaxMessageSize
	}
	return maxBatchBytes
}

func (m *sending) tooLarge(limit int) error {
	wrong := "are invalid"
	if m.inFailed() {
		wrong = "cannot be validated"
	}
	return &apiError{invalidParameterValue, fmt.Sprintf("One or more parameters %s. Reason: Message must be shorter than %d bytes.", wrong, limit)}
}

const allowedCharacters = "the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."

// wrongCharacter is the first character in a text that SQS does not take, in
// hexadecimal.
func wrongCharacter(text string) string {
	for _, r := range text {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return strings.ToUpper(strconv.FormatInt(int64(r), 16))
		}
	}
	return "?" // there is one
}

// wrongAttributes says what is wrong with a message's attributes.
func (m *sending) wrongAttributes(invalid *queue.InvalidError) string {
	if n := len(m.out.Attributes); n > 10 {
		return "Number of message attributes [" + strconv.Itoa(n) + "] exceeds the allowed maximum [10]."
	}
	for _, name := range slices.Sorted(maps.Keys(m.out.Attributes)) {
		reason := wrongAttributeName(name)
		if reason == "" {
			reason = wrongAttributeValue(name, m.out.Attributes[name])
		}
		// The first that is wrong is the one that was refused, but for a rule
		// that only package queue knows.
		if reason != "" {
			return reason
		}
	}
	return "A message (user) attribute is invalid: " + invalid.Field + " " + invalid.Reason + "."
}

func wrongAttributeName(name string) string {
	const reserved = "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use."
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return "The request must contain non-empty message (user) attribute names."
	case len(name) > 256:
		return "Message (user) attribute name must be shorter than 256 bytes."
	case strings.HasPrefix(lower, "aws."), strings.HasPrefix(lower, "amazon."):
		return reserved
	case name[0] == '.', name[len(name)-1] == '.', strings.Contains(name, ".."):
		return reserved + " Additionally, they cannot start or end with '.'."
	case !queue.IsAttributeName(name):
		return "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens and underscores. "
	}
	return ""
}

func wrongAttributeValue(name string, a queue.Attribute) string {
	attribute := "essage (user) attribute '" + name + "'"
	kind, _, _ := strings.Cut(a.DataType, ".")
	binary := kind == "Binary"
	switch {
	case a.DataType == "" && a.String == "" && len(a.Binary) == 0:
		return "The m" + attribute + " must contain a non-empty message attribute value."
	case a.DataType == "":
		return "M" + attribute + " must contain a non-empty attribute type."
	case len(a.DataType) > 256:
		return "Message (user) attribute type must be shorter than 256 bytes."
	case kind != "String" && kind != "Number" && !binary:
		return "The type of m" + attribute + " is invalid. You must use only the following supported type prefixes: Binary, Number, String."
	case binary && len(a.Binary) == 0, !binary && a.String == "":
		return "M" + attribute + " must contain a non-empty value of type '" + kind + "'."
	case !binary && wrongCharacter(a.String) != "?":
		return "Invalid binary character '#x" + wrongCharacter(a.String) + "' was found in the m" + attribute + ", " + allowedCharacters
	case kind == "Number" && !queue.IsNumber(a.String):
		return "Can't cast the value of m" + attribute + " to a number."
	}
	return ""
}

func (m *sending) wrongSystemAttributes() string {
	for _, name := range slices.Sorted(maps.Keys(m.out.System)) {
		if name != "AWSTraceHeader" {
			return "Message system attribute name '" + name + "' is invalid."
		}
	}
	return "Message system attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'."
}
