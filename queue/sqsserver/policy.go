package sqsserver

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Most statements of a queue's policy.
const maxStatements = 20

// policy is a queue's access policy, in the language of IAM. It is kept and
// shown; nobody but the owner has keys here, so it lets nobody in.
type policy struct {
	Version    json.RawMessage   `json:",omitempty"`
	ID         json.RawMessage   `json:"Id,omitempty"`
	Statements []json.RawMessage `json:"Statement"`
}

// statement is what is looked at of a policy's statement.
type statement struct {
	Sid                   string
	Effect                string
	Action, NotAction     oneOrMore
	Resource, NotResource oneOrMore
}

// oneOrMore is a text or a list of texts.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(o))
	}
	var one string
	err := json.Unmarshal(b, &one)
	*o = oneOrMore{one}
	return err
}

var (
	policyMembers    = []string{"Version", "Id", "Statement"}
	policyVersions   = []string{`"2008-10-17"`, `"2012-10-17"`}
	statementMembers = []string{"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)

// parsePolicy takes a policy apart; a single statement counts as a list of one.
// It reports false for what is not one.
func parsePolicy(value string) (*policy, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(value), &members) != nil || !known(members, policyMembers) {
		return nil, false
	}
	p := &policy{Version: members["Version"], ID: members["Id"]}
	list := members["Statement"]
	if bytes.HasPrefix(list, []byte("{")) {
		p.Statements = []json.RawMessage{list}
		return p, true
	}
	return p, json.Unmarshal(list, &p.Statements) == nil && len(p.Statements) > 0
}

func known(members map[string]json.RawMessage, names []string) bool {
	for name := range members {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// String writes a policy as SQS does. Its parts are JSON already.
func (p *policy) String() string { return encodeJSON(p) }

// encodeJSON writes without escaping what only HTML needs escaped. It is for
// values that can be written.
func encodeJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // texts and JSON that was parsed
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// checkPolicy checks the Policy attribute.
func (s *setting) checkPolicy(value string) error {
	p, ok := parsePolicy(value)
	if !ok || p.Version != nil && !slices.Contains(policyVersions, string(p.Version)) {
		return wrongAttribute("Policy")
	}
	if n := len(p.Statements); n > maxStatements {
		message := strconv.Itoa(n) + " statements were found in the submitted policy, max allowed is " + strconv.Itoa(maxStatements)
		if s.create {
			return &apiError{invalidParameterValue, message}
		}
		return &apiError{overLimit, message}
	}
	for _, raw := range p.Statements {
		st, ok := parseStatement(raw)
		if !ok {
			return wrongAttribute("Policy")
		}
		for _, action := range append(st.Action, st.NotAction...) {
			if name, ok := cutPrefixFold(action, "sqs:"); ok && !isAction(name) {
				return wrongAction(action, noAction)
			}
		}
	}
	return nil
}

// parseStatement reports false for a statement that lacks what each has, or has
// what none may have.
func parseStatement(raw json.RawMessage) (st statement, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || !known(members, statementMembers) || json.Unmarshal(raw, &st) != nil {
		return st, false
	}
	return st, (st.Effect == "Allow" || st.Effect == "Deny") && len(st.Action)+len(st.NotAction) > 0 && len(st.Resource)+len(st.NotResource) > 0
}

// ownersActions are for the owner of a queue alone; the others can be permitted
// to other accounts. The actions on batches are permitted with the single ones.
var (
	ownersActions = []string{"AddPermission", "CancelMessageMoveTask", "CreateQueue", "DeleteQueue", "ListMessageMoveTasks",
		"ListQueues", "ListQueueTags", "RemovePermission", "SetQueueAttributes", "StartMessageMoveTask", "TagQueue", "UntagQueue"}
	othersActions = []string{"*", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
		"ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage"}
)

// isAction reports whether a policy may name an action; * and ? stand for
// others.
func isAction(name string) bool {
	is := func(s string) bool { return strings.EqualFold(s, name) }
	return strings.ContainsAny(name, "*?") || slices.ContainsFunc(ownersActions, is) || slices.ContainsFunc(othersActions, is)
}

// Why an action cannot be permitted.
const (
	noAction   = "Please refer to the appropriate WSDL for a list of valid actions."
	onlyOwners = "Only the queue owner is allowed to invoke this action."
)

func wrongAction(action, reason string) *apiError {
	return wrongValue(action, "ActionName", reason)
}

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
