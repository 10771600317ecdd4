package dynamorecords

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// Attributes of an item. Several of the names are reserved in expressions, where
// they are written with a #.
const (
	shardAttr   = "shard" // PREFIX#N, N from 0 to 7: the partition key
	keyAttr     = "key"   // the sort key
	markAttr    = "mark"  // the sort key of the index; none if there is no mark
	valueAttr   = "value"
	versionAttr = "version"
	expiresAttr = "expires" // Unix seconds; none if never
	ttlAttr     = "ttl"     // when the service may remove it, Unix seconds
)

type item = map[string]types.AttributeValue

// shards is how many partitions a prefix has: a List asks each. It is part of the
// format.
const shards = 8

func (s *Store) shard(n int) types.AttributeValue {
	return text(s.prefix + "#" + strconv.Itoa(n))
}

// keyOf is what identifies a key's item. It is spread by the first three bits of
// its SHA-256.
func (s *Store) keyOf(key string) item {
	return item{shardAttr: s.shard(int(sha256.Sum256([]byte(key))[0] >> 5)), keyAttr: text(key)}
}

// leeway is how long after its end the service may remove an item, so that one
// whose clock is behind still finds what it wrote.
const leeway = time.Hour

// itemOf is a record at a new version.
func (s *Store) itemOf(r driver.Record, version string, now time.Time) item {
	it := s.keyOf(r.Key)
	it[valueAttr] = &types.AttributeValueMemberB{Value: append([]byte{}, r.Value...)} // never nil, which is no value
	it[versionAttr] = text(version)
	if r.Mark != "" {
		it[markAttr] = text(r.Mark)
	}
	if !r.Expires.IsZero() {
		it[expiresAttr] = seconds(r.Expires.Unix())
		// The service leaves what expired more than five years ago.
		it[ttlAttr] = seconds(max(r.Expires.Add(leeway).Unix(), now.Unix()))
	}
	return it
}

// recordOf reads what itemOf made.
func recordOf(it item) (driver.Record, error) {
	key, ok1 := it[keyAttr].(*types.AttributeValueMemberS)
	value, ok2 := it[valueAttr].(*types.AttributeValueMemberB)
	version, ok3 := it[versionAttr].(*types.AttributeValueMemberS)
	if !ok1 || !ok2 || !ok3 {
		return driver.Record{}, fmt.Errorf("the item of that key is no record: it needs %s, %s and %s", keyAttr, valueAttr, versionAttr)
	}
	r := driver.Record{Key: key.Value, Value: value.Value, Version: version.Value}
	if mark, ok := it[markAttr].(*types.AttributeValueMemberS); ok {
		r.Mark = mark.Value
	}
	if at, ok := it[expiresAttr].(*types.AttributeValueMemberN); ok {
		n, err := strconv.ParseInt(at.Value, 10, 64)
		if err != nil {
			return driver.Record{}, fmt.Errorf("the item of that key is no record: its %s is %.40q", expiresAttr, at.Value)
		}
		r.Expires = time.Unix(n, 0).UTC()
	}
	return r, nil
}

func expired(r driver.Record, now time.Time) bool {
	return !r.Expires.IsZero() && !r.Expires.After(now)
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func seconds(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
