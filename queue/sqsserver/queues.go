package sqsserver

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"

	"github.com/dayfly-dev/dayfly/queue"
)

// Most names a listing answers with; the maximum of MaxResults.
const maxResults = 1000

func createQueue(c *call, d *decoder, e *encoder) error {
	var name string
	var named bool
	var given, tags map[string]string
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueName":
			named = !d.null()
			name = ifGiven(d, named)
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
	if !named {
		return noQueueName()
	}
	if name == "" {
		return &apiError{invalidParameterValue, "Queue name cannot be empty"}
	}
	if err := c.create(name, given, tags); err != nil {
		return err
	}
	e.begin()
	e.str("QueueUrl", c.queueURL(name))
	e.end()
	return nil
}

func noQueueName() error {
	return &apiError{invalidParameterValue, "Value for parameter QueueName is invalid. Reason: Must specify a queue name."}
}

// create makes a queue, or finds that the one that exists has the values given;
// attributes that are not given are not compared, as SQS does it.
func (c *call) create(name string, given, tags map[string]string) error {
	c.attributes.Lock()
	defer c.attributes.Unlock()
	ctx := c.r.Context()
	existing, err := c.queues.Describe(ctx, name)
	missing := errors.Is(err, queue.ErrQueueNotFound)
	switch {
	case isWrongName(err):
		return wrongName()
	case err != nil && !missing:
		return err
	}
	if err := checkFIFOName(name, given); err != nil {
		return err
	}
	a := existing.Attributes
	s := setting{call: c, queue: name, a: &a, given: given, create: true}
	if err := s.apply(); err != nil {
		return err
	}
	if !missing {
		return c.sameAttributes(&existing.Attributes, &a, given)
	}
	if _, ok := given["VisibilityTimeout"]; ok && a.Visibility == 0 {
		a.Visibility = -1 // CreateQueue takes 0 for "not given"
	}
	return wrongTags(name, c.queues.CreateQueue(ctx, name, a, tags))
}

// sameAttributes compares the values given with those a queue has.
func (c *call) sameAttributes(has, wanted *queue.Attributes, given map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if c.settable(has, name) != c.settable(wanted, name) {
			return &apiError{queueNameExists, "A queue already exists with the same name and a different value for attribute " + name}
		}
	}
	return nil
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

func deleteQueue(c *call, d *decoder, _ *encoder) error {
	name, err := c.onlyURL(d)
	if err != nil {
		return err
	}
	return c.queues.DeleteQueue(c.r.Context(), name)
}

func purgeQueue(c *call, d *decoder, _ *encoder) error {
	name, err := c.onlyURL(d)
	if err != nil {
		return err
	}
	err = c.queues.Purge(c.r.Context(), name)
	if errors.Is(err, queue.ErrPurgeInProgress) {
		return &apiError{purgeInProgress, "Only one PurgeQueue operation on " + name + " is allowed every 60 seconds."}
	}
	return err
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
		return noQueueName()
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

// check makes sense of MaxResults and NextToken. A MaxResults of 0 is none.
func (p *paging) check(token string) error {
	if p.max == 0 {
		p.max = absent
	}
	if p.max != absent && (p.max < 0 || p.max > maxResults) {
		return &apiError{invalidParameterValue,
			"Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."}
	}
	if token == "" {
		return nil
	}
	after, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(after) == 0 {
		return &apiError{invalidParameterValue, "Invalid or expired next token."}
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
