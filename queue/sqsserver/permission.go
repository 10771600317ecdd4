package sqsserver

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/queue"
)

// Most actions of one permission.
const maxActions = 7

// permission is what AddPermission adds to a queue's policy.
type permission struct {
	url      string
	label    string
	accounts []string
	actions  []string
}

func (p *permission) decode(d *decoder) error {
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueUrl":
			p.url = d.str()
		case "Label":
			p.label = d.str()
		case "AWSAccountIds":
			p.accounts = d.strings()
		case "Actions":
			p.actions = d.strings()
		default:
			d.skip()
		}
	})
	return d.done()
}

func (p *permission) check() error {
	switch {
	case p.label == "":
		return missingParameter("Label")
	case !goodEntryID(p.label): // the same characters and length
		return wrongValue(p.label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.")
	case len(p.accounts) == 0:
		return missingParameter("AWSAccountIds")
	case len(p.actions) == 0:
		return missingParameter("ActionName") // so called in the query protocol
	case len(p.actions) > maxActions:
		return &apiError{overLimit, strconv.Itoa(len(p.actions)) + " Actions were found, maximum allowed is " + strconv.Itoa(maxActions) + "."}
	}
	for _, id := range p.accounts {
		if len(id) != 12 || strings.Trim(id, "0123456789") != "" {
			return wrongValue("["+id+"]", "PrincipalId", "Unable to verify principal.")
		}
	}
	for _, action := range p.actions {
		switch {
		case slices.Contains(othersActions, action):
		case slices.Contains(ownersActions, action):
			return wrongAction("SQS:"+action, onlyOwners)
		default:
			return wrongAction("SQS:"+action, noAction)
		}
	}
	return nil
}

// statement is the permission as part of a policy, in the order SQS has it.
func (p *permission) statement(resource string) json.RawMessage {
	principals := make([]string, len(p.accounts))
	for i, id := range p.accounts {
		principals[i] = "arn:aws:iam::" + id + ":root"
	}
	actions := make([]string, len(p.actions))
	for i, a := range p.actions {
		actions[i] = "SQS:" + a
	}
	return json.RawMessage(encodeJSON(struct {
		Sid       string
		Effect    string
		Principal struct{ AWS any }
		Action    any
		Resource  string
	}{p.label, "Allow", struct{ AWS any }{single(principals)}, single(actions), resource}))
}

// single is the element of a list of one, else the list.
func single(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func addPermission(c *call, d *decoder, _ *encoder) error {
	var p permission
	if err := p.decode(d); err != nil {
		return err
	}
	name, err := c.queueName(p.url)
	if err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	arn := c.arn(name)
	return c.changePolicy(name, func(all *policy) error { return all.add(p.label, p.statement(arn)) })
}

// add appends a statement. The same one again changes nothing; another one of
// the same label is refused.
func (p *policy) add(label string, added json.RawMessage) error {
	for _, raw := range p.Statements {
		st, _ := parseStatement(raw)
		if st.Sid != label {
			continue
		}
		if same(raw, added) {
			return nil
		}
		return wrongValue(label, "Label", "Already exists.")
	}
	p.Statements = append(p.Statements, added)
	if n := len(p.Statements); n > maxStatements {
		return &apiError{overLimit, strconv.Itoa(n) + " Statements were found, maximum allowed is " + strconv.Itoa(maxStatements) + "."}
	}
	return nil
}

func same(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func removePermission(c *call, d *decoder, _ *encoder) error {
	var p permission
	if err := p.decode(d); err != nil {
		return err
	}
	name, err := c.queueName(p.url)
	if err != nil {
		return err
	}
	if p.label == "" {
		return missingParameter("Label")
	}
	return c.changePolicy(name, func(all *policy) error { return all.remove(p.label) })
}

func (p *policy) remove(label string) error {
	if len(p.Statements) == 0 {
		return wrongValue(label, "Label", "can't find label.")
	}
	kept := slices.DeleteFunc(slices.Clone(p.Statements), func(raw json.RawMessage) bool {
		st, _ := parseStatement(raw)
		return st.Sid == label
	})
	if len(kept) == len(p.Statements) {
		return wrongValue(label, "Label", "can't find label on existing policy.")
	}
	p.Statements = kept
	return nil
}

// changePolicy changes the Policy attribute, which goes with its last statement.
func (c *call) changePolicy(name string, change func(*policy) error) error {
	return c.change(name, func(a *queue.Attributes) error {
		p, ok := parsePolicy(a.Extra["Policy"])
		if !ok { // none
			p = &policy{Version: json.RawMessage(`"2008-10-17"`), ID: json.RawMessage(encodeJSON(c.arn(name) + "/SQSDefaultPolicy"))}
		}
		if err := change(p); err != nil {
			return err
		}
		value := ""
		if len(p.Statements) > 0 {
			value = p.String()
		}
		setExtra(a, "Policy", value)
		return nil
	})
}
