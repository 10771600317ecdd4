package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Pause is the body of POST /pause and POST /resume.
type Pause struct {
	Queue  string `json:"queue"` // as the manifest names it, or the service
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Paused is a queue whose tasks are not run; the answer to POST /pause, and in
// Status a list of them.
type Paused struct {
	Queue   string    `json:"queue"`   // as the manifest names it; the service's name if it does not
	Service string    `json:"service"` // its name in the service
	Paused  bool      `json:"paused"`
	Changed bool      `json:"changed"` // by this request
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
}

// Cancel is the body of POST /task/cancel.
type Cancel struct {
	ID     string `json:"id"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Cancellation is the answer to POST /task/cancel.
type Cancellation struct {
	ID       string    `json:"id"`
	State    string    `json:"state"` // "ordered", "cancelled", "finished"
	Text     string    `json:"text"`  // what that means
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
	Applied  time.Time `json:"applied"` // zero: not yet
	Running  bool      `json:"running"` // when it was applied
	Task     string    `json:"task"`
	Queue    string    `json:"queue"`
	Finished bool      `json:"finished"`
}

// TaskStatus is the answer to GET /task/status: what is on record of an id, which
// may be that of a batch.
type TaskStatus struct {
	Task  json.RawMessage `json:"task,omitempty"`  // a task.Status
	Batch json.RawMessage `json:"batch,omitempty"` // a task.BatchStatus
}

// TaskStatus of an id.
func (c *Client) TaskStatus(ctx context.Context, id string) (st TaskStatus, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return st, c.get(ctx, "/task/status?id="+url.QueryEscape(id), &st)
}

// Pause has no task of a queue begun.
func (c *Client) Pause(ctx context.Context, p Pause) (Paused, error) {
	return post[Paused](ctx, c, "/pause", p)
}

// Resume ends that.
func (c *Client) Resume(ctx context.Context, p Pause) (Paused, error) {
	return post[Paused](ctx, c, "/resume", p)
}

// Cancel has a task not run, or no longer.
func (c *Client) Cancel(ctx context.Context, x Cancel) (Cancellation, error) {
	return post[Cancellation](ctx, c, "/task/cancel", x)
}

// post sends one JSON value and reads another.
func post[A any](ctx context.Context, c *Client, path string, body any) (a A, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	answer, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return a, err
	}
	defer answer.Body.Close()
	return a, json.NewDecoder(answer.Body).Decode(&a)
}
