package sqsserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// attributesOf asks for attributes of a queue by a JSON list of their names.
func attributesOf(t testing.TB, h http.Handler, queue, names string) map[string]string {
	t.Helper()
	var got struct{ Attributes map[string]string }
	if err := json.Unmarshal([]byte(must(t, h, "GetQueueAttributes", address(queue)+`,"AttributeNames":`+names)), &got); err != nil {
		t.Fatal(err)
	}
	return got.Attributes
}

// set is an Attributes argument, of names and values in turn.
func set(pairs ...string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	b, _ := json.Marshal(m)
	return `"Attributes":` + string(b)
}

// Every attribute a new queue shows, with its default.
func TestDefaultAttributes(t *testing.T) {
	h := queues(t)
	standard := map[string]string{
		"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesDelayed": "0", "ApproximateNumberOfMessagesNotVisible": "0",
		"CreatedTimestamp": "", "LastModifiedTimestamp": "", "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
		"DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0",
		"SqsManagedSseEnabled": "true", "VisibilityTimeout": "30",
	}
	fifo := map[string]string{
		"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue",
	}
	for k, v := range standard {
		fifo[k] = v
	}
	for queue, want := range map[string]map[string]string{"q": standard, "f.fifo": fifo} {
		want["QueueArn"] = "arn:aws:sqs:us-east-1:000000000000:" + queue
		for _, all := range []string{`["All"]`, `["ALL"]`} {
			got := attributesOf(t, h, queue, all)
			if len(got["CreatedTimestamp"]) != 10 || len(got["LastModifiedTimestamp"]) != 10 {
				t.Errorf("%s: times are %q and %q, want seconds", queue, got["CreatedTimestamp"], got["LastModifiedTimestamp"])
			}
			got["CreatedTimestamp"], got["LastModifiedTimestamp"] = "", ""
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s %s (-want +got):\n%s", queue, all, d)
			}
		}
	}
	for _, names := range []string{`null`, `[]`, `["Policy"]`, `["KmsMasterKeyId","RedrivePolicy"]`, `["DeduplicationScope"]`} {
		if got := must(t, h, "GetQueueAttributes", `{q},"AttributeNames":`+names); got != `{}` {
			t.Errorf("%s: %s", names, got)
		}
	}
	unknown := func(name string) refused {
		return refused{400, "InvalidAttributeName", "Unknown Attribute " + name + "."}
	}
	checkSayings(t, h, []saying{
		{"GetQueueAttributes", `{q},"AttributeNames":["QueueArn","Colour"]`, unknown("Colour")},
		{"GetQueueAttributes", `{q},"AttributeNames":[""]`, unknown("")},
		{"GetQueueAttributes", `{q},"AttributeNames":["FifoQueue"]`, unknown("FifoQueue")},
		{"GetQueueAttributes", `{q},"AttributeNames":["ContentBasedDeduplication"]`, unknown("ContentBasedDeduplication")},
	})
}

// What is set is shown, and "" takes away what can be taken away.
func TestSetAttributes(t *testing.T) {
	h := queues(t)
	const dead = `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":5}`
	for _, c := range []struct {
		queue string
		set   []string
		shown map[string]string // "": not there
	}{
		{"q", []string{"VisibilityTimeout", "0", "DelaySeconds", "900", "MessageRetentionPeriod", "60", "MaximumMessageSize", "1024"},
			map[string]string{"VisibilityTimeout": "0", "DelaySeconds": "900", "MessageRetentionPeriod": "60", "MaximumMessageSize": "1024"}},
		{"q", []string{"RedrivePolicy", ` { "maxReceiveCount" : "5", "deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead" } `}, map[string]string{"RedrivePolicy": dead}},
		{"q", []string{"RedrivePolicy", ""}, map[string]string{"RedrivePolicy": ""}},
		{"q", []string{"RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`}, map[string]string{"RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`}},
		{"q", []string{"RedriveAllowPolicy", ""}, map[string]string{"RedriveAllowPolicy": ""}},
		{"q", []string{"KmsMasterKeyId", "alias/aws/sqs"},
			map[string]string{"KmsMasterKeyId": "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"}},
		{"q", []string{"KmsDataKeyReusePeriodSeconds", "6000"}, map[string]string{"KmsMasterKeyId": "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds": "6000"}},
		{"q", []string{"KmsMasterKeyId", "", "KmsDataKeyReusePeriodSeconds", "300"},
			map[string]string{"KmsMasterKeyId": "", "KmsDataKeyReusePeriodSeconds": "", "SqsManagedSseEnabled": "false"}},
		{"q", []string{"KmsMasterKeyId", "k"}, map[string]string{"KmsMasterKeyId": "k"}},
		{"q", []string{"SqsManagedSseEnabled", "true"}, map[string]string{"KmsMasterKeyId": "", "KmsDataKeyReusePeriodSeconds": "", "SqsManagedSseEnabled": "true"}},
		{"f.fifo", []string{"FifoQueue", "true", "ContentBasedDeduplication", "True"}, map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}},
		{"f.fifo", []string{"DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId"},
			map[string]string{"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId", "ContentBasedDeduplication": "true"}},
		{"f.fifo", []string{"DeduplicationScope", "queue", "FifoThroughputLimit", "perQueue"},
			map[string]string{"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}},
	} {
		must(t, h, "SetQueueAttributes", address(c.queue)+","+set(c.set...))
		got := attributesOf(t, h, c.queue, `["All"]`)
		for name, want := range c.shown {
			if has, ok := got[name]; has != want || ok != (want != "") {
				t.Errorf("%v: %s is %q (there: %v), want %q", c.set, name, has, ok, want)
			}
		}
	}
}

// A message group's scope of deduplication is more than shown.
func TestDeduplicationScope(t *testing.T) {
	h := queues(t)
	send := func(queue, group string) string {
		var sent struct{ MessageId string }
		reply := must(t, h, "SendMessage", address(queue)+`,"MessageBody":"x","MessageGroupId":"`+group+`"`)
		if err := json.Unmarshal([]byte(reply), &sent); err != nil {
			t.Fatal(err)
		}
		return sent.MessageId
	}
	if a, b := send("content.fifo", "a"), send("content.fifo", "b"); a != b {
		t.Errorf("the scope is the queue: %s and %s", a, b)
	}
	must(t, h, "CreateQueue", `"QueueName":"other.fifo",`+set("FifoQueue", "true", "ContentBasedDeduplication", "true", "DeduplicationScope", "messageGroup"))
	if a, b := send("other.fifo", "a"), send("other.fifo", "b"); a == b {
		t.Error("the scope is the group, and the second message was a duplicate")
	}
}

func TestWordsOfAttributes(t *testing.T) {
	h := queues(t)
	wrong := func(name string) refused {
		return refused{400, "InvalidAttributeValue", "Invalid value for the parameter " + name + "."}
	}
	unknown := func(name string) refused {
		return refused{400, "InvalidAttributeName", "Unknown Attribute " + name + "."}
	}
	onlyFIFO := func(name string) refused {
		return refused{400, "InvalidAttributeName", "You can specify the " + name + " only when FifoQueue is set to true."}
	}
	cases := []struct {
		queue, name, value string
		want               refused
	}{
		{"q", "Colour", "red", unknown("Colour")},
		{"q", "QueueArn", "x", unknown("QueueArn")},
		{"q", "All", "x", unknown("All")},
		{"q", "ContentBasedDeduplication", "false", unknown("ContentBasedDeduplication")},
		{"q", "DeduplicationScope", "queue", onlyFIFO("DeduplicationScope")},
		{"q", "FifoThroughputLimit", "perQueue", onlyFIFO("FifoThroughputLimit")},
		{"q", "SqsManagedSseEnabled", "yes", wrong("SqsManagedSseEnabled")},
		{"f.fifo", "ContentBasedDeduplication", "yes", wrong("ContentBasedDeduplication")},
		{"f.fifo", "DeduplicationScope", "group", wrong("DeduplicationScope")},
		{"f.fifo", "FifoThroughputLimit", "perGroup", wrong("FifoThroughputLimit")},
		{"f.fifo", "FifoThroughputLimit", "perMessageGroupId", refused{400, "InvalidAttributeValue",
			"The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup"}},
	}
	for name, values := range map[string][]string{
		"VisibilityTimeout": {"", "-1", "43201", "1.5", " 1", "one"}, "DelaySeconds": {"", "-1", "901"}, "MessageRetentionPeriod": {"", "59", "1209601"},
		"ReceiveMessageWaitTimeSeconds": {"", "-1", "21"}, "MaximumMessageSize": {"", "1023", "1048577"}, "KmsDataKeyReusePeriodSeconds": {"", "59", "86401"},
	} {
		for _, v := range values {
			cases = append(cases, struct {
				queue, name, value string
				want               refused
			}{"q", name, v, wrong(name)})
		}
	}
	for _, c := range cases {
		create := `"QueueName":"new",`
		if c.queue == "f.fifo" {
			create = `"QueueName":"new.fifo",`
		}
		sayings := []saying{{"SetQueueAttributes", address(c.queue) + "," + set(c.name, c.value), c.want}}
		if c.queue == "f.fifo" {
			sayings = append(sayings, saying{"CreateQueue", create + set("FifoQueue", "true", c.name, c.value), c.want})
		} else {
			sayings = append(sayings, saying{"CreateQueue", create + set(c.name, c.value), c.want})
		}
		checkSayings(t, h, sayings)
	}
	checkSayings(t, h, []saying{
		{"SetQueueAttributes", `{q}`, refused{400, missing, "The request must contain the parameter Attribute.Name."}},
		{"SetQueueAttributes", `{q},"Attributes":{}`, refused{400, missing, "The request must contain the parameter Attribute.Name."}},
		{"SetQueueAttributes", `{nowhere},` + set("DelaySeconds", "1"), refused{400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}},
		{"SetQueueAttributes", `{q},` + set("FifoQueue", "true"), unknown("FifoQueue")},
		{"SetQueueAttributes", `{q},` + set("FifoQueue", "false"), unknown("FifoQueue")},
		{"SetQueueAttributes", `{f.fifo},` + set("FifoQueue", "false"),
			refused{400, "InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."}},
		{"SetQueueAttributes", `{q},` + set("KmsMasterKeyId", "k", "SqsManagedSseEnabled", "true"), refused{400, "InvalidAttributeName",
			"You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE."}},
	})
	// Nothing of what was refused was done.
	if d := cmp.Diff("0", attributesOf(t, h, "q", `["DelaySeconds"]`)["DelaySeconds"]); d != "" {
		t.Error(d)
	}
}

func TestWordsOfRedrivePolicy(t *testing.T) {
	h := queues(t)
	const own = "arn:aws:sqs:us-east-1:000000000000:"
	policy := func(target, count string) string {
		return `{"deadLetterTargetArn":"` + target + `","maxReceiveCount":` + count + `}`
	}
	reason := func(policy, reason string) refused {
		return refused{400, value, "Value " + policy + " for parameter RedrivePolicy is invalid. Reason: " + reason}
	}
	for _, c := range []struct{ policy, reason string }{
		{`{}`, "Redrive policy does not contain mandatory attribute: maxReceiveCount."},
		{`{"maxReceiveCount":5}`, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."},
		{policy(own+"dead", "0"), "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive."},
		{policy(own+"dead", "1001"), "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive."},
		{policy(own+"dead", `"many"`), "Invalid value for maxReceiveCount: many, valid values are from 1 to 1000 both inclusive."},
		{policy("dead", "5"), "Dead-letter target ARN should be fully qualified ARN."},
		{policy("arn:aws:sns:us-east-1:000000000000:dead", "5"), "Only SQS queues are valid resources for deadLetterTargetArn."},
		{policy("arn:aws:sqs:us-east-1:000000000001:dead", "5"), "Dead-letter target owner should be same as the source."},
		{policy(own+"f.fifo", "5"), "Dead-letter queue must be same type of queue as the source.."},
		{policy(own+"nowhere", "5"), "Dead letter target does not exist."},
		{policy(own+"no where", "5"), "Dead letter target does not exist."},
		{strings.Replace(policy(own+"dead", "5"), "}", `,"more":1}`, 1), "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn]."},
	} {
		checkSayings(t, h, []saying{{"SetQueueAttributes", `{q},` + set("RedrivePolicy", c.policy), reason(c.policy, c.reason)}})
	}
	for _, p := range []string{"x", "[]", "null", `"x"`} {
		checkSayings(t, h, []saying{{"SetQueueAttributes", `{q},` + set("RedrivePolicy", p), refused{400, "InvalidAttributeValue",
			"Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map."}}})
	}
}

// Which queues may name a queue as their dead-letter queue.
func TestRedriveAllowPolicy(t *testing.T) {
	h := queues(t)
	const own = "arn:aws:sqs:us-east-1:000000000000:"
	point := `{q},` + set("RedrivePolicy", `{"deadLetterTargetArn":"`+own+`dead","maxReceiveCount":5}`)
	for _, c := range []struct {
		policy string
		allows bool
	}{
		{`{"redrivePermission":"denyAll"}`, false},
		{`{"redrivePermission":"byQueue","sourceQueueArns":["` + own + `other"]}`, false},
		{`{"redrivePermission":"byQueue","sourceQueueArns":["` + own + `other","` + own + `q"]}`, true},
		{`{"redrivePermission":"allowAll"}`, true},
		{"", true},
	} {
		must(t, h, "SetQueueAttributes", `{dead},`+set("RedriveAllowPolicy", c.policy))
		w := post(h, "SetQueueAttributes", on(point))
		if (w.Code == 200) != c.allows || !c.allows && w.Header().Get("X-Amzn-Query-Error") != "InvalidParameterValue;Sender" {
			t.Errorf("%s: %d %s", c.policy, w.Code, w.Body)
		}
	}
	eleven := `"` + own + strings.Repeat(`x","`+own, 10) + `x"`
	format := refused{400, "InvalidAttributeValue", "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format."}
	wrong := func(policy, reason string) refused {
		return refused{400, value, "Value " + policy + " for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. " + reason}
	}
	for policy, want := range map[string]refused{
		"x": format, "[]": format, "{}": format, `{"redrivePermission":"some"}`: format, `{"redrivePermission":"allowAll","x":1}`: format,
		`{"redrivePermission":"byQueue","sourceQueueArns":"x"}`: format, `{"redrivePermission":"byQueue","sourceQueueArns":[{}]}`: format,
		`{"redrivePermission":"byQueue"}`: wrong(`{"redrivePermission":"byQueue"}`,
			"When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values."),
		`{"redrivePermission":"denyAll","sourceQueueArns":["a"]}`: wrong(`{"redrivePermission":"denyAll","sourceQueueArns":["a"]}`,
			"To specify one or more source queue ARNs, you must set redrivePermission to byQueue."),
		`{"redrivePermission":"byQueue","sourceQueueArns":[` + eleven + `]}`: wrong(`{"redrivePermission":"byQueue","sourceQueueArns":[`+eleven+`]}`,
			"The maximum number of source queue ARNs you can specify is 10."),
	} {
		checkSayings(t, h, []saying{{"SetQueueAttributes", `{dead},` + set("RedriveAllowPolicy", policy), want}})
	}
}
