package dynamorecords_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/dayfly-dev/dayfly/records/awstest"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/drivertest"
	"github.com/dayfly-dev/dayfly/records/dynamorecords"
)

// rounds of the suite's concurrent tests: each request goes through a server
// written in Python. The suite finds its planted bugs with as many.
const rounds = 16

func client(t testing.TB, url string) *dynamodb.Client {
	t.Helper()
	// A pool of connections of its own, as a process has.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""), Retryer: awstest.Soon,
	})
}

const table = "records"

func open(t testing.TB, url, prefix string) *dynamorecords.Store {
	t.Helper()
	return openTable(t, url, table, prefix)
}

func openTable(t testing.TB, url, table, prefix string) *dynamorecords.Store {
	t.Helper()
	s, err := dynamorecords.Open(context.Background(), dynamorecords.Options{Client: client(t, url), Table: table, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMoto: each test has a table, as moto looks at every item of one whenever a
// mark is listed. What shares one is in testPrefixes.
func TestMoto(t *testing.T) {
	url := awstest.Moto(t)
	drivertest.Run(t, drivertest.Harness{Rounds: rounds, SweepsItself: true, New: func(t *testing.T) *drivertest.Store {
		wire := drivertest.NewWire(t, "tcp", strings.TrimPrefix(url, "http://"))
		table := strings.ReplaceAll(t.Name(), "/", ".")
		d := openTable(t, "http://"+wire.Addr, table, t.Name())
		s := &drivertest.Store{Driver: d, Another: func() (driver.Store, error) { return openTable(t, url, table, t.Name()), nil }}
		if strings.Contains(t.Name(), "/Cut/") { // else an error is one
			s.Cut = wire.Cut
		}
		return s
	}})
}
