package open

import (
	"context"
	"net/url"

	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/dynamorecords"
	"github.com/dayfly-dev/dayfly/records/s3records"
)

func openS3(ctx context.Context, u *url.URL) (driver.Store, error) {
	o, err := s3records.FromURL(ctx, u)
	if err != nil {
		return nil, err
	}
	return s3records.Open(ctx, o)
}

func openDynamoDB(ctx context.Context, u *url.URL) (driver.Store, error) {
	o, err := dynamorecords.FromURL(ctx, u)
	if err != nil {
		return nil, err
	}
	return dynamorecords.Open(ctx, o)
}
