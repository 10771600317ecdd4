package control

import (
	"context"
	"net/url"
	"time"

	"github.com/dayfly-dev/dayfly/dash"
)

// Clicks are those of a campaign ("" all) on or after a day, the latest day first,
// then by campaign and link; at most 60,000.
func (c *Client) Clicks(ctx context.Context, campaign string, since time.Time) (all []dash.ClickCount, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = c.get(ctx, "/clicks?"+url.Values{"campaign": {campaign}, "since": {since.UTC().Format(time.DateOnly)}}.Encode(), &all)
	return all, err
}
