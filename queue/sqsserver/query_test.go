package sqsserver_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const (
	formType  = "application/x-www-form-urlencoded; charset=utf-8"
	queuePath = "/000000000000/q"
)

// ask sends a form, in the body or in the query of the URL.
func ask(h http.Handler, method, path, form string) *httptest.ResponseRecorder {
	var r *http.Request
	if method == http.MethodPost {
		r = httptest.NewRequest(method, "http://127.0.0.1:4566"+path, strings.NewReader(form))
		r.Header.Set("Content-Type", formType)
	} else {
		r = httptest.NewRequest(method, "http://127.0.0.1:4566"+path, nil)
		r.URL.RawQuery = form
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// varying are the parts of a reply that differ from run to run.
var varying = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`<(ReceiptHandle|TaskHandle)>[^<]+<`), "<$1>HANDLE<"},
	{regexp.MustCompile(`(Timestamp</Name><Value)>\d+<`), "$1>TIME<"},
	{regexp.MustCompile(`<(StartedTimestamp|ApproximateNumberOfMessagesMoved)>\d+<`), "<$1>N<"},
	{regexp.MustCompile(`<(MD5OfMessage(?:System)?Attributes)>[0-9a-f]{32}<`), "<$1>SUM<"},
	{regexp.MustCompile(`<Message>[A-Z][^<]*</Message>`), "<Message>MESSAGE</Message>"}, // the text of an error
}

// reply is what an action answers around its result.
func reply(action, result string) string {
	return `<?xml version="1.0"?>` + "\n" + `<` + action + `Response xmlns="http://queue.amazonaws.com/doc/2012-11-05/">` + result +
		`<ResponseMetadata><RequestId>UUID</RequestId></ResponseMetadata></` + action + `Response>`
}

// Each action once, to the letter. The steps build on each other.
func TestQueryReplies(t *testing.T) {
	const sum = `<MD5OfMessageBody>5d41402abc4b2a76b9719d911017c592</MD5OfMessageBody>` // hello
	h := handler(t)
	handle := ""
	for _, step := range []struct{ action, path, form, want string }{
		{"CreateQueue", "/", "QueueName=new&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=7&Attribute.2.Name=DelaySeconds&Attribute.2.Value=0&Tag.1.Key=a%26b&Tag.1.Value=%3C",
			`<CreateQueueResult><QueueUrl>http://127.0.0.1:4566/000000000000/new</QueueUrl></CreateQueueResult>`},
		{"GetQueueUrl", "/", "QueueName=q", `<GetQueueUrlResult><QueueUrl>http://127.0.0.1:4566/000000000000/q</QueueUrl></GetQueueUrlResult>`},
		{"GetQueueUrl", "/000000000000/new", "QueueName=q&QueueOwnerAWSAccountId=000000000000",
			`<GetQueueUrlResult><QueueUrl>http://127.0.0.1:4566/000000000000/q</QueueUrl></GetQueueUrlResult>`},
		{"ListQueues", "/", "", `<ListQueuesResult><QueueUrl>http://127.0.0.1:4566/000000000000/new</QueueUrl><QueueUrl>http://127.0.0.1:4566/000000000000/q</QueueUrl></ListQueuesResult>`},
		{"ListQueues", "/", "QueueNamePrefix=&MaxResults=1",
			`<ListQueuesResult><QueueUrl>http://127.0.0.1:4566/000000000000/new</QueueUrl><NextToken>bmV3</NextToken></ListQueuesResult>`},
		{"ListQueues", "/", "QueueNamePrefix=z", `<ListQueuesResult/>`},
		{"GetQueueAttributes", queuePath, "AttributeName.1=VisibilityTimeout&AttributeName.2=QueueArn",
			`<GetQueueAttributesResult><Attribute><Name>QueueArn</Name><Value>arn:aws:sqs:us-east-1:000000000000:q</Value></Attribute>` +
				`<Attribute><Name>VisibilityTimeout</Name><Value>30</Value></Attribute></GetQueueAttributesResult>`},
		{"GetQueueAttributes", "/000000000000/new", "QueueUrl=" + url.QueryEscape("http://elsewhere"+queuePath) + "&AttributeName=QueueArn",
			`<GetQueueAttributesResult><Attribute><Name>QueueArn</Name><Value>arn:aws:sqs:us-east-1:000000000000:q</Value></Attribute></GetQueueAttributesResult>`},
		{"GetQueueAttributes", queuePath, "", `<GetQueueAttributesResult/>`},
		{"SetQueueAttributes", queuePath, "Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=31&Attribute.2.Name=DelaySeconds&Attribute.2.Value=0", ``},
		{"SetQueueAttributes", queuePath, "Attribute.Name=RedrivePolicy&Attribute.Value=" +
			url.QueryEscape(`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:new","maxReceiveCount":5}`), ``},
		{"ListDeadLetterSourceQueues", "/000000000000/new", "", `<ListDeadLetterSourceQueuesResult><QueueUrl>http://127.0.0.1:4566/000000000000/q</QueueUrl></ListDeadLetterSourceQueuesResult>`},
		{"SetQueueAttributes", queuePath, "Attribute.1.Name=RedrivePolicy&Attribute.1.Value=", ``},
		{"ListDeadLetterSourceQueues", "/000000000000/new", "MaxResults=10", `<ListDeadLetterSourceQueuesResult/>`},

		{"ListQueueTags", "/000000000000/new", "", `<ListQueueTagsResult><Tag><Key>a&amp;b</Key><Value>&lt;</Value></Tag></ListQueueTagsResult>`},
		{"TagQueue", "/000000000000/new", "Tags.1.Key=c&Tags.1.Value=", ``},
		{"UntagQueue", "/000000000000/new", "TagKey.1=a%26b&TagKey.2=none", ``},
		{"ListQueueTags", "/000000000000/new", "", `<ListQueueTagsResult><Tag><Key>c</Key><Value/></Tag></ListQueueTagsResult>`},
		{"ListQueueTags", queuePath, "", `<ListQueueTagsResult/>`},

		{"SendMessage", queuePath, "MessageBody=hello", `<SendMessageResult>` + sum + `<MessageId>UUID</MessageId></SendMessageResult>`},
		{"ReceiveMessage", queuePath, "AttributeName.1=SentTimestamp&MessageSystemAttributeName.1=ApproximateReceiveCount&MessageAttributeName.1=All&VisibilityTimeout=0&MaxNumberOfMessages=10&WaitTimeSeconds=0",
			`<ReceiveMessageResult><Message><MessageId>UUID</MessageId><ReceiptHandle>HANDLE</ReceiptHandle><MD5OfBody>5d41402abc4b2a76b9719d911017c592</MD5OfBody><Body>hello</Body>` +
				`<Attribute><Name>SentTimestamp</Name><Value>TIME</Value></Attribute><Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute></Message></ReceiveMessageResult>`},
		{"ReceiveMessage", queuePath, "AttributeName=&WaitTimeSeconds=20", `<ReceiveMessageResult><Message><MessageId>UUID</MessageId><ReceiptHandle>HANDLE</ReceiptHandle>` +
			`<MD5OfBody>5d41402abc4b2a76b9719d911017c592</MD5OfBody><Body>hello</Body></Message></ReceiveMessageResult>`},
		{"ReceiveMessage", queuePath, "", `<ReceiveMessageResult/>`},
		{"ChangeMessageVisibility", queuePath, "ReceiptHandle=HANDLE&VisibilityTimeout=30", ``},
		{"ChangeMessageVisibilityBatch", queuePath, "ChangeMessageVisibilityBatchRequestEntry.7.Id=b&ChangeMessageVisibilityBatchRequestEntry.7.ReceiptHandle=x&ChangeMessageVisibilityBatchRequestEntry.7.VisibilityTimeout=1&" +
			"ChangeMessageVisibilityBatchRequestEntry.2.Id=a&ChangeMessageVisibilityBatchRequestEntry.2.ReceiptHandle=HANDLE&ChangeMessageVisibilityBatchRequestEntry.2.VisibilityTimeout=30",
			`<ChangeMessageVisibilityBatchResult><ChangeMessageVisibilityBatchResultEntry><Id>a</Id></ChangeMessageVisibilityBatchResultEntry>` +
				`<BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault><Code>ReceiptHandleIsInvalid</Code><Message>MESSAGE</Message></BatchResultErrorEntry></ChangeMessageVisibilityBatchResult>`},
		{"DeleteMessageBatch", queuePath, "DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.1.ReceiptHandle=x",
			`<DeleteMessageBatchResult><BatchResultErrorEntry><Id>a</Id><SenderFault>true</SenderFault><Code>ReceiptHandleIsInvalid</Code><Message>MESSAGE</Message></BatchResultErrorEntry></DeleteMessageBatchResult>`},
		{"DeleteMessage", queuePath, "ReceiptHandle=HANDLE", ``},
		{"SendMessageBatch", queuePath, "SendMessageBatchRequestEntry.2.Id=two&SendMessageBatchRequestEntry.2.MessageBody=hello&SendMessageBatchRequestEntry.2.DelaySeconds=901&" +
			"SendMessageBatchRequestEntry.1.Id=one&SendMessageBatchRequestEntry.1.MessageBody=hello&SendMessageBatchRequestEntry.1.DelaySeconds=0&" +
			"SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=s&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=v&" +
			"SendMessageBatchRequestEntry.1.MessageAttribute.2.Name=b&SendMessageBatchRequestEntry.1.MessageAttribute.2.Value.DataType=Binary&SendMessageBatchRequestEntry.1.MessageAttribute.2.Value.BinaryValue=AP8%3D&" +
			"SendMessageBatchRequestEntry.1.MessageSystemAttribute.1.Name=AWSTraceHeader&SendMessageBatchRequestEntry.1.MessageSystemAttribute.1.Value.DataType=String&SendMessageBatchRequestEntry.1.MessageSystemAttribute.1.Value.StringValue=t",
			`<SendMessageBatchResult><SendMessageBatchResultEntry><Id>one</Id>` + sum + `<MD5OfMessageAttributes>SUM</MD5OfMessageAttributes>` +
				`<MD5OfMessageSystemAttributes>SUM</MD5OfMessageSystemAttributes><MessageId>UUID</MessageId></SendMessageBatchResultEntry>` +
				`<BatchResultErrorEntry><Id>two</Id><SenderFault>true</SenderFault><Code>InvalidParameterValue</Code><Message>MESSAGE</Message></BatchResultErrorEntry></SendMessageBatchResult>`},
		{"ReceiveMessage", queuePath, "AttributeName.1=AWSTraceHeader&MessageAttributeName.1=b",
			`<ReceiveMessageResult><Message><MessageId>UUID</MessageId><ReceiptHandle>HANDLE</ReceiptHandle><MD5OfBody>5d41402abc4b2a76b9719d911017c592</MD5OfBody><Body>hello</Body>` +
				`<Attribute><Name>AWSTraceHeader</Name><Value>t</Value></Attribute><MD5OfMessageAttributes>SUM</MD5OfMessageAttributes>` +
				`<MessageAttribute><Name>b</Name><Value><BinaryValue>AP8=</BinaryValue><DataType>Binary</DataType></Value></MessageAttribute></Message></ReceiveMessageResult>`},
		{"PurgeQueue", queuePath, "", ``},

		{"AddPermission", queuePath, "Label=l&AWSAccountId.1=111111111111&AWSAccountId.2=222222222222&ActionName.1=SendMessage&ActionName.2=ReceiveMessage", ``},
		{"GetQueueAttributes", queuePath, "AttributeName.1=Policy", `<GetQueueAttributesResult><Attribute><Name>Policy</Name><Value>` +
			`{&quot;Version&quot;:&quot;2008-10-17&quot;,&quot;Id&quot;:&quot;arn:aws:sqs:us-east-1:000000000000:q/SQSDefaultPolicy&quot;,&quot;Statement&quot;:[{` +
			`&quot;Sid&quot;:&quot;l&quot;,&quot;Effect&quot;:&quot;Allow&quot;,&quot;Principal&quot;:{&quot;AWS&quot;:[&quot;arn:aws:iam::111111111111:root&quot;,&quot;arn:aws:iam::222222222222:root&quot;]},` +
			`&quot;Action&quot;:[&quot;SQS:SendMessage&quot;,&quot;SQS:ReceiveMessage&quot;],&quot;Resource&quot;:&quot;arn:aws:sqs:us-east-1:000000000000:q&quot;}]}` +
			`</Value></Attribute></GetQueueAttributesResult>`},
		{"RemovePermission", queuePath, "Label=l", ``},

		{"SetQueueAttributes", queuePath, "Attribute.1.Name=RedrivePolicy&Attribute.1.Value=" +
			url.QueryEscape(`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:new","maxReceiveCount":5}`), ``},
		{"SendMessage", "/000000000000/new", "MessageBody=hello", `<SendMessageResult>` + sum + `<MessageId>UUID</MessageId></SendMessageResult>`},
		{"SendMessage", "/000000000000/new", "MessageBody=hello", `<SendMessageResult>` + sum + `<MessageId>UUID</MessageId></SendMessageResult>`},
		{"SendMessage", "/000000000000/new", "MessageBody=hello", `<SendMessageResult>` + sum + `<MessageId>UUID</MessageId></SendMessageResult>`},
		{"StartMessageMoveTask", "/", "SourceArn=arn:aws:sqs:us-east-1:000000000000:new&DestinationArn=arn:aws:sqs:us-east-1:000000000000:q&MaxNumberOfMessagesPerSecond=1",
			`<StartMessageMoveTaskResult><TaskHandle>HANDLE</TaskHandle></StartMessageMoveTaskResult>`},
		{"ListMessageMoveTasks", "/", "SourceArn=arn:aws:sqs:us-east-1:000000000000:new&MaxResults=10",
			`<ListMessageMoveTasksResult><ListMessageMoveTasksResultEntry><TaskHandle>HANDLE</TaskHandle><Status>RUNNING</Status>` +
				`<SourceArn>arn:aws:sqs:us-east-1:000000000000:new</SourceArn><DestinationArn>arn:aws:sqs:us-east-1:000000000000:q</DestinationArn>` +
				`<MaxNumberOfMessagesPerSecond>1</MaxNumberOfMessagesPerSecond><ApproximateNumberOfMessagesMoved>N</ApproximateNumberOfMessagesMoved>` +
				`<ApproximateNumberOfMessagesToMove>3</ApproximateNumberOfMessagesToMove><StartedTimestamp>N</StartedTimestamp></ListMessageMoveTasksResultEntry></ListMessageMoveTasksResult>`},
		{"CancelMessageMoveTask", "/", "TaskHandle=HANDLE",
			`<CancelMessageMoveTaskResult><ApproximateNumberOfMessagesMoved>N</ApproximateNumberOfMessagesMoved></CancelMessageMoveTaskResult>`},
		{"DeleteQueue", "/", "QueueUrl=" + url.QueryEscape("http://127.0.0.1:4566/000000000000/new"), ``},
	} {
		form := "Version=2012-11-05&Unknown.1=x&" + strings.ReplaceAll(step.form, "HANDLE", url.QueryEscape(handle)) + "&Action=" + step.action
		method := http.MethodPost
		if strings.HasPrefix(step.action, "List") || strings.HasPrefix(step.action, "Get") {
			method = http.MethodGet
		}
		w := ask(h, method, step.path, form)
		if m := regexp.MustCompile(`<(?:ReceiptHandle|TaskHandle)>([^<]+)<`).FindStringSubmatch(w.Body.String()); m != nil {
			handle = m[1]
		}
		got := w.Body.String()
		for _, v := range varying {
			got = v.is.ReplaceAllString(got, v.as)
		}
		if want := reply(step.action, step.want); w.Code != 200 || got != want {
			t.Fatalf("%s %s:\n%d %s\nwant\n%s", step.path, form, w.Code, got, want)
		}
		if id := w.Header().Get("x-amzn-RequestId"); !strings.Contains(w.Body.String(), "<RequestId>"+id+"</RequestId>") {
			t.Errorf("%s: the header's request id, %q, is not the body's", step.action, id)
		}
		if c := w.Header().Get("Content-Type"); c != "text/xml" {
			t.Errorf("%s: content type %q", step.action, c)
		}
	}
}

func TestQueryErrors(t *testing.T) {
	h := handler(t)
	for _, tc := range []struct {
		method, path, form string
		status             int
		code, message      string // the message, or its beginning
	}{
		{"POST", queuePath, "Action=Nonsense", 400, "InvalidAction", "The action Nonsense is not valid for this endpoint."},
		{"POST", "/", "Action=%FF%3C", 400, "InvalidAction", "The action ?< is not valid for this endpoint."},
		{"GET", queuePath, "Action=CreateQueue&QueueName=a", 400, "InvalidAction", "The action CreateQueue is not valid for this endpoint."},
		{"GET", queuePath, "Action=ListQueues", 400, "InvalidAction", "The action ListQueues is not valid for this endpoint."},
		{"POST", "/", "", 400, "MissingAction", "The request must contain the parameter Action."},
		{"POST", "/", "Action=", 400, "MissingAction", ""},
		{"GET", "/", "Action=", 400, "MissingAction", ""},
		{"GET", queuePath, "Action=SendMessage", 400, "MissingParameter", "The request must contain the parameter MessageBody."},
		{"POST", queuePath, "Action=SendMessage&MessageBody=", 400, "MissingParameter", "The request must contain the parameter MessageBody."},
		{"POST", "/", "Action=SendMessage&MessageBody=x", 400, "MissingParameter", "The request must contain the parameter QueueUrl."},
		{"POST", queuePath + "/", "Action=PurgeQueue", 400, "AWS.SimpleQueueService.NonExistentQueue", ""},
		{"POST", "/q", "Action=PurgeQueue", 400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist for this wsdl version."},
		{"GET", "/000000000000/gone", "Action=GetQueueAttributes", 400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist for this wsdl version."},
		{"GET", "/000000000001/q", "Action=GetQueueAttributes", 400, "AWS.SimpleQueueService.NonExistentQueue", ""},
		{"GET", queuePath, "Action=GetQueueAttributes&AttributeName.1=Foobar", 400, "InvalidAttributeName", "Unknown Attribute Foobar."},

		// What is no form, or not what was expected at its place.
		{"GET", queuePath, "Action=ReceiveMessage&a=%zz", 404, "MalformedQueryString", ""},
		{"POST", queuePath, "Action=ReceiveMessage&%", 404, "MalformedQueryString", ""},
		{"POST", queuePath, "Action=ReceiveMessage&" + strings.Repeat("a=&", 5000), 404, "MalformedQueryString", ""},
		{"POST", queuePath, "Action=ReceiveMessage&" + strings.Repeat("a.", 5000) + "=b", 404, "MalformedQueryString", ""},
		{"POST", queuePath, "Action=ReceiveMessage&MaxNumberOfMessages=ten", 400, "MalformedInput", "The value of the parameter MaxNumberOfMessages is not an Integer of 32 bits"},
		{"POST", queuePath, "Action=ReceiveMessage&MaxNumberOfMessages=", 400, "MalformedInput", ""},
		{"POST", queuePath, "Action=ReceiveMessage&MaxNumberOfMessages=4294967297", 400, "MalformedInput", ""},
		{"POST", queuePath, "Action=ReceiveMessage&MaxNumberOfMessages=1%2C%22a%22%3A1", 400, "MalformedInput", ""},
		{"POST", queuePath, "Action=ReceiveMessage&AttributeName.member.1=All", 400, "MalformedInput", "Start of list found where not expected"},
		{"POST", queuePath, "Action=SendMessage&MessageBody=%ff", 400, "MalformedInput", "A string is not UTF-8"},
		{"POST", queuePath, "Action=TagQueue&Tag.1.Key=%ff&Tag.1.Value=x", 400, "MalformedInput", "A string is not UTF-8"},
		{"POST", queuePath, "Action=SendMessage&MessageBody=x&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=*", 400, "MalformedInput", "A binary value is not base64"},
		{"POST", queuePath, "Action=SetQueueAttributes&Attribute.1.Name=DelaySeconds", 400, "MissingParameter", "The request must contain the parameter Attribute.1.Value."},
		{"POST", queuePath, "Action=SetQueueAttributes&Attribute.1.Value=1", 400, "MissingParameter", "The request must contain the parameter Attribute.1.Name."},
		{"POST", queuePath, "Action=SetQueueAttributes&Attribute.999999999.Name=DelaySeconds", 400, "MissingParameter", "The request must contain the parameter Attribute.1.Value."},
		{"POST", queuePath, "Action=SetQueueAttributes&Attribute.0.Name=DelaySeconds&Attribute.0.Value=1", 400, "MissingParameter", "The request must contain the parameter Attribute.Name."},
		{"POST", queuePath, "Action=SetQueueAttributes", 400, "MissingParameter", "The request must contain the parameter Attribute.Name."},
		{"POST", queuePath, "Action=TagQueue&Tag=", 400, "MissingParameter", "The request must contain the parameter Tags."},

		// The rules are those of the other protocol; their codes are this one's.
		{"POST", queuePath, "Action=SendMessage&MessageBody=%00", 400, "InvalidMessageContents", ""},
		{"POST", queuePath, "Action=SendMessage&MessageBody=x&DelaySeconds=-1", 400, "InvalidParameterValue", ""},
		{"POST", queuePath, "Action=SendMessage&MessageBody=x&MessageAttribute.1.Name=%00&MessageAttribute.1.Value.StringValue=x", 400, "InvalidParameterValue", ""},
		{"POST", queuePath, "Action=SendMessageBatch", 400, "AWS.SimpleQueueService.EmptyBatchRequest", ""},
		{"POST", queuePath, "Action=SendMessageBatch&Entries=", 400, "AWS.SimpleQueueService.EmptyBatchRequest", ""},
		{"POST", queuePath, "Action=SendMessageBatch&SendMessageBatchRequestEntry.1=x", 400, "MissingParameter", "The request must contain the parameter SendMessageBatchRequestEntry.1.Id."},
		{"POST", queuePath, "Action=DeleteMessage&ReceiptHandle=%3Cx%3E", 404, "ReceiptHandleIsInvalid", ""},
	} {
		w := ask(h, tc.method, tc.path, tc.form)
		var e struct {
			XMLName   xml.Name  `xml:"http://queue.amazonaws.com/doc/2012-11-05/ ErrorResponse"`
			Type      string    `xml:"Error>Type"`
			Code      string    `xml:"Error>Code"`
			Message   string    `xml:"Error>Message"`
			Detail    *struct{} `xml:"Error>Detail"`
			RequestID string    `xml:"RequestId"`
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Fatalf("%s %.100s: %v in %s", tc.path, tc.form, err, w.Body)
		}
		if w.Code != tc.status || e.Code != tc.code || e.Type != "Sender" || e.Message == "" || !strings.HasPrefix(e.Message, tc.message) ||
			e.Detail == nil || e.RequestID == "" || e.RequestID != w.Header().Get("x-amzn-RequestId") {
			t.Errorf("%s %s %.100s: %d %s; want %d %s, %s", tc.method, tc.path, tc.form, w.Code, w.Body, tc.status, tc.code, tc.message)
		}
	}
}

// A request in neither protocol has an answer of its own, in XML unless it
// says it speaks JSON.
func TestNeitherProtocol(t *testing.T) {
	h := handler(t)
	for _, tc := range []struct{ method, path, contentType, body, query string }{
		{"GET", queuePath, "", "", ""},
		{"GET", "/", "", "", "QueueName=a"},
		{"PUT", queuePath, formType, "Action=ListQueues", ""},
		{"DELETE", queuePath, "", "", "Action=DeleteQueue"},
		{"HEAD", queuePath, "", "", "Action=DeleteQueue"},
		{"POST", "/", "text/plain", "hello", ""},
		{"POST", "/", "application/json", "{}", ""},
	} {
		r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
		r.Header.Set("Content-Type", tc.contentType)
		r.URL.RawQuery = tc.query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 404 || w.Body.String() != "<UnknownOperationException/>" {
			t.Errorf("%+v: %d %s", tc, w.Code, w.Body)
		}
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{}`))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 400 || !strings.Contains(w.Body.String(), `#UnknownOperationException"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
