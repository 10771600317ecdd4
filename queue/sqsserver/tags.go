package sqsserver

import "maps"

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
	return c.queues.SetTags(c.r.Context(), name, tags)
}

func tagQueue(c *call, d *decoder, e *encoder) error {
	name, given, _, err := c.tagArguments(d)
	if err != nil {
		return err
	}
	if given == nil {
		return missingParameter("Tags")
	}
	return emptyReply(e, c.changeTags(name, func(tags map[string]string) { maps.Copy(tags, given) }))
}

func untagQueue(c *call, d *decoder, e *encoder) error {
	name, _, keys, err := c.tagArguments(d)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return missingParameter("TagKeys")
	}
	return emptyReply(e, c.changeTags(name, func(tags map[string]string) {
		for _, k := range keys {
			delete(tags, k)
		}
	}))
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
