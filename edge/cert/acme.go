package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"go.uber.org/zap"

	"github.com/dayfly-dev/dayfly/records"
)

// LetsEncrypt is the directory of the authority that is used by default.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// ACME says from whom certificates are obtained, and for what.
type ACME struct {
	// Hosts need a certificate each; the first is the site's. At least one.
	Hosts []string
	// Email is where the authority writes, which may be "".
	Email string
	// Directory is the authority's. Default LetsEncrypt.
	Directory string
	// Roots are whom to trust as that authority's server. Default the system's.
	Roots *x509.CertPool
	// HTTP and HTTPS are the listeners to which the ports 80 and 443 of the hosts
	// lead; a challenge comes to one of them. Either may be nil.
	HTTP, HTTPS net.Addr
	// Records keep certificates, keys, the account and challenges, so that all
	// machines on these records share them. Required.
	Records *records.Store
	// Check is the time between looks at what is to be renewed, which is done when
	// a third of a certificate's life is left. Default 10 min.
	Check time.Duration
	Log   *slog.Logger // default discards
}

// Authority obtains certificates by ACME (RFC 8555): by HTTP-01 and TLS-ALPN-01.
type Authority struct {
	hosts  []string
	cache  *certmagic.Cache
	config *certmagic.Config
	issuer *certmagic.ACMEIssuer
	store  *storage
	stop   context.CancelFunc
}

// OpenACME has certificates obtained and renewed from now on. It returns at
// once: what is in the records is served, what is not is obtained beside, again
// and again with growing pauses of up to a day until it succeeds. Errors are in
// the log. The subscriber agreement of the authority counts as accepted.
func OpenACME(o ACME) (*Authority, error) {
	if len(o.Hosts) == 0 || o.Records == nil {
		return nil, errors.New("cert: ACME needs hosts and records")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	log := zap.New(&zapCore{log: o.Log.With("part", "certificates")})
	ctx, stop := context.WithCancel(context.Background())
	a := &Authority{hosts: o.Hosts, store: newStorage(ctx, o.Records), stop: stop}
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil },
		RenewCheckInterval: o.Check, Logger: log,
	})
	a.config = certmagic.New(a.cache, certmagic.Config{Storage: a.store, Logger: log, DefaultServerName: o.Hosts[0], OnEvent: told(o.Log)})
	template := certmagic.ACMEIssuer{CA: o.Directory, Email: o.Email, Agreed: true, TrustedRoots: o.Roots, Logger: log}
	if template.CA == "" {
		template.CA = LetsEncrypt
	}
	if o.HTTP != nil {
		template.ListenHost, template.AltHTTPPort = split(o.HTTP)
	}
	template.DisableHTTPChallenge = o.HTTP == nil
	if o.HTTPS != nil {
		template.ListenHost, template.AltTLSALPNPort = split(o.HTTPS)
	}
	template.DisableTLSALPNChallenge = o.HTTPS == nil
	a.issuer = certmagic.NewACMEIssuer(a.config, template)
	a.config.Issuers = []certmagic.Issuer{a.issuer}
	if err := a.config.ManageAsync(ctx, o.Hosts); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// split is where certmagic would listen itself if nothing did.
func split(a net.Addr) (host string, port int) {
	host, text, err := net.SplitHostPort(a.String())
	if err != nil {
		return "", 0
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	port, _ = strconv.Atoi(text) // an address that is listened at has one
	return host, port
}

// told puts into the log what people want to know of.
func told(log *slog.Logger) func(context.Context, string, map[string]any) error {
	return func(_ context.Context, event string, data map[string]any) error {
		switch event {
		case "cert_obtained":
			log.Info("a certificate was obtained", "host", data["identifier"], "renewal", data["renewal"])
		case "cert_failed":
			log.Error("no certificate could be obtained; it is tried again, and what there is stays in use. Does the name lead to this machine, and do its ports 80 and 443?",
				"host", data["identifier"], "renewal", data["renewal"], "error", fmt.Sprint(data["error"]))
		}
		return nil
	}
}

// Config implements Source.
func (a *Authority) Config() *tls.Config {
	c := config(a.config.GetCertificate)
	c.NextProtos = append(c.NextProtos, acmez.ACMETLS1Protocol)
	return c
}

// Ready implements Source.
func (a *Authority) Ready() bool {
	return slices.ContainsFunc(a.cache.AllMatchingCertificates(a.hosts[0]), func(c certmagic.Certificate) bool { return !c.Expired() })
}

// Challenge answers an authority's question by HTTP, that of a challenge which
// another machine began too, and reports whether it was one.
func (a *Authority) Challenge(w http.ResponseWriter, r *http.Request) bool {
	return a.issuer.HandleHTTPChallenge(w, r)
}

// Close implements Source.
func (a *Authority) Close() error {
	a.stop()
	a.cache.Stop()
	a.store.close()
	return nil
}
