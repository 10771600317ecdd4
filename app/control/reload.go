package control

import (
	"context"
	"time"
)

// Reloaded is the answer to POST /reload: keys of the manifest, "edge.limit.login".
type Reloaded struct {
	Changed []string  `json:"changed"` // what holds from now on
	Restart []string  `json:"restart"` // what counts from the next start
	At      time.Time `json:"at"`
}

// Reload has the manifest read again.
func (c *Client) Reload(ctx context.Context) (Reloaded, error) {
	return post[Reloaded](ctx, c, "/reload", struct{}{})
}
