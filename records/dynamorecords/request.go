package dynamorecords

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// Get implements driver.Store.
func (s *Store) Get(ctx context.Context, key string) (driver.Record, error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return driver.Record{}, err
	}
	defer cancel()
	out, err := s.reads.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: s.keyOf(key), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return driver.Record{}, err
	}
	if len(out.Item) == 0 {
		return driver.Record{}, driver.ErrNotFound
	}
	r, err := recordOf(out.Item)
	if err == nil && expired(r, time.Now()) {
		return driver.Record{}, driver.ErrNotFound
	}
	return r, err
}

// Put implements driver.Store.
func (s *Store) Put(ctx context.Context, r driver.Record) (string, error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return "", err
	}
	defer cancel()
	version, now := rand.Text(), time.Now()
	in := &dynamodb.PutItemInput{TableName: &s.table, Item: s.itemOf(r, version, now),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
	if r.Version == "" {
		in.ConditionExpression = aws.String("attribute_not_exists(#version) OR #expires <= :now")
		in.ExpressionAttributeNames = map[string]string{"#version": versionAttr, "#expires": expiresAttr}
		in.ExpressionAttributeValues = item{":now": seconds(now.Unix())}
	} else {
		in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = atVersion(r.Version)
	}
	refused, err := unlessRefused(ctx, func() error {
		_, err := s.writes.PutItem(ctx, in)
		return err
	})
	if c := conflict(err); c != nil {
		// A refused write did nothing, says the service. One that finds itself knows
		// better.
		if there, ok := c.Item[versionAttr].(*types.AttributeValueMemberS); refused && ok && there.Value == version {
			return version, nil
		}
		return "", driver.ErrConflict
	}
	if err != nil {
		return "", err
	}
	return version, nil
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, key, version string) error {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	in := &dynamodb.DeleteItemInput{TableName: &s.table, Key: s.keyOf(key)}
	in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = atVersion(version)
	_, err = unlessRefused(ctx, func() error {
		_, err := s.writes.DeleteItem(ctx, in)
		return err
	})
	if conflict(err) != nil {
		return driver.ErrConflict
	}
	return err
}

// atVersion is the condition that the item is at a version; it holds for no item.
func atVersion(version string) (*string, map[string]string, item) {
	return aws.String("#version = :seen"), map[string]string{"#version": versionAttr}, item{":seen": text(version)}
}

func conflict(err error) *types.ConditionalCheckFailedException {
	var c *types.ConditionalCheckFailedException
	errors.As(err, &c)
	return c
}

// refusals is how often a write is sent that is refused each time, and
// firstPause how long it rests then: a random time up to that, doubled each time.
const (
	refusals   = 6
	firstPause = 50 * time.Millisecond
)

// unlessRefused sends a write, and again if it was refused: the service says so of
// requests beyond a limit of rate, and of a write in another region that is under
// way. An InternalServerError says no such thing and is not repeated, let alone a
// lost answer.
func unlessRefused(ctx context.Context, send func() error) (refused bool, err error) {
	for try := 0; ; try++ {
		err := send()
		switch code(err) {
		case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "ReplicatedWriteConflictException":
		default:
			return try > 0, err
		}
		if try == refusals-1 {
			return true, fmt.Errorf("%d times in a row: %w", refusals, err)
		}
		if ended := rest(ctx, try+1); ended != nil {
			return true, errors.Join(ended, err)
		}
	}
}

// rest pauses before the nth repetition, and not at all before the first try.
func rest(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	t := time.NewTimer(mathrand.N(firstPause << min(n-1, refusals)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// code is the service's name of an error, "" where it is none of the service's.
func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}
