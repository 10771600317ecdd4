// Package dynamorecords keeps records as items of a DynamoDB table, one item a
// record, by conditional writes and strongly consistent reads.
//
// Marks are a local secondary index, not a global one: a global index follows
// its table some time later, so that a listing from it would miss what was
// written before; a local one is written with the item and can be read
// consistently. A local index binds all items of one partition key together, to
// 10 GB and 1,000 writes a second, hence a record's partition is one of 8, by a
// hash of its key: 80 GB and some 8,000 writes a second for each prefix.
//
// A Put, a Get and a Delete are one request each; a List is one for each
// partition that it comes through. None of a write's requests is repeated but one
// that was refused before it did anything. Expired items are removed by the
// table's time to live, an hour after their end at the earliest; Sweep has
// nothing to do.
//
// The table must be in one region, or a global one that is strongly consistent
// between regions.
package dynamorecords

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/dayfly-dev/dayfly/internal/awsclient"
	"github.com/dayfly-dev/dayfly/records/driver"
)

// Options say where the records are.
type Options struct {
	// Client reaches the service. Required. Of its retries only those of reads
	// are used.
	Client *dynamodb.Client
	// Table is the table's name. Required. It is made, on demand and paid by
	// request, if there is none.
	Table string
	// Prefix keeps apart the records of several applications in one table, up to
	// 255 bytes of printable ASCII. Default: "".
	Prefix string
	// MustExist has Open fail where there is no table, with the commands that
	// make it, instead of making it.
	MustExist bool
}

// patience is how long one call may take where its context sets no end.
const patience = time.Minute

// Store implements driver.Store.
type Store struct {
	reads  *dynamodb.Client // tries again, as the client given does
	writes *dynamodb.Client // asks once
	table  string
	prefix string
	closed atomic.Bool
}

var _ driver.Store = (*Store)(nil)

// Open returns the store after it has looked at the table and its time to live,
// and made what is missing, which takes some seconds once. Several stores may be
// open, and opened, on the same table.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if opts.Client == nil || opts.Table == "" {
		return nil, errors.New("dynamorecords: Options.Client and Options.Table are both needed")
	}
	if err := checkPrefix(opts.Prefix); err != nil {
		return nil, err
	}
	client := dynamodb.New(opts.Client.Options(), func(o *dynamodb.Options) { o.APIOptions = append(o.APIOptions, awsclient.SteadyBody) })
	once := dynamodb.New(client.Options(), func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
	s := &Store{reads: client, writes: once, table: opts.Table, prefix: opts.Prefix}
	if err := s.prepare(ctx, opts.MustExist); err != nil {
		return nil, fmt.Errorf("dynamorecords: table %s: %w", opts.Table, err)
	}
	return s, nil
}

const maxPrefix = 255

func checkPrefix(prefix string) error {
	if len(prefix) > maxPrefix {
		return fmt.Errorf("dynamorecords: prefix %.100q is %d bytes long, the most is %d", prefix, len(prefix), maxPrefix)
	}
	if strings.ContainsFunc(prefix, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("dynamorecords: prefix %.100q has other characters than printable ASCII", prefix)
	}
	return nil
}

// begin is what every call begins with.
func (s *Store) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if s.closed.Load() {
		return nil, nil, driver.ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	return ctx, cancel, nil
}

// Sweep implements driver.Store: the service removes what expired.
func (s *Store) Sweep(ctx context.Context, _ int) (int, error) {
	_, cancel, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	cancel()
	return 0, nil
}

// Close implements driver.Store. Calls under way go on.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}
