package ledger_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/internal/sqltest"
	"github.com/dayfly-dev/dayfly/records/awstest"
)

// everyStore are the kinds of stores that the fault test soaks: each call makes
// an empty one and returns its address.
var everyStore = map[string]func(*testing.T) string{
	"SQLite":     sqliteRecords,
	"PostgreSQL": func(t *testing.T) string { return sqltest.Postgres(t) + "&lossy=1" },
	"MariaDB":    mariadbRecords,
	"S3":         s3Records,
	"DynamoDB":   dynamoRecords,
}

func sqliteRecords(t *testing.T) string {
	return "sqlite:///" + filepath.Join(t.TempDir(), "records.db")
}

func mariadbRecords(t *testing.T) string {
	c, err := mysql.ParseDSN(sqltest.MariaDB(t))
	if err != nil {
		t.Fatal(err)
	}
	return "mysql://" + c.User + "@/" + c.DBName + "?lossy=1&socket=" + c.Addr
}

// s3Records are in the store that dayfly embeds.
func s3Records(t *testing.T) string {
	awsKeys(t)
	s, err := s3server.Open(s3server.Options{Dir: t.TempDir(), AccessKey: "AKIATEST", SecretKey: "secret", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.MakeBucket(t.Context(), "records", s3server.BucketOptions{}); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return "s3://records/fault?region=us-east-1&endpoint=" + h.URL
}

func dynamoRecords(t *testing.T) string {
	awsKeys(t)
	return "dynamodb://records?region=us-east-1&endpoint=" + awstest.Moto(t)
}

// awsKeys are those that the workers have as well.
func awsKeys(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		t.Setenv(name, value)
	}
}
