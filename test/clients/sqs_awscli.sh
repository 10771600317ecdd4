#!/bin/sh
# The SQS server through the aws command line: all 23 actions.
# Usage: sqs_awscli.sh AWS ENDPOINT   (keys and region from the environment)
set -eu
aws=$1 endpoint=$2
sqs() { "$aws" --endpoint-url "$endpoint" --output text sqs "$@"; }
is() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'" >&2; exit 1; }; }
attribute() { sqs get-queue-attributes --queue-url "$1" --attribute-names "$2" --query "Attributes.$2"; }
# A command that must fail, with a code of the service.
fails() {
	code=$1
	shift
	if error=$(sqs "$@" 2>&1); then echo "$* did not fail with $code" >&2; exit 1; fi
	case $error in *"($code)"*) ;; *) echo "$error" >&2; exit 1 ;; esac
}

# Queues.
url=$(sqs create-queue --queue-name cli --attributes VisibilityTimeout=60 --tags team=a --query QueueUrl)
dead=$(sqs create-queue --queue-name cli-dead --query QueueUrl)
is "$(sqs get-queue-url --queue-name cli --query QueueUrl)" "$url"
# Text is written page by page, so the names are sought, not counted.
is "$(sqs list-queues --queue-name-prefix cli --page-size 1 --query 'QueueUrls[]' | tr '\n\t' '  ')" "$url $dead "
sqs tag-queue --queue-url "$url" --tags tier=2
sqs untag-queue --queue-url "$url" --tag-keys team
is "$(sqs list-queue-tags --queue-url "$url" --query 'Tags.[team,tier]')" 'None	2'
deadARN=$(attribute "$dead" QueueArn)
sqs set-queue-attributes --queue-url "$url" --attributes \
	"{\"DelaySeconds\":\"0\",\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"$deadARN\\\",\\\"maxReceiveCount\\\":2}\"}"
is "$(sqs list-dead-letter-source-queues --queue-url "$dead" --query 'queueUrls[0]')" "$url"
sqs add-permission --queue-url "$url" --label l --aws-account-ids 123456789012 --actions SendMessage
case $(attribute "$url" Policy) in *SQS:SendMessage*) ;; *) echo "no policy with SendMessage" >&2; exit 1 ;; esac
sqs remove-permission --queue-url "$url" --label l

# One message: sent, received, given back, received too often, moved back, deleted.
id=$(sqs send-message --queue-url "$url" --message-body 'from the command line' --message-attributes 'n={DataType=Number,StringValue=1}' --query MessageId)
handle=$(sqs receive-message --queue-url "$url" --wait-time-seconds 5 --query 'Messages[0].ReceiptHandle')
is "$(attribute "$url" ApproximateNumberOfMessagesNotVisible)" 1
sqs change-message-visibility --queue-url "$url" --receipt-handle "$handle" --visibility-timeout 0
is "$(sqs receive-message --queue-url "$url" --visibility-timeout 0 --query 'Messages[0].MessageId')" "$id"
is "$(sqs receive-message --queue-url "$url" --query 'Messages[0]')" None
is "$(attribute "$dead" ApproximateNumberOfMessages)" 1
task=$(sqs start-message-move-task --source-arn "$deadARN" --query TaskHandle)
handle=$(sqs receive-message --queue-url "$url" --wait-time-seconds 20 --query 'Messages[0].ReceiptHandle')
sqs delete-message --queue-url "$url" --receipt-handle "$handle"
until [ "$(sqs list-message-move-tasks --source-arn "$deadARN" --query 'Results[0].Status')" = COMPLETED ]; do :; done
fails ResourceNotFoundException cancel-message-move-task --task-handle "$task"

# Batches, on a FIFO queue.
fifo=$(sqs create-queue --queue-name cli.fifo --attributes FifoQueue=true,ContentBasedDeduplication=true --query QueueUrl)
is "$(sqs send-message-batch --queue-url "$fifo" --entries Id=1,MessageBody=one,MessageGroupId=g Id=2,MessageBody=two,MessageGroupId=g \
	--query 'length(Successful)')" 2
set -- $(sqs receive-message --queue-url "$fifo" --max-number-of-messages 10 --query 'Messages[].[Body,ReceiptHandle]')
is "$1 $3" 'one two'
is "$(sqs change-message-visibility-batch --queue-url "$fifo" --entries "Id=1,ReceiptHandle=$2,VisibilityTimeout=60" --query 'Successful[0].Id')" 1
is "$(sqs delete-message-batch --queue-url "$fifo" --entries "Id=1,ReceiptHandle=$2" "Id=2,ReceiptHandle=$4" --query 'length(Successful)')" 2

fails AWS.SimpleQueueService.NonExistentQueue send-message --queue-url "$url-not" --message-body x
fails QueueAlreadyExists create-queue --queue-name cli --attributes VisibilityTimeout=61
sqs purge-queue --queue-url "$url"
for queue in "$url" "$dead" "$fifo"; do sqs delete-queue --queue-url "$queue"; done
echo ok
