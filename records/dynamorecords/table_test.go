package dynamorecords_test

import (
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/records/awstest"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/dynamorecords"
)

func TestTables(t *testing.T) {
	url := awstest.Moto(t)
	t.Run("Made", func(t *testing.T) { testMade(t, url) }) // first: the others open it
	t.Run("Commands", func(t *testing.T) { testCommands(t, url) })
	t.Run("Foreign", func(t *testing.T) { testForeign(t, url) })
	t.Run("Prefixes", func(t *testing.T) { testPrefixes(t, url) })
}

// testMade: the table is made once, by whoever is first of many, with its time to
// live by the attribute that items have.
func testMade(t *testing.T, url string) {
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			s, err := dynamorecords.Open(t.Context(), dynamorecords.Options{Client: client(t, url), Table: table})
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	all.Wait()
	c := client(t, url)
	ttl, err := c.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: aws.String(table)})
	if err != nil {
		t.Fatal(err)
	}
	if d := ttl.TimeToLiveDescription; d.TimeToLiveStatus != types.TimeToLiveStatusEnabled || *d.AttributeName != "ttl" {
		t.Errorf("time to live is %s by %s", d.TimeToLiveStatus, aws.ToString(d.AttributeName))
	}
	s := open(t, url, "p")
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	put(t, s, driver.Record{Key: "k", Expires: expires})
	put(t, s, driver.Record{Key: "old", Expires: time.Unix(1, 0)})
	put(t, s, driver.Record{Key: "never"})
	items, err := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(table)})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items.Items {
		ttl, key := int64(0), it["key"].(*types.AttributeValueMemberS).Value
		if n, ok := it["ttl"].(*types.AttributeValueMemberN); ok {
			ttl, _ = strconv.ParseInt(n.Value, 10, 64)
		}
		// The service leaves alone what expired more than five years ago.
		if ok := map[string]bool{"k": ttl == expires.Unix()+3600, "old": ttl > time.Now().Unix()-3600, "never": ttl == 0}; !ok[key] {
			t.Errorf("%s may be removed at %d", key, ttl)
		}
	}
}

// testCommands: what an error says to run makes a table that is taken.
func testCommands(t *testing.T, url string) {
	tool := need.Tool(t, "aws")
	must := dynamorecords.Options{Client: client(t, url), Table: "by-hand", MustExist: true}
	_, err := dynamorecords.Open(t.Context(), must)
	if err == nil {
		t.Fatal("there was no table, and it was opened")
	}
	_, commands, ok := strings.Cut(err.Error(), "\n")
	if !ok {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-eu", "-c", "aws() { "+tool+` "$@"; }`+"\n"+commands)
	cmd.Env = append(cmd.Environ(), "AWS_ENDPOINT_URL="+url, "AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret", "AWS_PAGER=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := dynamorecords.Open(t.Context(), must)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, driver.Record{Key: "k", Mark: "m"})
	if found, _, err := s.List(t.Context(), "m", "", 10); err != nil || len(found) != 1 {
		t.Error(found, err)
	}
}

// testForeign: tables of others are not written to.
func testForeign(t *testing.T, url string) {
	c := client(t, url)
	key := func(name string, typ types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: typ}
	}
	attr := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}
	}
	for _, in := range []*dynamodb.CreateTableInput{
		{TableName: aws.String("other-keys"), KeySchema: []types.KeySchemaElement{key("id", types.KeyTypeHash)}, AttributeDefinitions: []types.AttributeDefinition{attr("id")}},
		{TableName: aws.String("no-index"), KeySchema: []types.KeySchemaElement{key("shard", types.KeyTypeHash), key("key", types.KeyTypeRange)},
			AttributeDefinitions: []types.AttributeDefinition{attr("shard"), attr("key")}},
	} {
		in.BillingMode = types.BillingModePayPerRequest
		if _, err := c.CreateTable(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		_, err := dynamorecords.Open(t.Context(), dynamorecords.Options{Client: c, Table: *in.TableName})
		if err == nil || !strings.Contains(err.Error(), "not for records") || !strings.Contains(err.Error(), "aws dynamodb create-table") {
			t.Errorf("%s: %v", *in.TableName, err)
		}
	}
}

// testPrefixes: they keep applications apart in one table.
func testPrefixes(t *testing.T, url string) {
	a, b := open(t, url, "a"), open(t, url, "a#0")
	r := put(t, a, driver.Record{Key: "k", Mark: "m", Value: []byte("of a")})
	put(t, b, driver.Record{Key: "k", Mark: "m", Value: []byte("of b")})
	for name, s := range map[string]*dynamorecords.Store{"of a": a, "of b": b} {
		if found, _, err := s.List(t.Context(), "m", "", 10); err != nil || len(found) != 1 || string(found[0].Value) != name {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	if err := b.Delete(t.Context(), "k", r.Version); err == nil {
		t.Error("a record of another application was deleted")
	}
}
