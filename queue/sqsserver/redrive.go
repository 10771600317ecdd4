package sqsserver

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/queue"
)

// redrive sets the redrive policy or takes it away. SQS takes one that names the
// queue itself; it is kept and shown, and moves nothing: there is nowhere to.
func (s *setting) redrive(value string) error {
	d, err := s.redrivePolicy(value)
	if err != nil {
		return err
	}
	own := ""
	if d != nil && d.Queue == s.queue {
		own, d = s.redriveText(d), nil
	}
	setExtra(s.a, "RedrivePolicy", own)
	s.a.DeadLetter = d
	return nil
}

// redriveText is a redrive policy as SQS shows it.
func (c *call) redriveText(d *queue.DeadLetter) string {
	return `{"deadLetterTargetArn":"` + c.arn(d.Queue) + `","maxReceiveCount":` + strconv.Itoa(d.MaxReceives) + `}`
}

// redrivePolicy reads {"deadLetterTargetArn":…,"maxReceiveCount":5}; the count
// may be in quotes. An empty policy takes it away.
func (s *setting) redrivePolicy(value string) (*queue.DeadLetter, error) {
	if value == "" {
		return nil, nil
	}
	wrong := func(reason string) error { return wrongValue(value, "RedrivePolicy", reason) }
	var p map[string]json.RawMessage
	if err := json.Unmarshal([]byte(value), &p); err != nil || p == nil {
		return nil, &apiError{invalidAttributeValue, "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map."}
	}
	for _, name := range []string{"maxReceiveCount", "deadLetterTargetArn"} {
		if p[name] == nil {
			return nil, wrong("Redrive policy does not contain mandatory attribute: " + name + ".")
		}
	}
	given := strings.Trim(string(p["maxReceiveCount"]), `"`)
	count, err := strconv.Atoi(given)
	if err != nil || count < 1 || count > 1000 {
		return nil, wrong("Invalid value for maxReceiveCount: " + given + ", valid values are from 1 to 1000 both inclusive.")
	}
	var target string
	if err := json.Unmarshal(p["deadLetterTargetArn"], &target); err != nil || !isARN(target) {
		return nil, wrong("Dead-letter target ARN should be fully qualified ARN.")
	}
	if len(p) > 2 {
		return nil, wrong("Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].")
	}
	name, reason, err := s.deadLetterQueue(target)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return nil, wrong(reason)
	}
	return &queue.DeadLetter{Queue: name, MaxReceives: count}, nil
}

// deadLetterQueue returns the queue of an ARN, or the reason that it cannot be
// the dead-letter queue of this one.
func (s *setting) deadLetterQueue(arn string) (name, reason string, err error) {
	if strings.Split(arn, ":")[2] != "sqs" {
		return "", "Only SQS queues are valid resources for deadLetterTargetArn.", nil
	}
	name, ok := s.nameOfARN(arn)
	switch {
	case !ok:
		return "", "Dead-letter target owner should be same as the source.", nil
	case isFIFO(name) != isFIFO(s.queue):
		return "", "Dead-letter queue must be same type of queue as the source..", nil
	}
	q, err := s.queues.Describe(s.r.Context(), name)
	if errors.Is(err, queue.ErrQueueNotFound) || isWrongName(err) {
		return "", "Dead letter target does not exist.", nil
	}
	if err != nil {
		return "", "", err
	}
	if allow := q.Attributes.Extra["RedriveAllowPolicy"]; allow != "" {
		p, err := parseRedriveAllow(allow)
		if err == nil && !p.allows(s.arn(s.queue)) {
			return "", "The redrive allow policy of the dead-letter queue does not permit this source queue.", nil
		}
	}
	return name, "", nil
}

// Most queues that a redrive allow policy names.
const maxSourceQueues = 10

// redriveAllow is the RedriveAllowPolicy of a dead-letter queue: of which queues
// it may be that.
type redriveAllow struct {
	permission string // allowAll, denyAll, byQueue
	sources    []string
}

func (p *redriveAllow) allows(source string) bool {
	return p.permission == "allowAll" || p.permission == "byQueue" && slices.Contains(p.sources, source)
}

// parseRedriveAllow reads {"redrivePermission":"byQueue","sourceQueueArns":[…]}.
func parseRedriveAllow(value string) (*redriveAllow, error) {
	const cannot = "Amazon SQS can't create the redrive allow policy"
	format := &apiError{invalidAttributeValue, "Invalid value for the parameter RedriveAllowPolicy. Reason: " + cannot + ", as it’s in an unsupported format."}
	wrong := func(reason string) error { return wrongValue(value, "RedriveAllowPolicy", cannot+". "+reason) }
	var p map[string]json.RawMessage
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return nil, format
	}
	var a redriveAllow
	for name, part := range p {
		var err error
		switch name {
		case "redrivePermission":
			err = json.Unmarshal(part, &a.permission)
		case "sourceQueueArns":
			err = json.Unmarshal(part, &a.sources)
		default:
			return nil, format
		}
		if err != nil {
			return nil, format
		}
	}
	byQueue := a.permission == "byQueue"
	switch {
	case !byQueue && a.permission != "allowAll" && a.permission != "denyAll":
		return nil, format
	case !byQueue && a.sources != nil:
		return nil, wrong("To specify one or more source queue ARNs, you must set redrivePermission to byQueue.")
	case byQueue && len(a.sources) == 0:
		return nil, wrong("When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.")
	case len(a.sources) > maxSourceQueues:
		return nil, wrong("The maximum number of source queue ARNs you can specify is 10.")
	}
	return &a, nil
}
