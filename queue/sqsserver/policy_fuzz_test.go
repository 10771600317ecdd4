package sqsserver_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPolicies: what is taken for a policy is shown as it was given, and can be
// added to and taken from.
func FuzzPolicies(f *testing.F) {
	const statement = `{"Effect":"Allow","Principal":"*","Action":["sqs:SendMessage"],"Resource":"*"}`
	f.Add("Policy", `{"Version":"2012-10-17","Statement":`+statement+`}`)
	f.Add("Policy", `{"Id":"\u003c","Statement":[`+statement+`,`+statement+`]}`)
	f.Add("RedrivePolicy", `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"5"}`)
	f.Add("RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["a"]}`)
	h := queues(f)
	f.Fuzz(func(t *testing.T, name, policy string) {
		if !strings.HasSuffix(name, "Policy") || !utf8.ValidString(policy) {
			return
		}
		w := post(h, "SetQueueAttributes", on(`{q},`+set(name, policy)))
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code != 200 || policy == "" {
			return
		}
		if got := attributesOf(t, h, "q", `["`+name+`"]`)[name]; name != "RedrivePolicy" && got != policy || got == "" {
			t.Fatalf("%q became %q", policy, got)
		}
		if name != "Policy" {
			return
		}
		if w := post(h, "AddPermission", on(permit("fuzz", account1, "SendMessage"))); w.Code != 200 {
			return // too many, or one of that label
		}
		if got := attributesOf(t, h, "q", `["Policy"]`)["Policy"]; !json.Valid([]byte(got)) || !strings.Contains(got, `"Sid":"fuzz"`) {
			t.Fatalf("%q became %q", policy, got)
		}
		must(t, h, "RemovePermission", `{q},"Label":"fuzz"`)
	})
}
