package dynamorecords

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// List implements driver.Store. It goes through the partitions' indexes until it
// has the keys of n records or has come to the end of the last, and then reads the
// records.
func (s *Store) List(ctx context.Context, mark, from string, n int) (found []driver.Record, next string, err error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return nil, "", err
	}
	defer cancel()
	at, err := parsePlace(from)
	if err != nil {
		return nil, "", err
	}
	var told []item
	for at.shard < shards && len(told) < n {
		out, err := s.reads.Query(ctx, s.query(mark, at, n-len(told)))
		if err != nil {
			return nil, "", err
		}
		for _, it := range out.Items {
			told = append(told, item{shardAttr: it[shardAttr], keyAttr: it[keyAttr]})
		}
		if last, more := out.LastEvaluatedKey[keyAttr].(*types.AttributeValueMemberS); more {
			at.after = last.Value
		} else {
			at = place{shard: at.shard + 1}
		}
	}
	if found, err = s.fetch(ctx, mark, told); err != nil {
		return nil, "", err
	}
	if at.shard == shards {
		return found, "", nil
	}
	return found, at.String(), nil
}

// query asks for the keys of what has the mark in one partition.
func (s *Store) query(mark string, at place, n int) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{TableName: &s.table, IndexName: aws.String(index), ConsistentRead: aws.Bool(true),
		Limit:                     aws.Int32(int32(n)),
		KeyConditionExpression:    aws.String("#shard = :shard AND #mark = :mark"),
		ExpressionAttributeNames:  map[string]string{"#shard": shardAttr, "#mark": markAttr},
		ExpressionAttributeValues: item{":shard": s.shard(at.shard), ":mark": text(mark)}}
	if at.after != "" {
		in.ExclusiveStartKey = item{shardAttr: s.shard(at.shard), markAttr: text(mark), keyAttr: text(at.after)}
	}
	return in
}

// batch is how many items one request may read.
const batch = 100

// fetch reads the records of the keys that have the mark, and still have it.
func (s *Store) fetch(ctx context.Context, mark string, keys []item) (found []driver.Record, err error) {
	for some := range slices.Chunk(keys, batch) {
		// The service returns up to 16 MB, and says what it left out.
		ask := map[string]types.KeysAndAttributes{s.table: {Keys: some, ConsistentRead: aws.Bool(true)}}
		for try := 0; len(ask) > 0; try++ {
			if err := rest(ctx, try); err != nil {
				return nil, err
			}
			out, err := s.reads.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: ask})
			if err != nil {
				return nil, err
			}
			for _, it := range out.Responses[s.table] {
				r, err := recordOf(it)
				if err != nil {
					return nil, err
				}
				if r.Mark == mark && !expired(r, time.Now()) {
					found = append(found, r)
				}
				try = 0 // it gets on
			}
			ask = out.UnprocessedKeys
		}
	}
	return found, nil
}

// place is where a listing goes on: in a partition, behind a key.
type place struct {
	shard int
	after string // "" is the partition's beginning
}

func (p place) String() string { return strconv.Itoa(p.shard) + p.after }

func parsePlace(from string) (place, error) {
	if from == "" {
		return place{}, nil
	}
	n, err := strconv.ParseUint(from[:1], shards, 8)
	if err != nil || len(from) > 1+512 {
		return place{}, fmt.Errorf("the listing cannot go on from %.100q: pass what the listing before returned", from)
	}
	return place{int(n), from[1:]}, nil
}
