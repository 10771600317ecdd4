#!/bin/sh
# The SQS server through the aws command line: create, send, receive, delete.
# Usage: sqs_awscli.sh AWS ENDPOINT   (keys and region from the environment)
set -eu
aws=$1 endpoint=$2
sqs() { "$aws" --endpoint-url "$endpoint" --output text sqs "$@"; }
is() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'" >&2; exit 1; }; }

url=$(sqs create-queue --queue-name cli --attributes VisibilityTimeout=60 --query QueueUrl)
is "$(sqs get-queue-url --queue-name cli --query QueueUrl)" "$url"
is "$(sqs list-queues --queue-name-prefix cli --query 'QueueUrls[0]')" "$url"
id=$(sqs send-message --queue-url "$url" --message-body 'from the command line' --message-attributes 'n={DataType=Number,StringValue=1}' --query MessageId)
handle=$(sqs receive-message --queue-url "$url" --wait-time-seconds 5 --query 'Messages[0].ReceiptHandle')
is "$(sqs get-queue-attributes --queue-url "$url" --attribute-names ApproximateNumberOfMessagesNotVisible --query 'Attributes.ApproximateNumberOfMessagesNotVisible')" 1
sqs change-message-visibility --queue-url "$url" --receipt-handle "$handle" --visibility-timeout 0
is "$(sqs receive-message --queue-url "$url" --wait-time-seconds 5 --query 'Messages[0].MessageId')" "$id"
sqs purge-queue --queue-url "$url"
if error=$(sqs send-message --queue-url "$url-not" --message-body x 2>&1); then
	echo "a queue that is not there took a message" >&2; exit 1
fi
case $error in *NonExistentQueue*) ;; *) echo "$error" >&2; exit 1 ;; esac
sqs delete-queue --queue-url "$url"
echo ok
