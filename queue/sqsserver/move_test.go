package sqsserver_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

const (
	deadARN  = `"SourceArn":"arn:aws:sqs:us-east-1:000000000000:dead"`
	otherARN = `"DestinationArn":"arn:aws:sqs:us-east-1:000000000000:other"`
)

// task as ListMessageMoveTasks shows it.
type task struct {
	TaskHandle, Status, SourceArn, DestinationArn string
	MaxNumberOfMessagesPerSecond                  int
	ApproximateNumberOfMessagesMoved              int
	ApproximateNumberOfMessagesToMove             int
	FailureReason                                 string
	StartedTimestamp                              int64
}

func tasks(t testing.TB, h http.Handler, more string) []task {
	t.Helper()
	var got struct{ Results []task }
	if err := json.Unmarshal([]byte(must(t, h, "ListMessageMoveTasks", deadARN+more)), &got); err != nil {
		t.Fatal(err)
	}
	return got.Results
}

// bury sends messages and receives them until all are dead letters.
func bury(t testing.TB, h http.Handler, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		must(t, h, "SendMessage", `{source},"MessageBody":"`+b+`"`)
	}
	want := strconv.Itoa(len(bodies))
	for end := time.Now().Add(5 * time.Minute); visible(t, h, "dead") != want; {
		must(t, h, "ReceiveMessage", `{source},"VisibilityTimeout":0,"MaxNumberOfMessages":10`)
		if time.Now().After(end) {
			t.Fatalf("%s dead letters, want %s", visible(t, h, "dead"), want)
		}
	}
}

func start(t testing.TB, h http.Handler, arguments string) (handle string) {
	t.Helper()
	var got struct{ TaskHandle string }
	if err := json.Unmarshal([]byte(must(t, h, "StartMessageMoveTask", arguments)), &got); err != nil {
		t.Fatal(err)
	}
	return got.TaskHandle
}

// until waits for the newest task to be as wanted.
func until(t testing.TB, h http.Handler, what string, is func(task) bool) task {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(5 * time.Minute); ; <-look.C {
		got := tasks(t, h, "")
		if len(got) == 1 && is(got[0]) {
			return got[0]
		}
		if time.Now().After(end) {
			t.Fatalf("no task that is %s: %+v", what, got)
		}
	}
}

func visible(t testing.TB, h http.Handler, queue string) string {
	t.Helper()
	return attributesOf(t, h, queue, `["ApproximateNumberOfMessages"]`)["ApproximateNumberOfMessages"]
}

// Messages go where they are sent, or back where each came from.
func TestMoveTasks(t *testing.T) {
	h := queues(t)
	if got := must(t, h, "ListMessageMoveTasks", deadARN); got != `{}` {
		t.Errorf("before any: %s", got)
	}
	bury(t, h, "1", "2")
	begun := time.Now().UnixMilli()
	handle := start(t, h, deadARN+","+otherARN)
	var parts struct{ TaskID, SourceArn string }
	b, err := base64.StdEncoding.DecodeString(handle)
	if err == nil {
		err = json.Unmarshal(b, &parts)
	}
	if _, uerr := uuid.Parse(parts.TaskID); err != nil || uerr != nil || parts.SourceArn != "arn:aws:sqs:us-east-1:000000000000:dead" {
		t.Errorf("handle %s: %v, %v", b, err, uerr)
	}
	completed := func(k task) bool { return k.Status == "COMPLETED" }
	got := until(t, h, "completed", completed)
	if got.StartedTimestamp < begun || got.StartedTimestamp > time.Now().UnixMilli() {
		t.Errorf("started at %d, want milliseconds since 1970 after %d", got.StartedTimestamp, begun)
	}
	got.StartedTimestamp = 0
	want := task{Status: "COMPLETED", SourceArn: "arn:aws:sqs:us-east-1:000000000000:dead", DestinationArn: "arn:aws:sqs:us-east-1:000000000000:other",
		ApproximateNumberOfMessagesMoved: 2, ApproximateNumberOfMessagesToMove: 2}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := visible(t, h, "other"); n != "2" {
		t.Errorf("%s messages came, want 2", n)
	}
	bury(t, h, "3")
	start(t, h, deadARN+`,"MaxNumberOfMessagesPerSecond":500`)
	got = until(t, h, "completed and of one", func(k task) bool { return completed(k) && k.ApproximateNumberOfMessagesToMove == 1 })
	if got.DestinationArn != "" || got.MaxNumberOfMessagesPerSecond != 500 || visible(t, h, "source") != "1" {
		t.Errorf("back to where it came from: %+v, %s there", got, visible(t, h, "source"))
	}
	if all := tasks(t, h, `,"MaxResults":10`); len(all) != 2 || all[0].MaxNumberOfMessagesPerSecond != 500 || all[1].DestinationArn == "" {
		t.Errorf("the newest first: %+v", all)
	}
	// Nobody knows where this one came from.
	must(t, h, "SendMessage", `{dead},"MessageBody":"x"`)
	start(t, h, deadARN)
	if got := until(t, h, "failed", func(k task) bool { return k.Status == "FAILED" }); got.FailureReason != "CouldNotDetermineMessageSource" || got.TaskHandle != "" {
		t.Errorf("%+v", got)
	}
}

// One task runs, and can be cancelled.
func TestCancelMoveTask(t *testing.T) {
	h := queues(t)
	bury(t, h, "1", "2", "3", "4", "5", "6")
	slowly := deadARN + "," + otherARN + `,"MaxNumberOfMessagesPerSecond":1`
	handle := start(t, h, slowly)
	running := until(t, h, "running", func(k task) bool { return k.Status == "RUNNING" && k.ApproximateNumberOfMessagesMoved > 0 })
	if running.TaskHandle != handle || running.MaxNumberOfMessagesPerSecond != 1 || running.ApproximateNumberOfMessagesToMove != 6 {
		t.Errorf("%+v", running)
	}
	// The same id, but of another queue.
	b, _ := base64.StdEncoding.DecodeString(handle)
	forged := base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(b), ":dead", ":other", 1)))
	gone := refused{404, "ResourceNotFoundException", "Task does not exist."}
	checkSayings(t, h, []saying{
		{"StartMessageMoveTask", slowly, refused{400, value, "There is already a task running. Only one active task is allowed for a source queue arn at a given time."}},
		{"CancelMessageMoveTask", `"TaskHandle":"` + forged + `"`, gone},
	})
	var cancelled struct{ ApproximateNumberOfMessagesMoved int }
	if err := json.Unmarshal([]byte(must(t, h, "CancelMessageMoveTask", `"TaskHandle":"`+handle+`"`)), &cancelled); err != nil {
		t.Fatal(err)
	}
	got := until(t, h, "cancelled", func(k task) bool { return k.Status == "CANCELLED" })
	if got.TaskHandle != "" || got.ApproximateNumberOfMessagesMoved >= 6 || got.ApproximateNumberOfMessagesMoved != cancelled.ApproximateNumberOfMessagesMoved {
		t.Errorf("cancelled after %d: %+v", cancelled.ApproximateNumberOfMessagesMoved, got)
	}
	checkSayings(t, h, []saying{{"CancelMessageMoveTask", `"TaskHandle":"` + handle + `"`, gone}})
}

func TestWordsOfMoveTasks(t *testing.T) {
	h := queues(t)
	handle := func(json string) string {
		return `"TaskHandle":"` + base64.StdEncoding.EncodeToString([]byte(json)) + `"`
	}
	const own = "arn:aws:sqs:us-east-1:000000000000:"
	format := func(name string) refused {
		return refused{400, value, "You must use this format to specify the " + name + ": arn:<partition>:<service>:<region>:<account-id>:<resource-id>"}
	}
	gone := func(name string) refused {
		return refused{404, "ResourceNotFoundException", "The resource that you specified for the " + name + " parameter doesn't exist."}
	}
	between := func(name, max string) refused {
		return refused{400, value, "Value for parameter " + name + " is invalid. Reason: You must enter a number that's between 1 and " + max + "."}
	}
	wrongHandle := refused{400, value, "Value for parameter TaskHandle is invalid."}
	checkSayings(t, h, []saying{
		{"StartMessageMoveTask", ``, refused{400, missing, "The request must contain the parameter SourceArn."}},
		{"StartMessageMoveTask", `"SourceArn":""`, format("SourceArn")},
		{"StartMessageMoveTask", `"SourceArn":"dead"`, format("SourceArn")},
		{"StartMessageMoveTask", `"SourceArn":"` + own + `nowhere"`, gone("SourceArn")},
		{"StartMessageMoveTask", `"SourceArn":"arn:aws:sqs:us-east-1:111111111111:dead"`, gone("SourceArn")},
		{"StartMessageMoveTask", `"SourceArn":"` + own + `q",` + otherARN, refused{400, value, "Source queue must be configured as a Dead Letter Queue."}},
		{"StartMessageMoveTask", deadARN + `,"DestinationArn":""`, format("DestinationArn")},
		{"StartMessageMoveTask", deadARN + `,"DestinationArn":"` + own + `nowhere"`, gone("DestinationArn")},
		{"StartMessageMoveTask", deadARN + `,"DestinationArn":"` + own + `dead"`, refused{400, value, "Source queue arn and destination queue arn cannot be the same."}},
		{"StartMessageMoveTask", deadARN + `,"DestinationArn":"` + own + `f.fifo"`, refused{400, value, "The source queue and destination queue must be of the same queue type."}},
		{"StartMessageMoveTask", deadARN + `,"MaxNumberOfMessagesPerSecond":0`, between("MaxNumberOfMessagesPerSecond", "500")},
		{"StartMessageMoveTask", deadARN + `,"MaxNumberOfMessagesPerSecond":501`, between("MaxNumberOfMessagesPerSecond", "500")},
		{"ListMessageMoveTasks", ``, refused{400, missing, "The request must contain the parameter SourceArn."}},
		{"ListMessageMoveTasks", `"SourceArn":"x"`, format("SourceArn")},
		{"ListMessageMoveTasks", `"SourceArn":"` + own + `nowhere"`, gone("SourceArn")},
		{"ListMessageMoveTasks", deadARN + `,"MaxResults":0`, between("MaxResults", "10")},
		{"ListMessageMoveTasks", deadARN + `,"MaxResults":11`, between("MaxResults", "10")},
		{"CancelMessageMoveTask", ``, refused{400, missing, "The request must contain the parameter TaskHandle."}},
		{"CancelMessageMoveTask", `"TaskHandle":"foobared"`, wrongHandle},
		{"CancelMessageMoveTask", handle(`{"taskId":"x"}`), wrongHandle},
		{"CancelMessageMoveTask", handle(`{"taskId":"x","sourceArn":"` + own + `nowhere"}`), gone("SourceArn")},
		{"CancelMessageMoveTask", handle(`{"taskId":"x","sourceArn":"` + own + `dead"}`), refused{404, "ResourceNotFoundException", "Task does not exist."}},
		{"CancelMessageMoveTask", handle(`{"taskId":"","sourceArn":"` + own + `dead"}`), refused{404, "ResourceNotFoundException", "Task does not exist."}},
	})
}
