package edge

import (
	"net/http"

	"github.com/dayfly-dev/dayfly/edge/compress"
	"github.com/dayfly-dev/dayfly/edge/cors"
	"github.com/dayfly-dev/dayfly/edge/jsonp"
	"github.com/dayfly-dev/dayfly/edge/stamp"
	"github.com/dayfly-dev/dayfly/edge/traffic"
)

// Answers says what becomes of the application's answers on their way out. The
// zero value leaves them as they are.
type Answers struct {
	// Compress compresses them. Default nil: it does not.
	Compress *compress.Options
	// CORS lets pages of other sites read them, by path; static files too.
	// Default: what the application itself says.
	CORS []cors.Rule
	// JSONP has pages of other sites load them as scripts, by path.
	// Default: none.
	JSONP []jsonp.Rule
	// Stamps has caches keep them for a year where the address carries a stamp,
	// such as ?t=1732233600, by path. Default: none.
	Stamps []stamp.Rule
}

// putStamps puts the innermost layer around the application: a response cache
// that is put around it heeds the stamps.
func (s *setup) putStamps(e *Edge) error {
	if len(s.Answers.Stamps) == 0 {
		return nil
	}
	return s.put(e, func(h http.Handler) (http.Handler, error) { return stamp.New(h, s.Answers.Stamps) })
}

// putAnswers puts the outer layers, which make several answers of one: a
// response cache has its place before.
func (s *setup) putAnswers(e *Edge) error {
	a := &s.Answers
	if len(a.JSONP) > 0 {
		if err := s.put(e, func(h http.Handler) (http.Handler, error) { return jsonp.New(h, a.JSONP) }); err != nil {
			return err
		}
	}
	if len(a.CORS) > 0 {
		policy, err := cors.New(a.CORS)
		if err == nil {
			s.cors = policy
			err = s.put(e, func(h http.Handler) (http.Handler, error) { return policy.Handler(h), nil })
		}
		if err != nil {
			return err
		}
	}
	if a.Compress != nil {
		return s.put(e, func(h http.Handler) (http.Handler, error) { return compress.New(h, *a.Compress) })
	}
	return nil
}

// serveStatic answers a request below Static.Prefix.
func (e *Edge) serveStatic(x *exchange) {
	x.kind = traffic.Static
	if !x.setup.cors.Preflight(x, x.r) {
		x.setup.static.serve(x)
	}
}
