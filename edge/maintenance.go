package edge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Maintenance is a time in which the application gets no requests but those of
// the team: everybody else has a page and status 503. Files, clicks and the
// application's health path are served as ever.
type Maintenance struct {
	// Message is shown in place of the edge's own text.
	Message string
	// RetryAfter is when clients are asked to come again. Default 1 min.
	RetryAfter time.Duration
	// Allow are the networks that see the site.
	Allow []netip.Prefix
	// Key signs the addresses of Pass and the cookies they are exchanged for.
	// Without one nobody gets in that way. At least 16 random bytes.
	Key []byte
}

const (
	// PassPath is where a pass is exchanged for a cookie.
	PassPath   = "/_dayfly/maintenance"
	passCookie = "dayfly-team"
	passTime   = 24 * time.Hour // that a cookie is good for
)

// Pass is an address of the site, without scheme and host, that lets who opens
// it before until see the site for a day.
func (m *Maintenance) Pass(until time.Time) string {
	return PassPath + "?" + url.Values{"pass": {m.sign("pass", until)}}.Encode()
}

// SetMaintenance begins maintenance, changes it, or with nil ends it, for the
// requests that come from now on.
func (e *Edge) SetMaintenance(m *Maintenance) {
	if m != nil {
		own := *m
		if own.RetryAfter <= 0 {
			own.RetryAfter = time.Minute
		}
		m = &own
	}
	e.maintenance.Store(m)
}

// maintain answers a request in a time of maintenance, and one for PassPath
// always. It reports whether it did.
func (e *Edge) maintain(x *exchange) bool {
	m := e.maintenance.Load()
	if x.r.URL.Path == PassPath {
		x.enter(m)
		return true
	}
	if m == nil || x.setup.HealthPath != "/" && x.r.URL.Path == x.setup.HealthPath || m.admits(x) {
		return false
	}
	p := pageMaintenance
	if m.Message != "" {
		p.text = m.Message
	}
	x.retryAfter = seconds(m.RetryAfter)
	x.fail("maintenance", http.StatusServiceUnavailable, p)
	return true
}

// enter exchanges a pass for a cookie. It leads home, and nowhere else.
func (x *exchange) enter(m *Maintenance) {
	if m != nil {
		if !m.valid("pass", x.r.URL.Query().Get("pass")) {
			x.page(http.StatusForbidden, pageText{"Not valid any more", "This address let people see the site during maintenance. Ask for a new one."})
			return
		}
		c := http.Cookie{Name: passCookie, Value: m.sign("cookie", time.Now().Add(passTime)), Path: "/", MaxAge: int(passTime / time.Second),
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: x.origin.proto == "https"}
		http.SetCookie(x.out, &c)
	}
	h := x.out.Header()
	x.origin.tell(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", "/")
	h.Set("Content-Length", "0")
	x.out.WriteHeader(http.StatusSeeOther)
}

func (m *Maintenance) admits(x *exchange) bool {
	if a, err := netip.ParseAddr(x.origin.client); err == nil {
		a = a.Unmap().WithZone("")
		for _, network := range m.Allow {
			if network.Contains(a) {
				return true
			}
		}
	}
	c, err := x.r.Cookie(passCookie)
	return err == nil && m.valid("cookie", c.Value)
}

// sign makes a value that is good until a time, in seconds since 1970, a dot,
// and HMAC-SHA256 over what it is for and that time.
func (m *Maintenance) sign(what string, until time.Time) string {
	at := strconv.FormatInt(until.Unix(), 10)
	mac := hmac.New(sha256.New, m.Key)
	mac.Write([]byte(what + " " + at))
	return at + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (m *Maintenance) valid(what, value string) bool {
	at, _, ok := strings.Cut(value, ".")
	until, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || len(m.Key) < 16 || time.Now().Unix() >= until {
		return false
	}
	return hmac.Equal([]byte(value), []byte(m.sign(what, time.Unix(until, 0))))
}
