package snsserver

import (
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// validTopicName: 1 to 256 letters, digits, - and _, the suffix of a FIFO topic
// among them (CreateTopic).
func validTopicName(name string) bool {
	return len(name) <= 256 && validName(strings.TrimSuffix(name, ".fifo"), 256)
}

func createTopic(c *call) (func(*awsquery.Writer), error) {
	name, given := c.form.Lookup("Name")
	if !given {
		return nil, missing("name")
	}
	attributes, err := c.topicAttributes(name)
	if err != nil {
		return nil, err
	}
	tags, err := readTags(c.form)
	if err != nil {
		return nil, err
	}
	err = c.store.change(name, func(t *topic) (*topic, error) {
		if t != nil {
			return t, sameTopic(t, attributes, tags)
		}
		if err := c.roomForTopic(name); err != nil {
			return nil, err
		}
		return &topic{Name: name, Created: time.Now().UTC(), Attributes: attributes, Tags: tags}, nil
	})
	if err != nil {
		return nil, err
	}
	return func(w *awsquery.Writer) { w.Text("TopicArn", c.topicARN(name)) }, nil
}

// topicAttributes reads those of a new topic and checks them and its name.
func (c *call) topicAttributes(name string) (map[string]string, error) {
	given := entries(c.form, "Attributes")
	switch kind, ok := given["FifoTopic"]; {
	case strings.EqualFold(kind, "true") && (!isFIFO(name) || !validTopicName(name)):
		return nil, invalid("Name Reason: Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase " +
			"ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.")
	case !validTopicName(name), isFIFO(name) && !strings.EqualFold(kind, "true"):
		return nil, invalid("Topic Name")
	case ok && !isFIFO(name) && !strings.EqualFold(kind, "false"):
		return nil, invalid("Attributes Reason: FifoTopic: Invalid value [%s]. Must be true or false.", kind)
	}
	delete(given, "FifoTopic") // the name says it
	if _, ok := c.form.Lookup("DataProtectionPolicy"); ok {
		return nil, invalid("DataProtectionPolicy Reason: data protection is not available here")
	}
	for key, value := range given {
		if err := checkTopicAttribute(name, key, value); err != nil {
			return nil, invalid("Attributes Reason: %s", strings.TrimPrefix(err.Message, "Invalid parameter: "))
		}
	}
	return given, nil
}

// sameTopic is nil when a topic may be created again: what is given is as it is.
func sameTopic(t *topic, attributes, tags map[string]string) error {
	for key, value := range attributes {
		if t.attribute(key) != value {
			return invalid("Attributes Reason: Topic already exists with different attributes")
		}
	}
	for key, value := range tags {
		if old, ok := t.Tags[key]; !ok || old != value {
			return invalid("Tags Reason: Topic already exists with different tags")
		}
	}
	return nil
}

func (c *call) roomForTopic(name string) error {
	all, fifo := c.store.count()
	if all >= maxTopics || isFIFO(name) && fifo >= maxFIFOTopics {
		return fault(http.StatusForbidden, "TopicLimitExceeded",
			"There are as many topics as there may be here: %d, %d of them FIFO", maxTopics, maxFIFOTopics)
	}
	return nil
}

// deleteTopic removes a topic and its subscriptions; one that is gone is no
// error.
func deleteTopic(c *call) (func(*awsquery.Writer), error) {
	name, err := c.resource("TopicArn", "sns", c.form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	return nil, c.store.change(name, func(*topic) (*topic, error) { return nil, nil })
}

func listTopics(c *call) (func(*awsquery.Writer), error) {
	page, next, err := pageOf(c.form, c.store.names(), func(name string) string { return name })
	if err != nil {
		return nil, err
	}
	return func(w *awsquery.Writer) {
		w.Begin("Topics")
		for _, name := range page {
			w.Begin("member")
			w.Text("TopicArn", c.topicARN(name))
			w.End()
		}
		w.End()
		writeNext(w, next)
	}, nil
}

func setTopicAttributes(c *call) (func(*awsquery.Writer), error) {
	t, err := c.topicOf("TopicArn", c.form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	key, given := c.form.Lookup("AttributeName")
	if !given {
		return nil, missing("attributeName")
	}
	value := c.form.Get("AttributeValue")
	if err := checkTopicAttribute(t.Name, key, value); err != nil {
		return nil, err
	}
	return nil, c.store.change(t.Name, func(t *topic) (*topic, error) {
		if t == nil {
			return nil, errNoTopic
		}
		changed := *t
		changed.Attributes = maps.Clone(t.Attributes)
		if changed.Attributes == nil {
			changed.Attributes = map[string]string{}
		}
		changed.Attributes[key] = value
		return &changed, changed.checkLarge()
	})
}
