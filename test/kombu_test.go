package test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// kombuTests is how many integration tests for SQS kombu 5.7.0 has.
const kombuTests = 42

// kombuFails are those that SQS itself would fail, with what they say then. The
// test below fails when one of them passes.
var kombuFails = map[string]string{
	// They delete a message twice and want what GoAws answers the second time,
	// 404. SQS answers 200: deleting what is deleted succeeds.
	"test_ack_invalid_receipt_with_backoff[InvalidParameterValue]":  "KeyError: 'Error'",
	"test_ack_invalid_receipt_with_backoff[ReceiptHandleIsInvalid]": "KeyError: 'Error'",
}

// TestKombu runs kombu's own integration tests for SQS, with fan-out by way of
// SNS, against dayfly. They come with kombu's source on PyPI, which `make tools`
// downloads, and have keys and region written into them. As in kombu's own CI, a
// test that kombu marks as depending on time may be run again.
func TestKombu(t *testing.T) {
	t.Parallel()
	python := need.PythonOf(t, "venv-celery", "kombu", "pytest", "xdist")
	dir := application(t, "name = \"kombu\"\n"+anyPorts)
	data := filepath.Join(dir, ".dayfly")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	keys := []byte(`{"access_key":"TestUsername","secret_key":"TestPassword"}`)
	if err := os.WriteFile(filepath.Join(data, "keys.json"), keys, 0o600); err != nil {
		t.Fatal(err)
	}
	h := up(t, dir, data)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(h.env["AWS_ENDPOINT_URL"], "http://"))
	if err != nil {
		t.Fatal(err)
	}

	// The tests only: what they test is kombu as it is installed.
	suite := t.TempDir()
	source := need.File(t, "kombu-5.7.0.tar.gz")
	if out, err := exec.Command("tar", "-xzf", source, "-C", suite, "--strip-components", "1", "kombu-5.7.0/t").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", source, err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	report := filepath.Join(suite, "report.xml")
	cmd := exec.CommandContext(ctx, python, "-m", "pytest", "-n", "4", "-p", "no:cacheprovider", "-o", "python_classes=test_*",
		"--junitxml", report, "t/integration/test_sqs.py")
	cmd.Dir = suite
	cmd.Env = append(os.Environ(), "SQS_HOST="+host, "SQS_PORT="+port)
	out, err := cmd.CombinedOutput() // 1 when a test failed
	passed, complaints := kombuReport(t, report)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n") // the last counts what was run again, too
	t.Logf("%d of kombu's %d integration tests passed, %d want what SQS does not do: %s", passed, kombuTests, len(kombuFails), lines[len(lines)-1])
	if passed != kombuTests-len(kombuFails) || len(complaints) > 0 {
		t.Errorf("%v: %s\n%s", err, strings.Join(complaints, "\n"), out)
	}
	h.down()
}

// kombuReport reads what pytest wrote, and complains of what is not as listed.
func kombuReport(t *testing.T, path string) (passed int, complaints []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, []string{err.Error()}
	}
	type outcome struct {
		Message string `xml:"message,attr"`
	}
	var report struct {
		Cases []struct {
			Name    string   `xml:"name,attr"`
			Failure *outcome `xml:"failure"`
			Error   *outcome `xml:"error"`
			Skipped *outcome `xml:"skipped"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.NewDecoder(bytes.NewReader(text)).Decode(&report); err != nil {
		return 0, []string{err.Error()}
	}
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	for _, c := range report.Cases {
		want, listed := kombuFails[c.Name]
		switch {
		case c.Skipped != nil:
			complain("%s was skipped: %s", c.Name, c.Skipped.Message)
		case c.Error != nil:
			complain("%s could not run: %s", c.Name, c.Error.Message)
		case c.Failure != nil && !listed:
			complain("%s failed: %s", c.Name, c.Failure.Message)
		case c.Failure != nil && !strings.Contains(c.Failure.Message, want):
			complain("%s failed, but not with %q: %s", c.Name, want, c.Failure.Message)
		case c.Failure == nil && listed:
			complain("%s passed, and is listed as one that cannot", c.Name)
		case c.Failure == nil:
			passed++
		}
	}
	return passed, complaints
}
