// Package cert is where the certificates of a site come from: OpenACME obtains
// and renews them from an authority such as Let's Encrypt, OpenFiles reads those
// of a team from files and reads them again when they change, and OpenLocal makes
// them for a developer's machine, from a root of its own.
//
// Each is a Source for the tls.Config of a listener: TLS 1.2 and 1.3 with Go's
// defaults, ALPN for HTTP/2 and HTTP/1.1. Tickets by which a client resumes a
// session are good with the process that gave them; OpenTickets has others take
// them, too.
package cert

import "crypto/tls"

// A Source gives a listener its certificates. All methods may be called at once.
type Source interface {
	// Config is for a listener; each call returns another, which the caller owns.
	Config() *tls.Config
	// Ready reports whether there is a certificate for the site's host.
	Ready() bool
	// Close ends what the Source does by itself. Certificates that it has go on to
	// be served.
	Close() error
}

// config is what all sources have in common.
func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: get}
}
