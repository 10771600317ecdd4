package accept

import "net/http"

// A Coder is an http.ResponseWriter that codes the bodies written to it, for who
// has a body whole and wants to keep what becomes of it.
type Coder interface {
	http.ResponseWriter
	// Coding is asked when the header of an answer is set, its Content-Length too,
	// and not yet written. It returns what the body would be coded in, or Identity
	// if it would not; then the answer is written as ever.
	Coding(status int) Encoding
	// Encode codes a body, better and slower than as it goes by. It may be called
	// at any time, also when the request has ended. It returns nil if the result
	// is not smaller.
	Encode(e Encoding, body []byte) []byte
	// WriteCoded writes the answer, in place of WriteHeader and Write: with what
	// Encode returned, or with Identity and the body as it is if that was nil.
	WriteCoded(status int, e Encoding, body []byte)
}
