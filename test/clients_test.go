package test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestClients runs clients of others, as their registries have them, against
// everything dayfly serves at once, with the environment that `dayfly env`
// prints. Their scripts are in clients/.
func TestClients(t *testing.T) {
	t.Parallel()
	python := need.Python(t, "boto3", "awscli", "pymemcache")
	older := need.PythonOf(t, "venv-query", "boto3")
	node, modules := need.Node(t, "@aws-sdk/client-sqs", "sqs-consumer")
	swaks := need.Tool(t, "swaks")
	dir := application(t, `name = "clients"
[queue.default]
[cache.default]
[cache.other]
[bucket.private]
[bucket.public]
public = true
`+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	endpoint, mailAt := h.env["AWS_ENDPOINT_URL"], strings.TrimPrefix(h.env["SMTP_URL"], "smtp://")
	cache := func(name string) string { return strings.TrimPrefix(h.env[name], "memcached://") }
	host, port, err := net.SplitHostPort(mailAt)
	if err != nil {
		t.Fatal(err)
	}
	aws := filepath.Join(filepath.Dir(python), "aws")
	for _, c := range []struct {
		name    string
		env     []string
		command []string
	}{
		{"boto3 on SQS", nil, []string{python, "clients/sqs_boto3.py", endpoint}},
		{"boto3 on FIFO queues", nil, []string{python, "clients/sqs_boto3_fifo.py", endpoint}},
		{"boto3 on dead letters", nil, []string{python, "clients/sqs_boto3_redrive.py", endpoint}},
		{"boto3 of the query protocol on SQS", nil, []string{older, "clients/sqs_query.py", endpoint}},
		{"aws-sdk-js on SQS", []string{"NODE_PATH=" + modules}, []string{node, "clients/js/sqs.cjs"}},
		{"aws-sdk-js waiting for messages", []string{"NODE_PATH=" + modules}, []string{node, "clients/js/sqs_wait.cjs"}},
		{"sqs-consumer", []string{"NODE_PATH=" + modules}, []string{node, "clients/js/sqs_consumer.cjs"}},
		// As a shell after eval "$(dayfly env)": no flag names the endpoint. All
		// actions are run in package sqsserver.
		{"aws CLI in a shell", nil, []string{aws, "sqs", "get-queue-url", "--queue-name", "default"}},
		{"boto3 on S3", []string{"BUCKET=private", "PUBLIC_BUCKET=public"}, []string{python, "clients/s3_boto3.py"}},
		{"aws CLI on S3", []string{"BUCKET=private"}, []string{python, "clients/s3_awscli.py"}},
		{"boto3 on SES", nil, []string{python, "clients/mail_boto3.py"}},
		{"aws CLI on SES", nil, []string{aws, "sesv2", "send-email", "--from-email-address", "a@example.com", "--destination", "ToAddresses=b@example.com",
			"--content", `{"Simple":{"Subject":{"Data":"from the aws command"},"Body":{"Text":{"Data":"text"}}}}`}},
		{"smtplib", nil, []string{python, "clients/mail_smtplib.py"}},
		{"swaks", nil, []string{swaks, "--server", host, "--port", port, "--from", "a@example.com", "--to", "b@example.com", "--h-Subject", "from swaks"}},
		{"pymemcache", nil, []string{python, "clients/cache_pymemcache.py", cache("CACHE_DEFAULT_URL"), cache("CACHE_OTHER_URL")}},
	} {
		t.Run(c.name, func(t *testing.T) { h.client(t, c.env, c.command...) })
	}
	inbox := get(t, h.env["DAYFLY_URL"]+"/inbox?format=json")
	for _, subject := range []string{"from swaks", "Grüße von smtplib", "v1 Grüße", "v2 raw", "from the aws command"} {
		if !strings.Contains(inbox, subject) {
			t.Errorf("no mail with %q in the inbox:\n%.2000s", subject, inbox)
		}
	}
	h.down()
}

// client runs a client of others in the environment that dayfly prints.
func (h *house) client(t *testing.T, env []string, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	for k, v := range h.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
}
