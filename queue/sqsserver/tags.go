package sqsserver

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/queue"
)

// Longest key of a tag, in characters.
const maxTagKey = 128

// tagArguments decodes the arguments of the three actions on tags.
func (c *call) tagArguments(d *decoder) (name string, tags map[string]string, keys []string, err error) {
	var url string
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueUrl":
			url = d.str()
		case "Tags":
			tags = d.stringMap()
		case "TagKeys":
			keys = d.strings()
		default:
			d.skip()
		}
	})
	if err = d.done(); err == nil {
		name, err = c.queueName(url)
	}
	return name, tags, keys, err
}

// changeTags reads, changes and writes; the lock makes that one step.
func (c *call) changeTags(name string, change func(tags map[string]string)) error {
	c.attributes.Lock()
	defer c.attributes.Unlock()
	q, err := c.queues.Describe(c.r.Context(), name)
	if err != nil {
		return err
	}
	tags := maps.Clone(q.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	change(tags)
	return wrongTags(name, c.queues.SetTags(c.r.Context(), name, tags))
}

// wrongTags says what package queue refused of a queue's tags.
func wrongTags(name string, err error) error {
	var invalid *queue.InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	switch field := invalid.Field; {
	case field == "Tags":
		return &apiError{invalidParameterValue, "Too many tags added for queue " + name + "."}
	case field == "Tags key":
		return wrongTagKeys()
	case strings.HasPrefix(field, "Tags["):
		return &apiError{invalidParameterValue, "Tag values must be between 0 and 256 characters in length."}
	}
	return err
}

func wrongTagKeys() error {
	return &apiError{invalidParameterValue, "Tag keys must be between 1 and 128 characters in length."}
}

func tagQueue(c *call, d *decoder, _ *encoder) error {
	name, given, _, err := c.tagArguments(d)
	if err != nil {
		return err
	}
	if len(given) == 0 {
		return missingParameter("Tags")
	}
	return c.changeTags(name, func(tags map[string]string) { maps.Copy(tags, given) })
}

func untagQueue(c *call, d *decoder, _ *encoder) error {
	name, _, keys, err := c.tagArguments(d)
	if err != nil {
		return err
	}
	if len(keys) == 0 || slices.ContainsFunc(keys, func(k string) bool { return k == "" || utf8.RuneCountInString(k) > maxTagKey }) {
		return wrongTagKeys()
	}
	return c.changeTags(name, func(tags map[string]string) {
		for _, k := range keys {
			delete(tags, k)
		}
	})
}

func listQueueTags(c *call, d *decoder, e *encoder) error {
	name, _, _, err := c.tagArguments(d)
	if err != nil {
		return err
	}
	q, err := c.queues.Describe(c.r.Context(), name)
	if err != nil {
		return err
	}
	e.begin()
	if len(q.Tags) > 0 {
		e.beginObject("Tags")
		for k, v := range q.Tags {
			e.str(k, v)
		}
		e.end()
	}
	e.end()
	return nil
}
