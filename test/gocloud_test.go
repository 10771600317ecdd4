package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// gocloudTests is how many tests of SQS, of SNS to SQS, and of FIFO gocloud.dev
// 0.47 has, without those that only group others.
const gocloudTests = 48

// gocloudOthers are those of which something else is expected than that they
// pass, with what they say then.
var gocloudOthers = map[string]string{
	// They want to hear that a topic of another account and region does not exist.
	// SNS says that of its own only; TestGoCloudTopic asks for such a topic.
	"TestConformanceSNSTopic/TestNonExistentTopicSucceedsOnOpenButFailsOnSend":    "Invalid parameter: TopicArn",
	"TestConformanceSNSTopic/TestAs/aws_test":                                     "Invalid parameter: TopicArn",
	"TestConformanceSNSTopic/TestAs/verify_As_returns_false_when_passed_nil":      "Invalid parameter: TopicArn",
	"TestConformanceSNSTopicRaw/TestNonExistentTopicSucceedsOnOpenButFailsOnSend": "Invalid parameter: TopicArn",
	"TestConformanceSNSTopicRaw/TestAs/aws_test":                                  "Invalid parameter: TopicArn",
	"TestConformanceSNSTopicRaw/TestAs/verify_As_returns_false_when_passed_nil":   "Invalid parameter: TopicArn",
	// A queue is its own only subscription.
	"TestConformanceSQSTopic/TestSendReceiveTwo": "multiple subscriptions to a topic not supported",
}

// TestGoCloudConformance runs gocloud.dev's own tests of package awssnssqs against
// dayfly: the suite that each of its drivers passes. `make tools` builds them.
// They speak to an endpoint only where they record what it answers.
func TestGoCloudConformance(t *testing.T) {
	t.Parallel()
	suite := need.File(t, "awssnssqs.test")
	dir := application(t, "name = \"gocloud\"\n"+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))

	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", suite, "-test.v=test2json", "-record", "-test.run", "^(TestConformance|TestFIFO$)")
	cmd.Dir = t.TempDir() // where they leave their recordings
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") { // a CA of the user's does not go with recording
			cmd.Env = append(cmd.Env, v)
		}
	}
	for k, v := range h.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.Output() // fails when a test does
	ended, said := gocloudReport(t, out)
	passed := 0
	for name, action := range ended {
		want, other := gocloudOthers[name]
		switch {
		case action == "pass" && !other:
			passed++
		case action == "pass":
			t.Errorf("%s passed, and is listed as one that cannot", name)
		case !other || !strings.Contains(said[name], want):
			t.Errorf("%s: %s\n%s", name, action, said[name])
		}
	}
	t.Logf("%d of gocloud.dev's %d tests passed, %d expect what is not", passed, gocloudTests, len(gocloudOthers))
	if len(ended) != gocloudTests || passed != gocloudTests-len(gocloudOthers) {
		t.Errorf("%d tests ended, %d passed; want %d and all but %d\n%v", len(ended), passed, gocloudTests, len(gocloudOthers), err)
	}
	h.down()
}

// gocloudReport reads what test2json writes: how each test ended that has no other
// below it, and what it printed.
func gocloudReport(t *testing.T, out []byte) (ended, said map[string]string) {
	t.Helper()
	ended, said = map[string]string{}, map[string]string{}
	for scan := bufio.NewScanner(bytes.NewReader(out)); scan.Scan(); {
		var event struct{ Action, Test, Output string }
		if err := json.Unmarshal(scan.Bytes(), &event); err != nil {
			t.Fatalf("%v: %s", err, scan.Bytes())
		}
		switch event.Action {
		case "output":
			said[event.Test] += event.Output
		case "pass", "fail", "skip":
			if event.Test != "" {
				ended[event.Test] = event.Action
			}
		}
	}
	for name := range ended {
		for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
			delete(ended, name[:i])
		}
	}
	return ended, said
}
