package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// garbage are bodies that no page of the examples sends, and what their dead
// letters say.
var garbage = map[string]string{
	`{"specversion":"1.0","id":"g1","source":"s","type":"greet"}`:                                                                           "answered",
	`{"specversion":"1.0","id":"g2","source":"s","type":"greet","data":null}`:                                                               "answered",
	`{"specversion":"1.0","id":"g3","source":"s","type":"greet","data":17}`:                                                                 "answered",
	`{"specversion":"1.0","id":"g5","source":"s","type":"greet","data":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`:      "answered",
	`{"specversion":"1.0","id":"g6","source":"s","type":"nobody\r\nX: y","data":{"name":"a"}}`:                                              "type has a control character",
	`{"specversion":"1.0","id":"g4","source":"s","type":"nobody: % é","data":{"name":"a"}}`:                                                 "answered 400",
	`{"specversion":"1.0","id":"g7","source":"s","type":"stranger","data":{"name":"a"}}`:                                                    "answered 400",
	`{"specversion":"1.0","id":"g8","source":"s","type":"greet","subject":"` + strings.Repeat("é", 3000) + `","data":{"name":"a"}}`:         "bytes of headers",
	`{"specversion":"1.0","id":"g9","source":"s","type":"greet","data":{"name":NaN}}`:                                                       "not a task message",
	`{"specversion":"1.0","id":"g10","source":"s","type":"greet","data":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`: "not a task message",
	"\x7fELF":                                "not a task message",
	`<?xml version="1.0"?><task/>`:           "not a task message",
	`{"id":"g11"}`:                           "not a task message",
	`["specversion","1.0"]`:                  "not a task message",
	strings.Repeat("A", 1000) + "\n" + "\t=": "not a task message",
}

// TestGarbage has the Python and the Node example be sent bodies of any shape:
// each is a dead letter that says why, no process ends for it, and the tasks
// between are done.
func TestGarbage(t *testing.T) {
	python := need.Python(t, "boto3", "flask")
	node, modules := need.Node(t, "@aws-sdk/client-sqs")
	for name, env := range map[string][]string{
		"python": {"PATH=" + filepath.Dir(python) + ":" + os.Getenv("PATH")},
		"node":   {"PATH=" + filepath.Dir(node) + ":" + os.Getenv("PATH"), "NODE_PATH=" + modules},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join(need.Root(t), "examples", "any-language", name))); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, "dayfly.toml"))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "dayfly.toml"), append(text, "attempts = 2\n"+anyPorts...), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			h := up(t, dir, filepath.Join(dir, ".dayfly"), env...)
			q := client(t, h.env)
			c, good := task.NewClient(q, nil), 0
			for body := range garbage {
				if _, err := q.Send(t.Context(), queue.Outgoing{Body: body, Delay: -1}); err != nil {
					t.Fatal(err)
				}
				if _, err := task.EnqueueNamed(t.Context(), c, "greet", fmt.Appendf(nil, `{"name":"good-%d"}`, good)); err != nil {
					t.Fatal(err)
				}
				good++
			}
			eventually(t, "all are done or dead", func() bool {
				d, err := q.Describe(t.Context())
				return err == nil && d.Visible+d.Delayed+d.InFlight == 0
			})
			greeted, err := os.ReadFile(filepath.Join(dir, "greeted.txt"))
			for i := range good {
				if err != nil || strings.Count(string(greeted), fmt.Sprintf(" good-%d\n", i)) != 1 {
					t.Errorf("good-%d was greeted %d times: %v", i, strings.Count(string(greeted), fmt.Sprintf(" good-%d\n", i)), err)
				}
			}
			garbageIsDead(t, q)
			if p := h.group("web").Processes[0]; p.Restarts != 0 {
				t.Errorf("the application ended %d times: %s\n%s", p.Restarts, p.LastExit, h.out.tail(3000))
			}
			h.down()
		})
	}
}

// garbageIsDead sees that each is a dead letter, once, with its reason.
func garbageIsDead(t *testing.T, q *queue.Queue) {
	t.Helper()
	found := map[string]int{}
	for {
		letters, err := q.Service().Queue(q.Name()+"-dead").Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if len(letters) == 0 {
			break
		}
		for _, m := range letters {
			found[m.Body]++
			if why := m.Attributes[task.AttributeError].String; garbage[m.Body] == "" || !strings.Contains(why, garbage[m.Body]) {
				t.Errorf("%.100s is dead: %.300s", m.Body, why)
			}
		}
	}
	for body := range garbage {
		if found[body] != 1 {
			t.Errorf("%d dead letters of %.100s", found[body], body)
		}
	}
}
