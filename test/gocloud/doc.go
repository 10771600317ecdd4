// Package gocloud has a go.mod of its own, so that gocloud.dev's tests for SQS and
// SNS can be built (`make tools` does) without what they import becoming a
// dependency of dayfly. ../gocloud_test.go runs them.
package gocloud

import _ "gocloud.dev/pubsub/awssnssqs" // whose tests they are
