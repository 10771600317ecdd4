package cors

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge/prefix"
)

// hostForm is a host name as a browser writes it in Origin.
var hostForm = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*$`)

// Check returns what is wrong with a rule.
func (r *Rule) Check() error {
	if err := prefix.Check(r.Path); err != nil {
		return err
	}
	if len(r.Origins) == 0 {
		return fmt.Errorf("%s: no origins: name those whose pages may read, such as \"https://www.example.com\"", r.Path)
	}
	for _, o := range r.Origins {
		if err := checkOrigin(o); err != nil {
			return fmt.Errorf("%s: %w", r.Path, err)
		}
		if r.Credentials && (o == "*" || o == "null") {
			return fmt.Errorf("%s: origin %q with credentials would have every page read what is the visitor's own: name the origins", r.Path, o)
		}
	}
	for _, m := range r.Methods {
		if !token(m) || m != strings.ToUpper(m) || slices.Contains([]string{"*", "CONNECT", "TRACE", "TRACK"}, m) {
			return fmt.Errorf("%s: %q is not a method that a page may use; write it like \"PUT\"", r.Path, m)
		}
	}
	for _, h := range r.Headers {
		if !token(h) {
			return fmt.Errorf("%s: %q is not a header's name", r.Path, h)
		}
		if h == "*" && r.Credentials {
			return fmt.Errorf("%s: with credentials the headers have to be named", r.Path)
		}
	}
	for _, h := range r.Expose {
		if !token(h) || h == "*" && r.Credentials {
			return fmt.Errorf("%s: %q is not a header's name that can be exposed", r.Path, h)
		}
	}
	if r.MaxAge < 0 || r.MaxAge > 24*time.Hour {
		return fmt.Errorf("%s: max age is %v; it must be between 0s and 24h", r.Path, r.MaxAge)
	}
	return nil
}

// checkOrigin looks whether a browser could write it so: a rule that can never
// match would be found out too late.
func checkOrigin(o string) error {
	if o == "*" || o == "null" {
		return nil
	}
	bad := func(why string) error {
		return fmt.Errorf("%q is not an origin as browsers write it (%s), such as \"https://www.example.com\" or \"https://*.example.com\"", o, why)
	}
	scheme, rest, ok := strings.Cut(o, "://")
	if !ok {
		return bad("no scheme")
	}
	wild := strings.HasPrefix(rest, "*.")
	u, err := url.Parse(scheme + "://" + strings.TrimPrefix(rest, "*."))
	switch {
	case err != nil:
		return bad("no address")
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(o, "?#"):
		return bad("scheme, host and port only")
	case o != strings.ToLower(o):
		return bad("in lower case")
	case u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
		return bad("without the port that the scheme has anyway")
	case strings.HasPrefix(u.Host, "[") && !wild:
		return nil
	case !hostForm.MatchString(u.Hostname()):
		return bad("host name in ASCII")
	case wild && !strings.Contains(u.Hostname(), "."):
		return bad("not all of a top-level domain")
	case strings.HasSuffix(u.Host, ":"):
		return errors.New("no port after the colon")
	}
	return nil
}

// token reports whether s is one (RFC 9110, section 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
