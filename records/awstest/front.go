package awstest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// Fault is what Front does with a request.
type Fault int

// What Front may do.
const (
	Pass        Fault = iota
	LoseAnswer        // the service does it; the connection breaks before the answer
	Refuse            // the service does nothing and asks to slow down
	DoAndRefuse       // the service does it, and asks to slow down
	Late              // the service does it; the answer waits until the client is gone
	Fail              // the service does it, and says that it had an internal error
)

// Front stands before a service and counts the requests.
type Front struct {
	URL string

	mu       sync.Mutex
	requests []string
	fault    func(*http.Request) Fault
	refusal  func(http.ResponseWriter)
}

// NewFront stands before the service at an http address. refusal writes the
// service's own "slow down".
func NewFront(t testing.TB, service string, refusal func(http.ResponseWriter)) *Front {
	t.Helper()
	to, err := url.Parse(service)
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{refusal: refusal}
	pass := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host = to.Scheme, to.Host
		p.Out.URL.RawQuery = p.In.URL.RawQuery
		p.Out.Host = p.In.Host // as it was signed
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(pass, w, r) }))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	f.URL = s.URL
	return f
}

func (f *Front) serve(pass http.Handler, w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, describe(r))
	fault := Pass
	if f.fault != nil {
		fault = f.fault(r)
	}
	f.mu.Unlock()
	switch fault {
	case Pass:
		pass.ServeHTTP(w, r)
		return
	case Refuse:
		_, _ = io.Copy(io.Discard, r.Body)
		f.refusal(w)
		return
	}
	unheard := httptest.NewRecorder()
	pass.ServeHTTP(unheard, r)
	switch fault {
	case Late:
		<-r.Context().Done()
	case DoAndRefuse:
		f.refusal(w)
		return
	case Fail:
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	panic(http.ErrAbortHandler)
}

// describe is a request's method and what it is about.
func describe(r *http.Request) string {
	if action := r.Header.Get("X-Amz-Target"); action != "" {
		return action
	}
	switch {
	case r.URL.Query().Has("list-type"):
		return "LIST " + r.URL.Query().Get("prefix")
	default:
		return r.Method + " " + r.URL.Path
	}
}

// Do has the front do that with requests from now on; it is called with one at a
// time. nil passes all on.
func (f *Front) Do(fault func(*http.Request) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Once does that with the next request that is chosen, and passes on all others.
func (f *Front) Once(fault Fault, chosen func(*http.Request) bool) {
	done := false
	f.Do(func(r *http.Request) Fault {
		if done || !chosen(r) {
			return Pass
		}
		done = true
		return fault
	})
}

// Requests returns what was asked since it was called before.
func (f *Front) Requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.requests
	f.requests = nil
	return all
}
