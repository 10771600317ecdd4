package task

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/queue"
)

// TestPythonLargeArguments runs the Python of doc/formats/task-message.md: it
// reads what the client stored, refuses what it should, deletes it, and stores
// arguments that a worker reads.
func TestPythonLargeArguments(t *testing.T) {
	py := need.Python(t, "boto3")
	page := must[[]byte](t)(os.ReadFile(filepath.Join(need.Root(t), "doc", "formats", "task-message.md")))
	_, code, _ := strings.Cut(string(page), "```python\n")
	code, _, ok := strings.Cut(code, "```")
	if !ok {
		t.Fatal("the page has no Python")
	}
	code += `
import sys
event = json.loads(sys.stdin.read())
given = arguments(event)
for wrong in ({"datasize": event["datasize"] - 1}, {"datasize": event["datasize"] + 1}, {"datasize": 1 << 30},
              {"datasha256": "0" * 64}, {"dataref": event["dataref"].replace("//payloads/", "//others/")},
              {"dataref": event["dataref"] + "/../../../others/x"}, {"dataref": "http://127.0.0.1/"}):
    try:
        arguments(event | wrong)
    except ValueError:
        continue
    sys.exit(f"{wrong} was taken")
forget(event)
try:
    arguments(event)
except s3.exceptions.NoSuchKey:
    pass
else:
    sys.exit("not deleted")
print(json.dumps({"specversion": "1.0", "id": "from-python", "source": "python", "type": event["type"]} | refer(given)))
`
	o, r := newObjects(t), newRig(t, 5, nil)
	for _, address := range []string{"s3://payloads", "s3://payloads/some/where"} {
		store := o.storeAt(address, nil)
		args := large(7, 2<<20)
		got := make(chan blobArgs, 1)
		def := Define("large", func(_ context.Context, a blobArgs) error { got <- a; return nil })
		must[string](t)(def.Enqueue(t.Context(), NewClient(r.q, &ClientOptions{Payloads: store}), args))
		m := must[[]queue.Message](t)(r.q.Receive(t.Context(), queue.ReceiveOptions{Max: 1}))[0]
		must[[]error](t)(r.q.Delete(t.Context(), m.Receipt))
		cmd := exec.CommandContext(t.Context(), py, "-c", code)
		cmd.Stdin = strings.NewReader(m.Body)
		cmd.Env = append(os.Environ(), "PAYLOADS_URL="+address, "AWS_ENDPOINT_URL="+o.url, "AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1",
			"AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true")
		var said strings.Builder
		cmd.Stderr = &said
		body, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", address, err, said.String())
		}
		if !json.Valid(body) {
			t.Fatalf("%s: %q", address, body)
		}
		must[[]queue.Sent](t)(r.q.Send(t.Context(), queue.Outgoing{Body: strings.TrimSpace(string(body)), Delay: -1}))
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Payloads: store})
		if a := <-got; !same(a, args) {
			t.Errorf("%s: other arguments come back from Python", address)
		}
		until(t, "nothing is left", func() bool { return r.left("default") == "0 0 0" && len(o.keys()) == 0 })
		r.stop(stop)
	}
}
