package app

import (
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/edge"
)

// answers puts what the manifest says of answers and of slow clients into the
// edge's options.
func (a *App) answers(m *manifest.Manifest, o *edge.Options) {
	e := &m.Edge.EdgeAnswers
	o.Answers.Compress = e.Compress.Options()
	for _, path := range sortedKeys(e.CORS) {
		o.Answers.CORS = append(o.Answers.CORS, e.CORS[path].Rule(path))
	}
	for _, path := range sortedKeys(e.JSONP) {
		o.Answers.JSONP = append(o.Answers.JSONP, e.JSONP[path].Rule(path))
	}
	for _, path := range sortedKeys(e.Stamp) {
		o.Answers.Stamps = append(o.Answers.Stamps, e.Stamp[path].Rule(path))
	}
	b := e.Bodies
	o.Bodies = edge.Bodies{Rate: orNone(int64(b.Rate)), Grace: time.Duration(b.Grace), Stall: time.Duration(b.Stall), Dir: a.data.dir,
		Request: orNone(int64(b.Request)), Answer: orNone(int64(b.Answer)), Total: int64(b.Total)}
}

// orNone is a number for the edge's options, where zero is the default.
func orNone(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}
