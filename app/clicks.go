package app

import (
	"net/http"

	"github.com/dayfly-dev/dayfly/dash"
)

// clicks answers `dayfly clicks`.
func (c *controller) clicks(w http.ResponseWriter, r *http.Request) {
	campaign, since := r.URL.Query().Get("campaign"), r.URL.Query().Get("since")
	if _, ok := c.app.present().Edge.Click[campaign]; campaign != "" && !ok {
		refuse(w, http.StatusNotFound, &UnknownError{Kind: "campaign", Name: campaign, Known: sortedKeys(c.app.present().Edge.Click)})
		return
	}
	all := []dash.ClickCount{}
	if c.app.edge != nil {
		for _, k := range c.app.edge.Clicks() {
			if k.Day >= since && (campaign == "" || k.Campaign == campaign) {
				all = append(all, clickRow(k))
			}
		}
	}
	reply(w, all)
}
