package app

import (
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/internal/promtext"
)

// balanced is what the edge counted of balancing and limits.
func balanced(s *edge.Stats) []*promtext.Family {
	queued := promtext.New(promtext.Gauge, "dayfly_edge_queued_requests", "Requests that wait for a place at an instance.")
	queued.Add(float64(s.Queued))
	shed := promtext.New(promtext.Counter, "dayfly_edge_shed_total", "Requests turned away since every instance had as many as it may.")
	shed.Add(float64(s.Shed))
	maintenance := promtext.New(promtext.Gauge, "dayfly_edge_maintenance", "Whether visitors have a page in place of the site.")
	maintenance.Add(truth(s.Maintenance))
	ejections := promtext.New(promtext.Counter, "dayfly_edge_ejections_total", "How often an instance was taken out for its failures although its checks passed.")
	ejections.Add(float64(s.Ejections))
	allowed := promtext.New(promtext.Counter, "dayfly_edge_limit_allowed_total", "Requests that a limit let in.")
	refused := promtext.New(promtext.Counter, "dayfly_edge_limit_refused_total", "Requests that a limit refused.")
	for _, l := range s.Limits {
		allowed.Add(float64(l.Allowed), "limit", l.Name)
		refused.Add(float64(l.Refused), "limit", l.Name)
	}
	return []*promtext.Family{queued, shed, maintenance, ejections, allowed, refused}
}
