package edge

import (
	"context"
	"net/http"
)

// A layer stands between the edge and the application: it may answer itself,
// or have the application answer and change that on the way. Layers that are
// not configured are not there, so that they cost nothing.
type layer func(application http.Handler) (http.Handler, error)

// put puts a layer, which can be configured wrongly, around those that are there.
func (s *setup) put(e *Edge, l layer) error {
	inner := s.layers
	if inner == nil {
		inner = http.HandlerFunc(e.ask)
	}
	h, err := l(inner)
	if err == nil {
		s.layers = h
	}
	return err
}

// answer has the application answer, through the layers.
func (e *Edge) answer(x *exchange) {
	x.fly()
	if x.setup.layers == nil || x.preview { // what is not public is kept nowhere
		e.pass(x)
		return
	}
	x.setup.layers.ServeHTTP(x, x.r.WithContext(context.WithValue(x.r.Context(), exchangeKey{}, x)))
}

// pass has a target answer, in its protocol.
func (e *Edge) pass(x *exchange) {
	if x.setup.Protocol == H2C {
		e.proxyH2C(x)
		return
	}
	e.proxy(x)
}

type exchangeKey struct{}

// ask is the innermost handler: it has the application answer to w. A request
// whose context is not a client's is a layer's own, such as one that renews
// what is cached: it has an exchange of its own, which is neither counted nor
// logged.
func (e *Edge) ask(w http.ResponseWriter, r *http.Request) {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	if x == nil {
		x = newExchange(e, w, r)
		x.own = true
		defer x.finish()
	}
	x.out, x.r = w, r
	e.pass(x)
}
