package app

import "github.com/dayfly-dev/dayfly/internal/promtext"

// published is what the edge does with releases.
func (m *metrics) published() []*promtext.Family {
	if m.app.edge == nil {
		return nil
	}
	s, ok := m.app.edge.PublishStats()
	if !ok {
		return nil
	}
	live := promtext.New(promtext.Gauge, "dayfly_publish_live", "The release that requests are answered from; always 1, and none without one.")
	if s.Live != "" {
		live.Add(1, "release", s.Live)
	}
	behind := promtext.New(promtext.Gauge, "dayfly_publish_trouble", "Whether something keeps this machine from answering from the release that is live.")
	behind.Add(truth(s.Error != "" || !s.Ready))
	loaded := promtext.New(promtext.Gauge, "dayfly_publish_loaded_releases", "Releases in memory.")
	loaded.Add(float64(len(s.Loaded)))
	memory := promtext.New(promtext.Gauge, "dayfly_publish_memory_bytes", "Their contents with compressed forms.")
	memory.Add(float64(s.Bytes))
	reads := promtext.New(promtext.Counter, "dayfly_publish_bucket_reads_total", "Objects read from the bucket of releases.")
	reads.Add(float64(s.Reads))
	return []*promtext.Family{live, behind, loaded, memory, reads}
}
