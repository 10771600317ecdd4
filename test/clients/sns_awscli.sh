#!/bin/sh
# Topics through the aws command line.
# Usage: sns_awscli.sh AWS ENDPOINT   (keys and region from the environment)
set -eu
aws=$1 endpoint=$2
call() { "$aws" --endpoint-url "$endpoint" --output text "$@"; }
is() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'" >&2; exit 1; }; }
fails() {
	code=$1
	shift
	if error=$(call "$@" 2>&1); then echo "$* did not fail with $code" >&2; exit 1; fi
	case $error in *"($code)"*) ;; *) echo "$error" >&2; exit 1 ;; esac
}

topic=$(call sns create-topic --name cli-news --tags Key=team,Value=a --query TopicArn)
url=$(call sqs create-queue --queue-name cli-news --query QueueUrl)
queue=$(call sqs get-queue-attributes --queue-url "$url" --attribute-names QueueArn --query Attributes.QueueArn)
subscription=$(call sns subscribe --topic-arn "$topic" --protocol sqs --notification-endpoint "$queue" \
	--attributes '{"RawMessageDelivery":"true","FilterPolicy":"{\"kind\":[\"release\"]}"}' --query SubscriptionArn)
is "$(call sns list-subscriptions-by-topic --topic-arn "$topic" --query 'Subscriptions[].SubscriptionArn')" "$subscription"
is "$(call sns get-subscription-attributes --subscription-arn "$subscription" --query Attributes.RawMessageDelivery)" true
is "$(call sns list-tags-for-resource --resource-arn "$topic" --query 'Tags[0].Value')" a

call sns publish --topic-arn "$topic" --message 'is let through' \
	--message-attributes '{"kind":{"DataType":"String","StringValue":"release"}}' >/dev/null
call sns publish --topic-arn "$topic" --message 'is not' >/dev/null
is "$(call sqs receive-message --queue-url "$url" --max-number-of-messages 10 --query 'Messages[].Body')" 'is let through'
is "$(call sns publish-batch --topic-arn "$topic" --publish-batch-request-entries Id=1,Message=one Id=2,Message=two --query 'length(Successful)')" 2
call sns publish --phone-number +41791234567 --message 'from the aws command by SMS' >/dev/null

fails NotFound sns publish --topic-arn "$topic-not" --message x
fails InvalidParameter sns publish --phone-number nobody --message x
call sns unsubscribe --subscription-arn "$subscription"
is "$(call sns list-subscriptions-by-topic --topic-arn "$topic" --query 'length(Subscriptions)')" 0
call sns delete-topic --topic-arn "$topic"
fails NotFound sns get-topic-attributes --topic-arn "$topic"
call sqs delete-queue --queue-url "$url"
echo ok
