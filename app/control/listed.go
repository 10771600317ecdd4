package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/dash"
)

// Release is the body of POST /keys/release.
type Release struct {
	Key string `json:"key"` // as GET /keys has it
	ID  string `json:"id"`  // of the task that holds it; "": whichever does
	By  string `json:"by,omitempty"`
}

// Sooner is the body of POST /task/now.
type Sooner struct {
	ID    string `json:"id"`    // of a task
	Queue string `json:"queue"` // as the manifest or the service names it; "": whichever has it
	By    string `json:"by,omitempty"`
}

// Began is the answer to POST /task/now.
type Began struct {
	ID      string `json:"id"`
	Task    string `json:"task"`
	Queue   string `json:"queue"`
	Message string `json:"message"` // id of the new one
	Text    string `json:"text"`    // what happens next
}

// Limits lists limits of rate and concurrency, a part at a time.
func (c *Client) Limits(ctx context.Context, ask dash.Ask) (dash.LimitList, error) {
	var l dash.LimitList
	return l, c.listed(ctx, "/limits", ask, &l)
}

// Keys lists the unique keys that are held, a part at a time.
func (c *Client) Keys(ctx context.Context, ask dash.Ask) (dash.KeyList, error) {
	var l dash.KeyList
	return l, c.listed(ctx, "/keys", ask, &l)
}

func (c *Client) listed(ctx context.Context, path string, ask dash.Ask, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	q := url.Values{"q": {ask.Text}, "queue": {ask.Queue}, "from": {ask.From}, "max": {strconv.Itoa(ask.Max)}}
	return c.get(ctx, path+"?"+q.Encode(), into)
}

// Release frees a unique key, and returns who held it.
func (c *Client) Release(ctx context.Context, r Release) (dash.Key, error) {
	var k dash.Key
	return k, c.post(ctx, "/keys/release", r, &k)
}

// Now has a task that waits begin before its time.
func (c *Client) Now(ctx context.Context, s Sooner) (Began, error) {
	var b Began
	return b, c.post(ctx, "/task/now", s, &b)
}

func (c *Client) post(ctx context.Context, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	answer, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return json.NewDecoder(answer.Body).Decode(into)
}
