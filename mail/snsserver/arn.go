package snsserver

import (
	"net/http"
	"strings"
)

// topicARN is the ARN of a topic of this account.
func (s *Server) topicARN(name string) string {
	return "arn:aws:sns:" + s.Region + ":" + s.Account + ":" + name
}

func (s *Server) subscriptionARN(topic string, id string) string {
	return s.topicARN(topic) + ":" + id
}

// resource takes an ARN of this account and region apart: what stands behind
// the account. The parameter's name is for the error.
func (s *Server) resource(parameter, service, arn string) (string, error) {
	part := strings.SplitN(arn, ":", 6)
	if len(part) < 6 {
		return "", invalid("%s Reason: An ARN must have at least 6 elements, not %d", parameter, len(part))
	}
	if part[0] != "arn" || part[2] != service || part[3] != s.Region || part[5] == "" {
		return "", invalid("%s", parameter)
	}
	if part[4] != s.Account {
		return "", fault(http.StatusForbidden, "AuthorizationError",
			"%s is of another account; the one of this endpoint is %s", parameter, s.Account)
	}
	return part[5], nil
}

// topicOf returns the topic of an ARN.
func (s *Server) topicOf(parameter, arn string) (*topic, error) {
	name, err := s.resource(parameter, "sns", arn)
	if err != nil {
		return nil, err
	}
	if t := s.store.topic(name); t != nil {
		return t, nil
	}
	return nil, errNoTopic
}

// splitSubscription takes a subscription's ARN apart.
func (s *Server) splitSubscription(arn string) (topic, id string, err error) {
	name, err := s.resource("SubscriptionArn", "sns", arn)
	if err != nil {
		return "", "", err
	}
	topic, id, ok := strings.Cut(name, ":")
	if !ok {
		return "", "", invalid("SubscriptionId")
	}
	return topic, id, nil
}

// queueOf returns the name of a queue of this account.
func (s *Server) queueOf(arn string) (string, bool) {
	name, ok := strings.CutPrefix(arn, "arn:aws:sqs:"+s.Region+":"+s.Account+":")
	return name, ok && validQueue(name)
}

// validQueue: SQS's rule for names (CreateQueue).
func validQueue(name string) bool {
	return len(name) <= 80 && validName(strings.TrimSuffix(name, ".fifo"), 80)
}

// validName reports whether name is 1 to max ASCII letters, digits, - and _.
func validName(name string, max int) bool {
	if name == "" || len(name) > max {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isFIFO(name string) bool { return strings.HasSuffix(name, ".fifo") }
