package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/dayfly-dev/dayfly/edge/publish"
)

// MaxStage is the largest body of POST /publish/stage in bytes.
const MaxStage = 64 << 20

// Stage is the body of POST /publish/stage: a folder, or addresses.
type Stage struct {
	Dir       string        `json:"dir,omitempty"` // absolute
	Addresses []string      `json:"addresses,omitempty"`
	From      string        `json:"from,omitempty"` // what they are told to come from
	Note      string        `json:"note,omitempty"`
	Redirects bool          `json:"redirects,omitempty"` // of addresses; keep them
	Add       bool          `json:"add,omitempty"`       // to what is live
	Remove    []string      `json:"remove,omitempty"`    // paths of that, with what is below where they end with /
	Cache     []CacheRule   `json:"cache,omitempty"`     // of files
	Valid     time.Duration `json:"valid_ns"`            // of the preview's address
	By        string        `json:"by,omitempty"`
}

// CacheRule is the Cache-Control of files whose paths begin with Prefix; the
// first that fits counts.
type CacheRule struct {
	Prefix string `json:"prefix"`
	Value  string `json:"value"`
}

// Staged is the result of a stage.
type Staged struct {
	publish.Staged
	Preview Preview      `json:"preview"`
	Diff    publish.Diff `json:"diff"` // to what is live
	// Left are files that were left out, as their names begin with a dot; Hidden are
	// pages that nobody sees, as [static] answers at their addresses.
	Left   []string `json:"left,omitempty"`
	Hidden []string `json:"hidden,omitempty"`
	Edges  []Edge   `json:"edges"`
	Swept  int      `json:"swept"` // objects that no release names any more
}

// Preview is an address under which a release is seen before it is live.
type Preview struct {
	Release string    `json:"release"`
	URL     string    `json:"url"`
	Until   time.Time `json:"until"`
}

// AskPreview is the body of POST /publish/preview.
type AskPreview struct {
	Release string        `json:"release,omitempty"` // default: the one staged last
	Valid   time.Duration `json:"valid_ns"`
	Rotate  bool          `json:"rotate,omitempty"` // end all that were given out
}

// GoLive is the body of POST /publish/live.
type GoLive struct {
	Release string `json:"release,omitempty"` // default: the one staged last
	None    bool   `json:"none,omitempty"`    // no release at all
	Back    bool   `json:"back,omitempty"`    // what was live before
	Force   bool   `json:"force,omitempty"`   // though it was staged onto another
	By      string `json:"by,omitempty"`
}

// Live is the result of a switch.
type Live struct {
	Release string       `json:"release"` // "": none
	Before  string       `json:"before"`
	Changed bool         `json:"changed"` // false: it was live already
	Diff    publish.Diff `json:"diff"`
	// Purge are the addresses of what was added, changed and removed, for a CDN.
	Purge []string `json:"purge"`
	Edges []Edge   `json:"edges"`
}

// Edge is one machine's.
type Edge struct {
	publish.Presence
	// Follows says that it answers from what is live; Ready that it has the release
	// asked about in memory, compressed, too.
	Follows bool `json:"follows"`
	Ready   bool `json:"ready"`
}

// Publishing is the answer to GET /publish.
type Publishing struct {
	Live     string           `json:"live"`
	Before   *string          `json:"before,omitempty"` // what `back` leads to; absent if there was no switch
	Releases []publish.Entry  `json:"releases"`         // the oldest first
	History  []publish.Switch `json:"history"`          // the newest last
	Edges    []Edge           `json:"edges"`
}

// Shown is the answer to GET /publish/show.
type Shown struct {
	publish.Entry
	Live    bool           `json:"live"`
	Against string         `json:"against"` // the release Diff compares with; "": none
	Diff    publish.Diff   `json:"diff"`
	List    []publish.Page `json:"list"`
}

// PublishStep is one line of the answer to a stage or a switch; the last has
// Error or Result.
type PublishStep struct {
	Text   string          `json:"text,omitempty"` // what is done now
	Done   int             `json:"done,omitempty"`
	Total  int             `json:"total,omitempty"`
	Error  string          `json:"error,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// Stage makes a release; step is told what is done.
func (c *Client) Stage(ctx context.Context, s Stage, step func(PublishStep)) (Staged, error) {
	var done Staged
	return done, c.publish(ctx, "/publish/stage", s, step, &done)
}

// GoLive switches; step is told what is done.
func (c *Client) GoLive(ctx context.Context, g GoLive, step func(PublishStep)) (Live, error) {
	var done Live
	return done, c.publish(ctx, "/publish/live", g, step, &done)
}

func (c *Client) publish(ctx context.Context, path string, body any, step func(PublishStep), into any) error {
	answer, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	done := false
	d := json.NewDecoder(answer.Body)
	for !done {
		var s PublishStep
		if err := d.Decode(&s); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return errors.New("dayfly ended before it was done; look with `dayfly publish status`, and run it again")
		}
		switch {
		case s.Error != "":
			return errors.New(s.Error)
		case s.Result != nil:
			if err := json.Unmarshal(s.Result, into); err != nil {
				return err
			}
			done = true
		case step != nil:
			step(s)
		}
	}
	return nil
}

// Publishing is what is live and what is kept.
func (c *Client) Publishing(ctx context.Context) (Publishing, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var p Publishing
	return p, c.get(ctx, "/publish", &p)
}

// Show tells of a release ("" the one staged last), compared with another ("" the
// one that is live).
func (c *Client) Show(ctx context.Context, release, against string) (Shown, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var s Shown
	return s, c.get(ctx, "/publish/show?"+url.Values{"release": {release}, "against": {against}}.Encode(), &s)
}

// Preview makes an address.
func (c *Client) Preview(ctx context.Context, a AskPreview) (Preview, error) {
	var p Preview
	return p, c.post(ctx, "/publish/preview", a, &p)
}

// Drop removes a release.
func (c *Client) Drop(ctx context.Context, release string) (swept int, err error) {
	var s struct {
		Swept int `json:"swept"`
	}
	err = c.post(ctx, "/publish/drop", map[string]string{"release": release}, &s)
	return s.Swept, err
}
