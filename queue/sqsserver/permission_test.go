package sqsserver_test

import (
	"fmt"
	"strings"
	"testing"
)

const (
	queueARN = "arn:aws:sqs:us-east-1:000000000000:q"
	account1 = "111111111111"
	account2 = "222222222222"
)

// permit is the request that adds a permission.
func permit(label, accounts, actions string) string {
	return `{q},"Label":"` + label + `","AWSAccountIds":["` + accounts + `"],"Actions":["` + actions + `"]`
}

// defaultPolicy is the policy that permissions make.
func defaultPolicy(statements ...string) string {
	return `{"Version":"2008-10-17","Id":"` + queueARN + `/SQSDefaultPolicy","Statement":[` + strings.Join(statements, ",") + `]}`
}

func permitted(label, principal, action string) string {
	return `{"Sid":"` + label + `","Effect":"Allow","Principal":{"AWS":` + principal + `},"Action":` + action + `,"Resource":"` + queueARN + `"}`
}

// Permissions are statements of the policy, from the first to the last.
func TestPermissions(t *testing.T) {
	h := queues(t)
	want := func(policy string) {
		t.Helper()
		if got := attributesOf(t, h, "q", `["Policy"]`)["Policy"]; got != policy {
			t.Errorf("policy is\n%s, want\n%s", got, policy)
		}
	}
	both := permitted("both", `["arn:aws:iam::`+account1+`:root","arn:aws:iam::`+account2+`:root"]`, `"SQS:ReceiveMessage"`)
	all := permitted("all", `"arn:aws:iam::`+account1+`:root"`, `["SQS:SendMessage","SQS:*"]`)
	must(t, h, "AddPermission", permit("both", account1+`","`+account2, "ReceiveMessage"))
	want(defaultPolicy(both))
	must(t, h, "AddPermission", permit("all", account1, `SendMessage","*`))
	want(defaultPolicy(both, all))
	must(t, h, "AddPermission", permit("all", account1, `SendMessage","*`)) // the same again
	want(defaultPolicy(both, all))
	checkSayings(t, h, []saying{
		{"AddPermission", permit("all", account2, `SendMessage`), refused{400, value, "Value all for parameter Label is invalid. Reason: Already exists."}},
		{"RemovePermission", `{q},"Label":"none"`, refused{400, value, "Value none for parameter Label is invalid. Reason: can't find label on existing policy."}},
	})
	must(t, h, "RemovePermission", `{q},"Label":"both"`)
	want(defaultPolicy(all))
	must(t, h, "RemovePermission", `{q},"Label":"all"`)
	want("")
	checkSayings(t, h, []saying{{"RemovePermission", `{q},"Label":"all"`, refused{400, value, "Value all for parameter Label is invalid. Reason: can't find label."}}})

	// A policy that was set stays what it is besides.
	const own = `{"Sid":"own","Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"<false>"}}}`
	must(t, h, "SetQueueAttributes", `{q},`+set("Policy", `{"Version":"2012-10-17","Statement":`+own+`}`))
	want(`{"Version":"2012-10-17","Statement":` + own + `}`)
	must(t, h, "AddPermission", permit("all", account1, `SendMessage","*`))
	want(`{"Version":"2012-10-17","Statement":[` + own + `,` + all + `]}`)
	must(t, h, "RemovePermission", `{q},"Label":"all"`)
	want(`{"Version":"2012-10-17","Statement":[` + own + `]}`)
}

func TestWordsOfPermissions(t *testing.T) {
	h := queues(t)
	eight := strings.Join([]string{"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
		"ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage"}, `","`)
	action := func(name, reason string) refused {
		return refused{400, value, "Value SQS:" + name + " for parameter ActionName is invalid. Reason: " + reason}
	}
	const (
		owner   = "Only the queue owner is allowed to invoke this action."
		unknown = "Please refer to the appropriate WSDL for a list of valid actions."
	)
	checkSayings(t, h, []saying{
		{"AddPermission", permit("", account1, "SendMessage"), refused{400, missing, "The request must contain the parameter Label."}},
		{"AddPermission", permit("a b", account1, "SendMessage"), refused{400, value,
			"Value a b for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length."}},
		{"AddPermission", `{q},"Label":"l","Actions":["SendMessage"]`, refused{400, missing, "The request must contain the parameter AWSAccountIds."}},
		{"AddPermission", `{q},"Label":"l","AWSAccountIds":["` + account1 + `"],"Actions":[]`, refused{400, missing, "The request must contain the parameter ActionName."}},
		{"AddPermission", permit("l", "arn:aws:iam::111111111111:user/x", "SendMessage"), refused{400, value,
			"Value [arn:aws:iam::111111111111:user/x] for parameter PrincipalId is invalid. Reason: Unable to verify principal."}},
		{"AddPermission", permit("l", account1, eight), refused{403, "OverLimit", "8 Actions were found, maximum allowed is 7."}},
		{"AddPermission", permit("l", account1, "CreateQueue"), action("CreateQueue", owner)},
		{"AddPermission", permit("l", account1, "SendMessageBatch"), action("SendMessageBatch", unknown)},
		{"AddPermission", permit("l", account1, "Nonsense"), action("Nonsense", unknown)},
		{"AddPermission", strings.Replace(permit("l", account1, "SendMessage"), "{q}", "{nowhere}", 1),
			refused{400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}},
		{"RemovePermission", `{q}`, refused{400, missing, "The request must contain the parameter Label."}},
	})
	for i := range 20 {
		must(t, h, "AddPermission", permit(fmt.Sprint("l", i), account1, "SendMessage"))
	}
	checkSayings(t, h, []saying{{"AddPermission", permit("more", account1, "SendMessage"), refused{403, "OverLimit", "21 Statements were found, maximum allowed is 20."}}})
}

func TestPolicies(t *testing.T) {
	h := queues(t)
	const statement = `{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}`
	with := func(statement string) string { return `{"Version":"2012-10-17","Statement":` + statement + `}` }
	for _, p := range []string{
		with(statement), with(`[` + statement + `]`), `{"Statement":` + statement + `}`, `{"Version":"2008-10-17","Id":"x","Statement":` + statement + `}`,
		with(strings.Replace(statement, `"sqs:SendMessage"`, `["SQS:SendMessage","sqs:Receive*","s3:GetObject","*"]`, 1)),
		with(strings.Replace(statement, "Action", "NotAction", 1)), with(strings.Replace(statement, "Resource", "NotResource", 1)),
	} {
		must(t, h, "SetQueueAttributes", `{q},`+set("Policy", p))
		if got := attributesOf(t, h, "q", `["Policy"]`)["Policy"]; got != p {
			t.Errorf("%s became %s", p, got)
		}
	}
	wrong := refused{400, "InvalidAttributeValue", "Invalid value for the parameter Policy."}
	for _, p := range []string{
		"x", "[]", "null", `"x"`, "5", "{}", with(`[]`), with(`[5]`), with(`"x"`), `{"Version":"2011-10-17","Statement":` + statement + `}`,
		`{"Version":"2012-10-17","More":1,"Statement":` + statement + `}`, with(strings.Replace(statement, "{", `{"More":1,`, 1)),
		with(strings.Replace(statement, "Allow", "allow", 1)), with(strings.Replace(statement, `,"Resource":"*"`, "", 1)),
		with(strings.Replace(statement, `"Action":"sqs:SendMessage",`, "", 1)), with(strings.Replace(statement, `"sqs:SendMessage"`, "[]", 1)),
	} {
		checkSayings(t, h, []saying{
			{"SetQueueAttributes", `{q},` + set("Policy", p), wrong},
			{"CreateQueue", `"QueueName":"new",` + set("Policy", p), wrong},
		})
	}
	many := with(`[` + strings.Repeat(statement+`,`, 20) + statement + `]`)
	const message = "21 statements were found in the submitted policy, max allowed is 20"
	checkSayings(t, h, []saying{
		{"SetQueueAttributes", `{q},` + set("Policy", many), refused{403, "OverLimit", message}},
		{"CreateQueue", `"QueueName":"new",` + set("Policy", many), refused{400, value, message}},
		{"SetQueueAttributes", `{q},` + set("Policy", with(strings.Replace(statement, "sqs:SendMessage", "SQS:SendMessageBatch", 1))), refused{400, value,
			"Value SQS:SendMessageBatch for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a list of valid actions."}},
	})
}
