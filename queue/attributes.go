package queue

import (
	"strings"
	"time"
)

// Limits of SQS, from the API reference of CreateQueue, SetQueueAttributes,
// TagQueue and the developer guide's page on quotas.
const (
	maxName        = 80
	maxVisibility  = 12 * time.Hour
	maxDelay       = 15 * time.Minute
	maxWait        = 20 * time.Second
	minRetention   = time.Minute
	maxRetention   = 14 * 24 * time.Hour
	minMessageSize = 1 << 10
	maxMessageSize = 1 << 20
	maxReceives    = 1000
	maxTags        = 50
	maxTagKey      = 128
	maxTagValue    = 256
	maxListed      = 1000

	defaultVisibility = 30 * time.Second
	defaultRetention  = 4 * 24 * time.Hour

	maxMoveRate    = 500 // messages a second
	maxMovesListed = 10

	fifoSuffix = ".fifo"
)

// withDefaults fills in what CreateQueue leaves out.
func withDefaults(a Attributes) Attributes {
	switch {
	case a.Visibility == 0:
		a.Visibility = defaultVisibility
	case a.Visibility < 0:
		a.Visibility = 0
	}
	if a.Retention == 0 {
		a.Retention = defaultRetention
	}
	if a.MaxMessageSize == 0 {
		a.MaxMessageSize = maxMessageSize
	}
	return a
}

func isFIFO(name string) bool { return strings.HasSuffix(name, fifoSuffix) }

func checkName(field, name string) error {
	if name == "" || len(name) > maxName {
		return invalid(field, name, "must be 1 to 80 characters")
	}
	stem := strings.TrimSuffix(name, fifoSuffix)
	if stem == "" {
		return invalid(field, name, "must have a name before .fifo")
	}
	for i := 0; i < len(stem); i++ {
		if c := stem[i]; !isAlphanumeric(c) && c != '-' && c != '_' {
			return invalid(field, name, "must be letters, digits, - and _, with the suffix .fifo for FIFO queues")
		}
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// checkQueue checks a name together with complete attributes.
func checkQueue(name string, a Attributes) error {
	if err := checkName("Name", name); err != nil {
		return err
	}
	if a.FIFO != isFIFO(name) {
		return invalid("FIFO", a.FIFO, "must be true exactly when the name ends in .fifo")
	}
	if a.ContentDedup && !a.FIFO {
		return invalid("ContentDedup", true, "is for FIFO queues only")
	}
	if a.GroupDedup && !a.FIFO {
		return invalid("GroupDedup", true, "is for FIFO queues only")
	}
	for _, d := range []struct {
		field       string
		v, min, max time.Duration
	}{
		{"Visibility", a.Visibility, 0, maxVisibility},
		{"Delay", a.Delay, 0, maxDelay},
		{"Retention", a.Retention, minRetention, maxRetention},
		{"ReceiveWait", a.ReceiveWait, 0, maxWait},
	} {
		if err := checkDuration(d.field, d.v, d.min, d.max); err != nil {
			return err
		}
	}
	if a.MaxMessageSize < minMessageSize || a.MaxMessageSize > maxMessageSize {
		return invalid("MaxMessageSize", a.MaxMessageSize, "must be 1024 to 1048576 bytes")
	}
	return checkDeadLetter(name, a.DeadLetter)
}

func checkDeadLetter(name string, d *DeadLetter) error {
	if d == nil {
		return nil
	}
	if err := checkName("DeadLetter.Queue", d.Queue); err != nil {
		return err
	}
	if d.Queue == name {
		return invalid("DeadLetter.Queue", d.Queue, "must not be the queue itself")
	}
	if isFIFO(d.Queue) != isFIFO(name) {
		return invalid("DeadLetter.Queue", d.Queue, "must be FIFO exactly when the queue is")
	}
	if d.MaxReceives < 1 || d.MaxReceives > maxReceives {
		return invalid("DeadLetter.MaxReceives", d.MaxReceives, "must be 1 to 1000")
	}
	return nil
}

func checkDuration(field string, v, min, max time.Duration) error {
	if v < min || v > max {
		return invalid(field, v, "must be "+min.String()+" to "+max.String())
	}
	return nil
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("Tags", len(tags), "must be at most 50")
	}
	for k, v := range tags {
		if n := len([]rune(k)); n < 1 || n > maxTagKey {
			return invalid("Tags key", k, "must be 1 to 128 characters")
		}
		if len([]rune(v)) > maxTagValue {
			return invalid("Tags["+k+"]", v, "must be at most 256 characters")
		}
	}
	return nil
}
