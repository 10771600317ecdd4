package app

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/internal/promtext"
)

// purgePath is where the application purges, on the dashboard's address.
const purgePath = "/edge/purge"

// responseCache is what [edge.cache] asks for; nil if there is none.
func (a *App) responseCache(manifest *manifest.Manifest) *respcache.Options {
	m := manifest.Edge.Cache
	if m == nil {
		return nil
	}
	o := &respcache.Options{Size: int64(m.Size), MaxBody: int64(m.MaxBody), StaleWhileRevalidate: time.Duration(m.StaleWhileRevalidate),
		StaleIfError: time.Duration(m.StaleIfError), Obey: m.Obey, Targets: m.Targets, KeepKeys: m.KeepKeys, StatusKey: m.StatusKey}
	if m.Disk > 0 {
		o.Dir, o.Disk = a.data.path("edge-cache"), int64(m.Disk)
	}
	return o
}

// tellPurge tells the processes how to purge: an address on the dashboard's, and
// a token of this run.
func (a *App) tellPurge(dashboard string) {
	if a.manifest.Edge.Cache == nil || a.edge == nil {
		return
	}
	a.purgeToken = rand.Text()
	a.variables.set("EDGE_PURGE_URL", dashboard+purgePath)
	a.variables.set("EDGE_PURGE_TOKEN", a.purgeToken)
}

// besidePurge answers purges of the application, and has next answer the rest.
func (a *App) besidePurge(next http.Handler) http.Handler {
	if a.manifest.Edge.Cache == nil || a.edge == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != purgePath {
			next.ServeHTTP(w, r)
			return
		}
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		switch {
		case a.purgeToken == "" || !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare([]byte(token), []byte(a.purgeToken)) != 1:
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, errors.New("send Authorization: Bearer with what EDGE_PURGE_TOKEN holds"))
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, errors.New("send POST"))
		default:
			a.purge(w, r)
		}
	})
}

// responseCache is what the response cache counted.
func (m *metrics) responseCache() []*promtext.Family {
	if m.app.edge == nil {
		return nil
	}
	s, ok := m.app.edge.CacheStats()
	if !ok {
		return nil
	}
	requests := promtext.New(promtext.Counter, "dayfly_edge_cache_requests_total", "Requests by what the response cache did.")
	for _, x := range []struct {
		outcome respcache.Outcome
		n       uint64
	}{{respcache.Hit, s.Hits}, {respcache.Stale, s.Stale}, {respcache.Revalidated, s.Revalidated}, {respcache.Collapsed, s.Collapsed},
		{respcache.Miss, s.Misses}, {respcache.Pass, s.Passes}} {
		requests.Add(float64(x.n), "outcome", string(x.outcome))
	}
	families := []*promtext.Family{requests}
	for _, x := range []struct {
		kind       promtext.Kind
		name, help string
		n          float64
	}{
		{promtext.Counter, "dayfly_edge_cache_body_bytes_total", "Bytes of bodies answered without the application.", float64(s.BodyBytes)},
		{promtext.Counter, "dayfly_edge_cache_disk_reads_total", "Bodies read from disk.", float64(s.DiskHits)},
		{promtext.Counter, "dayfly_edge_cache_disk_dropped_total", "Answers that were not written to disk because it was slow or failed.", float64(s.DiskDropped)},
		{promtext.Counter, "dayfly_edge_cache_renewals_total", "Requests the cache made by itself.", float64(s.Renewals)},
		{promtext.Counter, "dayfly_edge_cache_evicted_total", "Answers that left memory or disk to make room.", float64(s.Evicted)},
		{promtext.Counter, "dayfly_edge_cache_purged_total", "Answers that were purged.", float64(s.Purged)},
		{promtext.Counter, "dayfly_edge_cache_coded_total", "Compressed forms that were made to be kept.", float64(s.Coded)},
		{promtext.Gauge, "dayfly_edge_cache_objects", "Answers that are kept.", float64(s.Objects)},
		{promtext.Gauge, "dayfly_edge_cache_memory_bytes", "Memory they take.", float64(s.Memory)},
		{promtext.Gauge, "dayfly_edge_cache_memory_limit_bytes", "Memory they may take.", float64(s.MemoryMax)},
		{promtext.Gauge, "dayfly_edge_cache_files", "Files they are kept in.", float64(s.Files)},
		{promtext.Gauge, "dayfly_edge_cache_disk_bytes", "Size of the files.", float64(s.Disk)},
		{promtext.Gauge, "dayfly_edge_cache_disk_limit_bytes", "Size they may have.", float64(s.DiskMax)},
	} {
		f := promtext.New(x.kind, x.name, x.help)
		f.Add(x.n)
		families = append(families, f)
	}
	return families
}
