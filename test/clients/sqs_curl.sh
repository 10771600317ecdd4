#!/bin/sh
# The query protocol by hand: curl signs, nothing else is between.
# Usage: sqs_curl.sh ENDPOINT   (keys and region from the environment)
set -eu
endpoint=$1
ask() {
	curl -sS --aws-sigv4 "aws:amz:$AWS_REGION:sqs" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$@"
}
has() { case $1 in *"$2"*) ;; *) echo "no $2 in $1" >&2; exit 1 ;; esac; }

queue=$endpoint/000000000000/curl
has "$(ask -d Action=CreateQueue -d QueueName=curl -d Attribute.1.Name=VisibilityTimeout -d Attribute.1.Value=5 "$endpoint/")" "<QueueUrl>$queue</QueueUrl>"
has "$(ask -d Action=SendMessage --data-urlencode 'MessageBody=<by hand> & 100 %' "$queue")" "<MD5OfMessageBody>"
has "$(ask "$queue?Action=ReceiveMessage&WaitTimeSeconds=5")" "<Body>&lt;by hand&gt; &amp; 100 %</Body>"
has "$(ask -d Action=ListQueues "$endpoint/")" "<QueueUrl>$queue</QueueUrl>"
has "$(ask -d Action=DeleteQueue "$queue")" "<DeleteQueueResponse"
echo ok
