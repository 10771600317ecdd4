package control

import (
	"context"

	"github.com/dayfly-dev/dayfly/edge/respcache"
)

// Purged is the answer to POST /edge/purge.
type Purged struct {
	Purged int `json:"purged"` // answers that were removed, or made stale
}

// Purge purges the response cache.
func (c *Client) Purge(ctx context.Context, p respcache.Purge) (Purged, error) {
	return post[Purged](ctx, c, "/edge/purge", p)
}
