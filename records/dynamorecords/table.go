package dynamorecords

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// index is the local secondary index of marks. It has the keys alone: a write
// that leaves the mark as it is costs nothing there.
const index = "mark"

// makeWait is how long a new table may take to be ready.
const makeWait = 3 * time.Minute

// prepare looks at the table and makes what is missing.
func (s *Store) prepare(ctx context.Context, mustExist bool) error {
	ctx, cancel := context.WithTimeout(ctx, makeWait+patience)
	defer cancel()
	table, err := s.describe(ctx)
	var none *types.ResourceNotFoundException
	if errors.As(err, &none) {
		if mustExist {
			return fmt.Errorf("there is none in this region; make it with\n%s", commands(s.table))
		}
		if err := s.make(ctx); err != nil {
			return fmt.Errorf("there is none, and it cannot be made here: %w\nmake it with\n%s", err, commands(s.table))
		}
		table, err = s.describe(ctx)
	}
	if err != nil {
		return fmt.Errorf("look at it: %w", err)
	}
	if why := unfit(table); why != "" {
		return fmt.Errorf("it is not for records: %s; name another, which is made, or make one with\n%s", why, commands(s.table))
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.live(ctx)
}

func (s *Store) describe(ctx context.Context) (*types.TableDescription, error) {
	out, err := s.reads.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
	if err != nil {
		return nil, err
	}
	return out.Table, nil
}

// make makes the table; that another does so at the same time is as good.
func (s *Store) make(ctx context.Context) error {
	_, err := s.reads.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &s.table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{stringAttr(shardAttr), stringAttr(keyAttr), stringAttr(markAttr)},
		KeySchema:            keys(shardAttr, keyAttr),
		LocalSecondaryIndexes: []types.LocalSecondaryIndex{{IndexName: aws.String(index), KeySchema: keys(shardAttr, markAttr),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}}},
	})
	var there *types.ResourceInUseException
	if errors.As(err, &there) {
		return nil
	}
	return err
}

func stringAttr(name string) types.AttributeDefinition {
	return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}
}

func keys(hash, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{{AttributeName: &hash, KeyType: types.KeyTypeHash}, {AttributeName: &sort, KeyType: types.KeyTypeRange}}
}

// ready waits until the table may be used.
func (s *Store) ready(ctx context.Context) error {
	w := dynamodb.NewTableExistsWaiter(s.reads, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 250*time.Millisecond, 3*time.Second
	})
	if err := w.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &s.table}, makeWait); err != nil {
		return fmt.Errorf("wait until it is ready: %w", err)
	}
	return nil
}

// live has the service remove what expired, if it does not yet.
func (s *Store) live(ctx context.Context) error {
	out, err := s.reads.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &s.table})
	if err != nil {
		return fmt.Errorf("look at its time to live: %w", err)
	}
	if d := out.TimeToLiveDescription; d != nil && aws.ToString(d.AttributeName) != "" {
		switch on := d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling; {
		case on && *d.AttributeName == ttlAttr:
			return nil
		case on:
			return fmt.Errorf("its time to live goes by the attribute %q, not %q: name another table, which is made", *d.AttributeName, ttlAttr)
		}
	}
	_, err = s.reads.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &s.table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(ttlAttr), Enabled: aws.Bool(true)}})
	if err == nil {
		return nil
	}
	// Another process may have been first; the service has no error of its own for that.
	if out, again := s.reads.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &s.table}); again == nil &&
		out.TimeToLiveDescription != nil && aws.ToString(out.TimeToLiveDescription.AttributeName) == ttlAttr {
		return nil
	}
	return fmt.Errorf("nothing removes what expires, and that cannot be set here: %w\nset it with\n%s", err, ttlCommand(s.table))
}

// unfit says why a table cannot be used, or nothing.
func unfit(t *types.TableDescription) string {
	if !isKeys(t.KeySchema, shardAttr, keyAttr) {
		return fmt.Sprintf("its keys are not %s and %s", shardAttr, keyAttr)
	}
	for _, i := range t.LocalSecondaryIndexes {
		if aws.ToString(i.IndexName) == index && isKeys(i.KeySchema, shardAttr, markAttr) {
			return ""
		}
	}
	return fmt.Sprintf("it has no local secondary index %q with the keys %s and %s, and one can only be made with a table", index, shardAttr, markAttr)
}

func isKeys(schema []types.KeySchemaElement, hash, sort string) bool {
	return len(schema) == 2 && aws.ToString(schema[0].AttributeName) == hash && schema[0].KeyType == types.KeyTypeHash &&
		aws.ToString(schema[1].AttributeName) == sort && schema[1].KeyType == types.KeyTypeRange
}

// commands make what Open would make.
func commands(table string) string {
	return "  aws dynamodb create-table --table-name " + table + " --billing-mode PAY_PER_REQUEST" +
		" --attribute-definitions AttributeName=shard,AttributeType=S AttributeName=key,AttributeType=S AttributeName=mark,AttributeType=S" +
		" --key-schema AttributeName=shard,KeyType=HASH AttributeName=key,KeyType=RANGE" +
		" --local-secondary-indexes 'IndexName=mark,KeySchema=[{AttributeName=shard,KeyType=HASH},{AttributeName=mark,KeyType=RANGE}],Projection={ProjectionType=KEYS_ONLY}'\n" +
		"  aws dynamodb wait table-exists --table-name " + table + "\n" + ttlCommand(table)
}

func ttlCommand(table string) string {
	return "  aws dynamodb update-time-to-live --table-name " + table + " --time-to-live-specification Enabled=true,AttributeName=" + ttlAttr
}
