// Package open finds the store of records that an address names. It links all
// drivers; a program that knows its own imports that driver instead.
package open

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
)

// schemes says what addresses look like.
const schemes = "sqlite:////absolute/path.db, postgres://user@host/database, mysql://user@host/database, " +
	"dynamodb://table and s3://bucket/prefix are known"

// URL opens the store that an address names, makes what it needs there, and
// proves that it answers and, but for DynamoDB, that it can be written. The
// address may hold a password and is never repeated in an error.
//
//	sqlite:////absolute/path.db            a file that is made if its folder is there
//	postgres://user:password@host/database and what else pgx reads in an address
//	mysql://user:password@host/database    ?socket=/path instead of a host, ?tls=true
//
//	s3://bucket/prefix                     ?region= and ?endpoint=; credentials as the AWS SDK finds them
//	dynamodb://table/prefix                the same, and ?create=no, which does not make a missing table
//
// The SQL databases take ?table=NAME, of the table to use instead of dayfly_records, and
// ?lossy=1, which accepts a database whose settings let a crash take back what
// was committed.
func URL(ctx context.Context, address string) (*records.Store, error) {
	d, err := Driver(ctx, address)
	if err != nil {
		return nil, err
	}
	return records.New(d), nil
}

// Driver is URL for who wraps the driver, as tests that inject faults do.
func Driver(ctx context.Context, address string) (driver.Store, error) {
	scheme, _, ok := strings.Cut(address, ":")
	u, err := url.Parse(address)
	if err != nil || !ok {
		return nil, errors.New("records: the address cannot be read: " + schemes)
	}
	var d driver.Store
	switch scheme {
	case "sqlite":
		d, err = openSQLite(ctx, u)
	case "postgres", "postgresql":
		d, err = openPostgres(ctx, u)
	case "mysql", "mariadb":
		d, err = openMySQL(ctx, u)
	case "s3":
		d, err = openS3(ctx, u)
	case "dynamodb":
		d, err = openDynamoDB(ctx, u)
	default:
		err = fmt.Errorf("the address begins with %q: %s", scheme+":", schemes)
	}
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	return d, nil
}
