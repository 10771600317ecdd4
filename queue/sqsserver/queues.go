package sqsserver

import (
	"encoding/base64"
	"errors"
	"reflect"
	"slices"

	"github.com/dayfly-dev/dayfly/queue"
)

// Most names a listing answers with; the maximum of MaxResults.
const maxResults = 1000

func createQueue(c *call, d *decoder, e *encoder) error {
	var name string
	var given, tags map[string]string
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueName":
			name = d.str()
		case "Attributes":
			given = d.stringMap()
		case "tags", "Tags":
			tags = d.stringMap()
		default:
			d.skip()
		}
	})
	if err := d.done(); err != nil {
		return err
	}
	if name == "" {
		return missingParameter("QueueName")
	}
	if err := c.create(name, given, tags); err != nil {
		return err
	}
	e.begin()
	e.str("QueueUrl", c.queueURL(name))
	e.end()
	return nil
}

// create makes a queue, or finds that the one that exists has the values given;
// attributes that are not given are not compared, as SQS does it.
func (c *call) create(name string, given, tags map[string]string) error {
	c.attributes.Lock()
	defer c.attributes.Unlock()
	ctx := c.r.Context()
	existing, err := c.queues.Describe(ctx, name)
	if err == nil {
		changed := existing.Attributes
		if err := c.apply(ctx, name, &changed, given); err != nil {
			return err
		}
		if !sameAttributes(existing.Attributes, changed) {
			return queue.ErrQueueExists
		}
		return nil
	}
	if !errors.Is(err, queue.ErrQueueNotFound) {
		return wrongName(name, err)
	}
	var a queue.Attributes
	if err := c.apply(ctx, name, &a, given); err != nil {
		return err
	}
	if _, ok := given["VisibilityTimeout"]; ok && a.Visibility == 0 {
		a.Visibility = -1 // CreateQueue takes 0 for "not given"
	}
	return wrongName(name, c.queues.CreateQueue(ctx, name, a, tags))
}

// sameAttributes compares values; a nil map is an empty one.
func sameAttributes(a, b queue.Attributes) bool {
	if len(a.Extra) == 0 && len(b.Extra) == 0 {
		a.Extra, b.Extra = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// wrongName answers a name that cannot be a queue's, where the name is an
// argument and not part of a URL.
func wrongName(name string, err error) error {
	var invalid *queue.InvalidError
	if errors.As(err, &invalid) && invalid.Field == "Name" {
		return &apiError{invalidParameterValue, "The name " + name +
			" can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"}
	}
	return err
}

// onlyURL decodes the arguments of an action that has no other.
func (c *call) onlyURL(d *decoder) (name string, err error) {
	var url string
	d.object(func(key []byte) {
		if string(key) == "QueueUrl" {
			url = d.str()
		} else {
			d.skip()
		}
	})
	if err := d.done(); err != nil {
		return "", err
	}
	return c.queueName(url)
}

func deleteQueue(c *call, d *decoder, e *encoder) error {
	name, err := c.onlyURL(d)
	if err != nil {
		return err
	}
	return emptyReply(e, c.queues.DeleteQueue(c.r.Context(), name))
}

func purgeQueue(c *call, d *decoder, e *encoder) error {
	name, err := c.onlyURL(d)
	if err != nil {
		return err
	}
	err = c.queues.Purge(c.r.Context(), name)
	if errors.Is(err, queue.ErrPurgeInProgress) {
		return &apiError{purgeInProgress, "Only one PurgeQueue operation on " + name + " is allowed every 60 seconds."}
	}
	return emptyReply(e, err)
}

func emptyReply(e *encoder, err error) error {
	if err != nil {
		return err
	}
	e.begin()
	e.end()
	return nil
}

func getQueueURL(c *call, d *decoder, e *encoder) error {
	var name, owner string
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueName":
			name = d.str()
		case "QueueOwnerAWSAccountId":
			owner = d.str()
		default:
			d.skip()
		}
	})
	if err := d.done(); err != nil {
		return err
	}
	if name == "" {
		return missingParameter("QueueName")
	}
	if owner != "" && owner != c.account {
		return noSuchQueue()
	}
	if _, err := c.queues.Describe(c.r.Context(), name); err != nil {
		return err
	}
	e.begin()
	e.str("QueueUrl", c.queueURL(name))
	e.end()
	return nil
}

// paging is how lists are asked for in parts.
type paging struct {
	max   int // absent: not given, then there is no next page either
	after string
}

// check makes sense of MaxResults and NextToken.
func (p *paging) check(token string) error {
	if p.max != absent {
		if err := inRange("MaxResults", p.max, 1, maxResults); err != nil {
			return err
		}
	}
	if token == "" {
		return nil
	}
	if p.max == absent {
		return missingParameter("MaxResults")
	}
	after, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(after) == 0 {
		return wrongValue(token, "NextToken", "It was not given by this service.")
	}
	p.after = string(after)
	return nil
}

func (p *paging) token(last string) string {
	if last == "" || p.max == absent {
		return ""
	}
	return base64.URLEncoding.EncodeToString([]byte(last))
}

func (p *paging) limit() int {
	if p.max == absent {
		return maxResults
	}
	return p.max
}

func listQueues(c *call, d *decoder, e *encoder) error {
	page := paging{max: absent}
	var prefix, token string
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueNamePrefix":
			prefix = d.str()
		case "NextToken":
			token = d.str()
		case "MaxResults":
			page.max = d.integer(absent)
		default:
			d.skip()
		}
	})
	if err := d.done(); err != nil {
		return err
	}
	if err := page.check(token); err != nil {
		return err
	}
	list, err := c.queues.ListQueues(c.r.Context(), queue.ListOptions{Prefix: prefix, After: page.after, Max: page.limit()})
	if err != nil {
		return err
	}
	c.urls(e, "QueueUrls", list.Names, page.token(list.Next))
	return nil
}

// urls writes a page of queues.
func (c *call) urls(e *encoder, member string, names []string, next string) {
	e.begin()
	if len(names) > 0 {
		e.beginList(member)
		for _, n := range names {
			e.item(c.queueURL(n))
		}
		e.endList()
	}
	e.some("NextToken", next)
	e.end()
}

func listDeadLetterSourceQueues(c *call, d *decoder, e *encoder) error {
	page := paging{max: absent}
	var url, token string
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueUrl":
			url = d.str()
		case "NextToken":
			token = d.str()
		case "MaxResults":
			page.max = d.integer(absent)
		default:
			d.skip()
		}
	})
	if err := d.done(); err != nil {
		return err
	}
	name, err := c.queueName(url)
	if err != nil {
		return err
	}
	if err := page.check(token); err != nil {
		return err
	}
	if _, err := c.queues.Describe(c.r.Context(), name); err != nil {
		return err
	}
	sources, err := c.sources(name, page.after, page.limit()+1)
	if err != nil {
		return err
	}
	next := ""
	if len(sources) > page.limit() {
		sources = sources[:page.limit()]
		next = page.token(slices.Max(sources))
	}
	c.urls(e, "queueUrls", sources, next)
	return nil
}

// sources finds up to max queues after a name whose dead-letter queue this is,
// by looking at all: there are few queues and this is asked seldom.
func (c *call) sources(of, after string, max int) (names []string, err error) {
	for ctx := c.r.Context(); ; {
		list, err := c.queues.ListQueues(ctx, queue.ListOptions{After: after, Max: maxResults})
		if err != nil {
			return nil, err
		}
		for _, n := range list.Names {
			d, err := c.queues.Describe(ctx, n)
			if errors.Is(err, queue.ErrQueueNotFound) {
				continue // deleted meanwhile
			}
			if err != nil {
				return nil, err
			}
			if d.Attributes.DeadLetter != nil && d.Attributes.DeadLetter.Queue == of {
				names = append(names, n)
			}
			if len(names) == max {
				return names, nil
			}
		}
		if after = list.Next; after == "" {
			return names, nil
		}
	}
}
