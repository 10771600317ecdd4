package sqsserver

// operation is what the query protocol has to know of an action.
type operation struct {
	in  *shape
	out *shape // nil: the reply has no Result element
}

var (
	urlMember        = textMember("QueueUrl")
	handleMember     = textMember("ReceiptHandle")
	visibilityMember = integerMember("VisibilityTimeout")
	attributeNames   = listMember("AttributeNames", "AttributeName", textShape)
	queueAttribute   = attributesMember("Attributes", "Attribute", textShape)
	urlPage          = structureShape(listMember("QueueUrls", "QueueUrl", textShape), textMember("NextToken"))

	messageAttribute = attributesMember("MessageAttributes", "MessageAttribute", attributeValue)
	attributeValue   = structureShape(textMember("DataType"), textMember("StringValue"), textMember("BinaryValue"),
		listMember("StringListValues", "StringListValue", textShape), listMember("BinaryListValues", "BinaryListValue", textShape))

	// outgoing is what SendMessage and an entry of SendMessageBatch share.
	outgoing = []member{
		textMember("MessageBody"), integerMember("DelaySeconds"), messageAttribute,
		attributesMember("MessageSystemAttributes", "MessageSystemAttribute", attributeValue),
		textMember("MessageDeduplicationId"), textMember("MessageGroupId")}
	// accepted is what both answer of a message.
	accepted = []member{
		textMember("MessageId"), textMember("MD5OfMessageBody"), textMember("MD5OfMessageAttributes"),
		textMember("MD5OfMessageSystemAttributes"), textMember("SequenceNumber")}

	receivedMessage = structureShape(
		textMember("MessageId"), handleMember, textMember("MD5OfBody"), textMember("Body"), queueAttribute,
		textMember("MD5OfMessageAttributes"), messageAttribute)
	moveTask = structureShape(
		textMember("TaskHandle"), textMember("Status"), textMember("SourceArn"), textMember("DestinationArn"),
		integerMember("MaxNumberOfMessagesPerSecond"), integerMember("ApproximateNumberOfMessagesMoved"),
		integerMember("ApproximateNumberOfMessagesToMove"), textMember("FailureReason"), integerMember("StartedTimestamp"))
)

// batch are the arguments of an action's Batch form.
func batch(action string, entry ...member) *shape {
	entry = append([]member{textMember("Id")}, entry...)
	return structureShape(urlMember, listMember("Entries", action+"BatchRequestEntry", structureShape(entry...)))
}

// outcomes are the result of an action's Batch form.
func outcomes(action string, success ...member) *shape {
	success = append([]member{textMember("Id")}, success...)
	return structureShape(
		listMember("Successful", action+"BatchResultEntry", structureShape(success...)),
		listMember("Failed", "BatchResultErrorEntry",
			structureShape(textMember("Id"), booleanMember("SenderFault"), textMember("Code"), textMember("Message"))))
}

// operations by the action's name. The tags are those of the last service
// model that had the query protocol (2023); MessageSystemAttributeNames is
// younger and is spelled as the API reference has it.
var operations = map[string]operation{
	"CreateQueue": {
		in:  structureShape(textMember("QueueName"), queueAttribute, tagsMember("tags")),
		out: structureShape(urlMember)},
	"DeleteQueue": {in: structureShape(urlMember)},
	"GetQueueUrl": {
		in:  structureShape(textMember("QueueName"), textMember("QueueOwnerAWSAccountId")),
		out: structureShape(urlMember)},
	"ListQueues": {
		in:  structureShape(textMember("QueueNamePrefix"), textMember("NextToken"), integerMember("MaxResults")),
		out: urlPage},
	"PurgeQueue": {in: structureShape(urlMember)},
	"ListDeadLetterSourceQueues": {
		in:  structureShape(urlMember, textMember("NextToken"), integerMember("MaxResults")),
		out: structureShape(listMember("queueUrls", "QueueUrl", textShape), textMember("NextToken"))},

	"GetQueueAttributes": {in: structureShape(urlMember, attributeNames), out: structureShape(queueAttribute)},
	"SetQueueAttributes": {in: structureShape(urlMember, queueAttribute)},

	"TagQueue":      {in: structureShape(urlMember, tagsMember("Tags"))},
	"UntagQueue":    {in: structureShape(urlMember, listMember("TagKeys", "TagKey", textShape))},
	"ListQueueTags": {in: structureShape(urlMember), out: structureShape(tagsMember("Tags"))},

	"AddPermission": {in: structureShape(urlMember, textMember("Label"),
		listMember("AWSAccountIds", "AWSAccountId", textShape), listMember("Actions", "ActionName", textShape))},
	"RemovePermission": {in: structureShape(urlMember, textMember("Label"))},

	"SendMessage": {
		in:  structureShape(append([]member{urlMember}, outgoing...)...),
		out: structureShape(accepted...)},
	"SendMessageBatch": {in: batch("SendMessage", outgoing...), out: outcomes("SendMessage", accepted...)},
	"ReceiveMessage": {
		in: structureShape(urlMember, attributeNames,
			listMember("MessageSystemAttributeNames", "MessageSystemAttributeName", textShape),
			listMember("MessageAttributeNames", "MessageAttributeName", textShape),
			integerMember("MaxNumberOfMessages"), visibilityMember, integerMember("WaitTimeSeconds"), textMember("ReceiveRequestAttemptId")),
		out: structureShape(listMember("Messages", "Message", receivedMessage))},

	"DeleteMessage":           {in: structureShape(urlMember, handleMember)},
	"DeleteMessageBatch":      {in: batch("DeleteMessage", handleMember), out: outcomes("DeleteMessage")},
	"ChangeMessageVisibility": {in: structureShape(urlMember, handleMember, visibilityMember)},
	"ChangeMessageVisibilityBatch": {
		in:  batch("ChangeMessageVisibility", handleMember, visibilityMember),
		out: outcomes("ChangeMessageVisibility")},

	"StartMessageMoveTask": {
		in:  structureShape(textMember("SourceArn"), textMember("DestinationArn"), integerMember("MaxNumberOfMessagesPerSecond")),
		out: structureShape(textMember("TaskHandle"))},
	"ListMessageMoveTasks": {
		in:  structureShape(textMember("SourceArn"), integerMember("MaxResults")),
		out: structureShape(listMember("Results", "ListMessageMoveTasksResultEntry", moveTask))},
	"CancelMessageMoveTask": {
		in:  structureShape(textMember("TaskHandle")),
		out: structureShape(integerMember("ApproximateNumberOfMessagesMoved"))},
}
