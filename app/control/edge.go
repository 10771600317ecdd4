package control

import (
	"context"
	"time"

	"github.com/dayfly-dev/dayfly/edge/respcache"
)

// Purged is the answer to POST /edge/purge.
type Purged struct {
	// Purged are the answers that were removed on this machine, or made stale.
	Purged int `json:"purged"`
	// Reached are the machines that have carried it out, this one included, and
	// Missing those that have not. Both are empty if that was not waited for.
	Reached []string `json:"reached,omitempty"`
	Missing []string `json:"missing,omitempty"`
}

// Purge purges the response caches of all machines. It waits for the others at
// most for the time given, 0 to 30 s.
func (c *Client) Purge(ctx context.Context, p respcache.Purge, wait time.Duration) (Purged, error) {
	return post[Purged](ctx, c, "/edge/purge?wait="+wait.String(), p)
}
