package sigv4

// Kind of failure.
type Kind int

// What can be wrong with a signature.
const (
	Missing    Kind = iota + 1 // not signed
	Incomplete                 // malformed
	UnknownKey                 // no such access key
	Mismatch                   // the signature is not that of this request and secret
	Skewed                     // signed too long ago, or in the future
	Expired                    // presigned, and past its time
)

// Error is why a request was not accepted. Its text is made for the client:
// nothing in it is secret.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return "sigv4: " + e.Message }

// Code of the error in the query protocol, such as SignatureDoesNotMatch.
func (e *Error) Code() string { return codes[e.Kind].query }

// Type of the error in the JSON protocols, such as InvalidSignatureException.
func (e *Error) Type() string { return codes[e.Kind].json }

// Status is the HTTP status AWS sends with it.
func (e *Error) Status() int { return codes[e.Kind].status }

var codes = map[Kind]struct {
	query, json string
	status      int
}{
	Missing:    {"MissingAuthenticationToken", "MissingAuthenticationTokenException", 403},
	Incomplete: {"IncompleteSignature", "IncompleteSignatureException", 400},
	UnknownKey: {"InvalidClientTokenId", "UnrecognizedClientException", 403},
	Mismatch:   {"SignatureDoesNotMatch", "InvalidSignatureException", 403},
	Skewed:     {"SignatureDoesNotMatch", "InvalidSignatureException", 403},
	Expired:    {"RequestExpired", "RequestExpired", 400},
}

func missing() *Error { return &Error{Missing, "Request is missing Authentication Token"} }

func incomplete(message string) *Error { return &Error{Incomplete, message} }

func mismatch(message string) *Error { return &Error{Mismatch, message} }
