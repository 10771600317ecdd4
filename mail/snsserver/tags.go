package snsserver

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// readTags reads Tags.member.N.Key and .Value.
func readTags(f *awsquery.Form) (map[string]string, error) {
	list := f.List("Tags.member")
	tags := make(map[string]string, len(list))
	for _, member := range list {
		key, value := member.Get("Key"), member.Get("Value")
		if err := checkTag(key, value); err != nil {
			return nil, err
		}
		if _, twice := tags[key]; twice {
			return nil, invalid("Duplicated keys are not allowed.")
		}
		tags[key] = value
	}
	return tags, checkTagCount(tags)
}

// checkTag: a key has 1 to 128 characters and a value up to 256 (Tag).
func checkTag(key, value string) error {
	switch {
	case key == "" || utf8.RuneCountInString(key) > 128 || !utf8.ValidString(key):
		return invalid("Tags Reason: a key must have 1 to 128 characters")
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return invalid("Tags Reason: a key must not begin with aws:")
	case utf8.RuneCountInString(value) > 256 || !utf8.ValidString(value):
		return invalid("Tags Reason: a value must have at most 256 characters")
	}
	return nil
}

func checkTagCount(tags map[string]string) error {
	if len(tags) > maxTags {
		return fault(http.StatusBadRequest, "TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
	}
	return nil
}

// tagged is the topic of ResourceArn; SNS says otherwise than elsewhere that
// there is none.
func (c *call) tagged() (*topic, error) {
	t, err := c.topicOf("ResourceArn", c.form.Get("ResourceArn"))
	if errors.Is(err, errNoTopic) {
		return nil, errNoResource
	}
	return t, err
}

// changeTags puts other tags on a topic.
func (c *call) changeTags(do func(tags map[string]string)) error {
	t, err := c.tagged()
	if err != nil {
		return err
	}
	return c.store.change(t.Name, func(t *topic) (*topic, error) {
		if t == nil {
			return nil, errNoResource
		}
		changed := *t
		changed.Tags = maps.Clone(t.Tags)
		if changed.Tags == nil {
			changed.Tags = map[string]string{}
		}
		do(changed.Tags)
		if maps.Equal(changed.Tags, t.Tags) {
			return t, nil
		}
		return &changed, checkTagCount(changed.Tags)
	})
}

func tagResource(c *call) (func(*awsquery.Writer), error) {
	tags, err := readTags(c.form)
	if err != nil {
		return nil, err
	}
	return nothing, c.changeTags(func(old map[string]string) { maps.Copy(old, tags) })
}

func untagResource(c *call) (func(*awsquery.Writer), error) {
	keys := c.form.Strings("TagKeys.member")
	return nothing, c.changeTags(func(old map[string]string) {
		for _, key := range keys {
			delete(old, key)
		}
	})
}

func listTagsForResource(c *call) (func(*awsquery.Writer), error) {
	t, err := c.tagged()
	if err != nil {
		return nil, err
	}
	return func(w *awsquery.Writer) {
		w.Begin("Tags")
		for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
			w.Begin("member")
			w.Text("Key", key)
			w.Text("Value", t.Tags[key])
			w.End()
		}
		w.End()
	}, nil
}

// nothing is a result without elements.
func nothing(*awsquery.Writer) {}
