package edge

import (
	"errors"
	"io"
	"net/http"
)

// refuse answers a request that no target could be found for.
func (x *exchange) refuse(err error) {
	if isCanceled(x.r.Context()) {
		x.failure = "client went away"
		return
	}
	p := pageBusy
	if errors.Is(err, errLineFull) || errors.Is(err, errLineOver) {
		p = pageCrowded
	}
	x.fail(err.Error(), http.StatusServiceUnavailable, p)
}

// explain answers a request whose delivery failed.
func (x *exchange) explain(f *failure) {
	reason := f.err.Error()
	switch f.kind {
	case clientGone:
		x.failure = "client went away"
	case notSent:
		x.fail(reason, http.StatusBadGateway, pageUndelivered)
	case tooLate:
		p := pageSlow
		if x.safe() {
			p = pageRepeatable
		}
		x.fail("no answer in time", http.StatusGatewayTimeout, p)
	case tooLarge:
		x.fail(reason, http.StatusRequestEntityTooLarge, pageTooLarge)
	case incomplete:
		if isTooSlow(f.err) {
			x.fail(reason, http.StatusRequestTimeout, pageTooSlow)
			return
		}
		x.fail(reason, http.StatusBadRequest, pageBroken)
	case garbled:
		x.fail(reason, http.StatusBadGateway, pageGarbled)
	default:
		p := pageUnsure
		if x.safe() {
			p = pageRepeatable
		}
		if errors.Is(f.err, io.EOF) {
			reason = "connection closed without an answer"
		}
		x.fail(reason, http.StatusBadGateway, p)
	}
}

// safe reports whether the request changes nothing (RFC 9110, section 9.2.1).
func (x *exchange) safe() bool {
	return x.r.Method == http.MethodGet || x.r.Method == http.MethodHead || x.r.Method == http.MethodOptions
}

// fail answers with a page and notes why.
func (x *exchange) fail(reason string, status int, p pageText) {
	x.failure = reason
	if x.status != 0 {
		return
	}
	x.page(status, p)
}
