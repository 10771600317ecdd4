package sqsserver_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// Clients nobody here wrote, as their registries have them. Each test has a
// server of its own, and processes to wait for: they run side by side.

func TestBoto3(t *testing.T) {
	t.Parallel()
	py := need.Python(t, "boto3")
	for _, script := range []string{"sqs_boto3.py", "sqs_boto3_fifo.py", "sqs_boto3_redrive.py"} {
		t.Run(script, func(t *testing.T) {
			run(t, py, filepath.Join(need.Root(t), "test/clients", script), listen(t).url)
		})
	}
}

// The same in the query protocol: SDKs from before November 2023 know no other.
func TestBoto3Query(t *testing.T) {
	t.Parallel()
	py := need.PythonOf(t, "venv-query", "boto3")
	for _, script := range []string{"sqs_boto3.py", "sqs_boto3_fifo.py", "sqs_boto3_redrive.py", "sqs_query.py"} {
		t.Run(script, func(t *testing.T) {
			run(t, py, filepath.Join(need.Root(t), "test/clients", script), listen(t).url)
		})
	}
}

// The AWS SDK for JavaScript, by itself and in sqs-consumer.
func TestJavaScript(t *testing.T) {
	t.Parallel()
	node, modules := need.Node(t, "@aws-sdk/client-sqs", "sqs-consumer")
	for _, script := range []string{"sqs.cjs", "sqs_wait.cjs", "sqs_consumer.cjs"} {
		t.Run(script, func(t *testing.T) {
			run(t, "env", "NODE_PATH="+modules, "AWS_ENDPOINT_URL="+listen(t).url, node, filepath.Join(need.Root(t), "test/clients/js", script))
		})
	}
}

func TestCurl(t *testing.T) {
	t.Parallel()
	need.Tool(t, "curl")
	run(t, "sh", filepath.Join(need.Root(t), "test/clients/sqs_curl.sh"), listen(t).url)
}

func TestAWSCommandLineQuery(t *testing.T) {
	t.Parallel()
	run(t, need.PythonOf(t, "venv-query", "awscli"), filepath.Join(need.Root(t), "test/clients/sqs_awscli.py"), listen(t).url)
}

func TestAWSCommandLine(t *testing.T) {
	t.Parallel()
	run(t, need.Python(t, "awscli"), filepath.Join(need.Root(t), "test/clients/sqs_awscli.py"), listen(t).url)
}

// run runs a client's script with the environment an AWS program expects.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey,
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_SESSION_TOKEN=")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
