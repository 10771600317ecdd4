package queue

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a message, from the API reference of SendMessage,
// MessageAttributeValue and ReceiveMessage.
const (
	maxPayload       = 1 << 20 // bodies and attributes of one call
	maxAttributes    = 10
	maxAttributeName = 256
	maxAttributeType = 256
	maxToken         = 128 // group, deduplication and attempt ids
	maxReceiveBatch  = 10
	traceHeader      = "AWSTraceHeader"
)

// checkOutgoing checks the messages of one Send.
func checkOutgoing(name string, m []Outgoing) error {
	total := 0
	for i := range m {
		if err := checkMessage(name, &m[i]); err != nil {
			if len(m) > 1 {
				err.Field = "[" + strconv.Itoa(i) + "]." + err.Field
			}
			return err
		}
		total += m[i].Size()
	}
	if total > maxPayload {
		return invalid("Send", strconv.Itoa(total)+" bytes", "must be at most 1048576 bytes of bodies and attributes together")
	}
	return nil
}

func checkMessage(name string, m *Outgoing) *InvalidError {
	if m.Body == "" {
		return invalid("Body", "", "must not be empty")
	}
	if !allowedText(m.Body) {
		return invalid("Body", m.Body, "must be UTF-8 of #x9 #xA #xD #x20–#xD7FF #xE000–#xFFFD #x10000–#x10FFFF")
	}
	if len(m.Attributes) > maxAttributes {
		return invalid("Attributes", len(m.Attributes), "must be at most 10")
	}
	if err := checkAttributes(m.Attributes); err != nil {
		return err
	}
	for n, a := range m.System {
		if n != traceHeader {
			return invalid("System", n, "must be AWSTraceHeader")
		}
		if a.DataType != "String" || a.String == "" || a.Binary != nil || !allowedText(a.String) {
			return invalid("System[AWSTraceHeader]", a.DataType, "must be a String with a value")
		}
	}
	return checkOrdering(name, m)
}

// checkOrdering checks delay, group and deduplication id. Standard queues may
// have a group (fair queues) but nothing to deduplicate by.
func checkOrdering(name string, m *Outgoing) *InvalidError {
	if m.Delay != -1 && (m.Delay < 0 || m.Delay > maxDelay) {
		return invalid("Delay", m.Delay, "must be 0s to 15m0s, or -1 for the queue's")
	}
	if m.GroupID != "" && !allowedToken(m.GroupID) {
		return invalid("GroupID", m.GroupID, "must be at most 128 letters, digits and punctuation marks")
	}
	if m.DedupID != "" && !allowedToken(m.DedupID) {
		return invalid("DedupID", m.DedupID, "must be at most 128 letters, digits and punctuation marks")
	}
	if !isFIFO(name) {
		if m.DedupID != "" {
			return invalid("DedupID", m.DedupID, "is for FIFO queues only")
		}
		return nil
	}
	if m.GroupID == "" {
		return invalid("GroupID", "", "is required on a FIFO queue")
	}
	if m.Delay > 0 {
		return invalid("Delay", m.Delay, "is not taken for a single message of a FIFO queue")
	}
	return nil
}

// checkAttributes returns what is wrong with the first attribute, by name, that
// is wrong: the same message is always refused for the same reason.
func checkAttributes(m map[string]Attribute) (first *InvalidError) {
	var at string
	for name, a := range m {
		if err := checkAttribute(name, a); err != nil && (first == nil || name < at) {
			at, first = name, err
		}
	}
	return first
}

func checkAttribute(name string, a Attribute) *InvalidError {
	field := "Attributes[" + name + "]"
	if reason := wrongAttributeName(name); reason != "" {
		return invalid("Attributes", name, reason)
	}
	kind, _, _ := strings.Cut(a.DataType, ".")
	if len(a.DataType) > maxAttributeType || !allowedText(a.DataType) {
		return invalid(field+".DataType", a.DataType, "must be at most 256 characters")
	}
	switch kind {
	case "String", "Number":
		if a.String == "" || a.Binary != nil {
			return invalid(field+".String", a.String, "must have a value, and no Binary beside it")
		}
		if !allowedText(a.String) {
			return invalid(field+".String", a.String, "has a character SQS does not take")
		}
		if kind == "Number" && !IsNumber(a.String) {
			return invalid(field+".String", a.String, "must be a number of at most 38 digits, 10^-128 to 10^126 in size")
		}
	case "Binary":
		if len(a.Binary) == 0 || a.String != "" {
			return invalid(field+".Binary", len(a.Binary), "must have a value, and no String beside it")
		}
	default:
		return invalid(field+".DataType", a.DataType, "must be String, Number or Binary, with an optional .suffix")
	}
	return nil
}

// wrongAttributeName returns what is wrong with a message attribute's name, or "".
func wrongAttributeName(name string) string {
	if name == "" || len(name) > maxAttributeName {
		return "must be a name of 1 to 256 characters"
	}
	if !IsAttributeName(name) {
		return "must be a name of letters, digits, - _ and ."
	}
	if name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
		return "must not start or end with a dot nor have two in a row"
	}
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") {
		return "must not start with AWS. or Amazon."
	}
	return ""
}

// IsAttributeName reports whether name has only characters of a message
// attribute's name: letters and digits, also of other scripts, - _ and a dot.
// SQS documents those of ASCII and takes the others.
func IsAttributeName(name string) bool {
	for i := 0; i < len(name); {
		c := name[i]
		if c < utf8.RuneSelf {
			if !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(name[i:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
		i += n
	}
	return true
}

// allowedText reports whether s is UTF-8 of the characters SQS takes: those of
// XML 1.0.
func allowedText(s string) bool {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == 0xFFFE || r == 0xFFFF {
			return false
		}
		i += n
	}
	return true
}

// allowedToken: up to 128 of the printable ASCII characters without space.
func allowedToken(s string) bool {
	if len(s) > maxToken {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// IsNumber reports whether s is a value of a message attribute of type Number:
// optional sign, digits with an optional point, optional exponent; at most 38
// significant digits and 10^-128 to 10^126 in size.
func IsNumber(s string) bool {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	exp := 0
	if hasExponent {
		var err error
		if exp, err = strconv.Atoi(exponent); err != nil || exp < -1000 || exp > 1000 {
			return false
		}
	}
	if mantissa != "" && (mantissa[0] == '+' || mantissa[0] == '-') {
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	significant := strings.Trim(digits, "0")
	if significant == "" {
		return true // zero
	}
	// The number is 0.d1d2… × 10^magnitude.
	leading := len(digits) - len(strings.TrimLeft(digits, "0"))
	magnitude := len(whole) - leading + exp
	return len(significant) <= 38 && magnitude >= -127 &&
		(magnitude <= 126 || magnitude == 127 && significant == "1")
}

func checkReceive(o ReceiveOptions) error {
	if o.Max < 1 || o.Max > maxReceiveBatch {
		return invalid("Max", o.Max, "must be 1 to 10")
	}
	if o.Visibility != -1 && (o.Visibility < 0 || o.Visibility > maxVisibility) {
		return invalid("Visibility", o.Visibility, "must be 0s to 12h0m0s, or -1 for the queue's")
	}
	if o.Wait != -1 && (o.Wait < 0 || o.Wait > maxWait) {
		return invalid("Wait", o.Wait, "must be 0s to 20s, or -1 for the queue's")
	}
	if o.AttemptID != "" && !allowedToken(o.AttemptID) {
		return invalid("AttemptID", o.AttemptID, "must be at most 128 letters, digits and punctuation marks")
	}
	return nil
}

// Size in bytes of a message as SQS counts it against its limits.
func Size(m Outgoing) int { return m.Size() }
