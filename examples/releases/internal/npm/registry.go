package npm

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Registry asks npm registries
// (https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md).
type Registry struct {
	fetch  *fetch.Client
	config *Config
	limits archive.Limits
}

// New returns a registry of npm's configuration.
func New(f *fetch.Client, c *Config, l archive.Limits) *Registry {
	return &Registry{fetch: f, config: c, limits: l}
}

// Ecosystem is watch.NPM.
func (r *Registry) Ecosystem() watch.Ecosystem { return watch.NPM }

// document is the metadata of a package; the abbreviated form has no times.
type document struct {
	Tags     map[string]string    `json:"dist-tags"`
	Versions map[string]version   `json:"versions"`
	Time     map[string]time.Time `json:"-"`
	RawTime  json.RawMessage      `json:"time"`
}

type version struct {
	Deprecated any `json:"deprecated"` // a text; false or "" in some registries
	Dist       struct {
		Tarball   string `json:"tarball"`
		Integrity string `json:"integrity"`
		Shasum    string `json:"shasum"`
	} `json:"dist"`
}

// abbreviated asks for what an installer needs; a registry that does not know
// it sends the whole document, which is read as well.
const abbreviated = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"

// nameForm is what may be asked for: a name, with a scope or without.
var nameForm = regexp.MustCompile(`^(@[A-Za-z0-9~._-]+/)?[A-Za-z0-9~._()!*'-]+$`)

func (r *Registry) document(ctx context.Context, name string) (*document, string, error) {
	base := r.config.registryFor(name)
	if !nameForm.MatchString(name) || strings.Contains(name, "..") {
		return nil, base, &watch.RegistryError{Problem: watch.Missing, Registry: fetch.Redact(base), Package: name, Reason: "not the name of a package"}
	}
	address := base + "/" + strings.Replace(name, "/", "%2f", 1)
	h := r.config.header(address)
	h.Set("Accept", abbreviated)
	a, err := r.fetch.Get(ctx, fetch.Request{URL: address, Package: name, Registry: base, Header: h, Limit: 64 << 20})
	if err != nil {
		return nil, base, err
	}
	d := new(document)
	if err := json.Unmarshal(a.Body, d); err != nil || d.Versions == nil {
		return nil, base, &watch.RegistryError{Problem: watch.Malformed, Registry: fetch.Redact(base), Package: name,
			Reason: "its answer is not the metadata of a package", Err: err}
	}
	// "time" also has an entry "unpublished" that is no time: it is read leniently.
	times := map[string]any{}
	json.Unmarshal(d.RawTime, &times) //nolint:errcheck // the abbreviated form has none
	d.Time = make(map[string]time.Time, len(times))
	for v, t := range times {
		if s, ok := t.(string); ok {
			if at, err := time.Parse(time.RFC3339, s); err == nil {
				d.Time[v] = at.UTC()
			}
		}
	}
	return d, base, nil
}

// List asks for a package's metadata.
func (r *Registry) List(ctx context.Context, name string) (*watch.Listing, error) {
	d, base, err := r.document(ctx, name)
	if err != nil {
		return nil, err
	}
	l := &watch.Listing{Registry: fetch.Redact(base)}
	if v := d.Tags["latest"]; valid(v) {
		l.Latest = v
	}
	for v, about := range d.Versions {
		if !valid(v) || len(v) > watch.MaxVersion {
			continue
		}
		rel := watch.Release{Version: v, Published: d.Time[v]}
		if why, ok := about.Deprecated.(string); ok && why != "" {
			rel.Withdrawn = watch.Clip("deprecated: "+why, watch.MaxNote)
		} else if yes, ok := about.Deprecated.(bool); ok && yes {
			rel.Withdrawn = "deprecated"
		}
		l.Releases = append(l.Releases, rel)
	}
	slices.SortFunc(l.Releases, func(a, b watch.Release) int {
		if c := compare(a.Version, b.Version); c != 0 {
			return c
		}
		return strings.Compare(a.Version, b.Version)
	})
	return l, nil
}

// Archive downloads a version's tarball and compares it with its integrity.
func (r *Registry) Archive(ctx context.Context, name, v string) (*archive.Tree, error) {
	d, base, err := r.document(ctx, name)
	if err != nil {
		return nil, err
	}
	fail := func(p watch.Problem, format string, args ...any) error {
		return &watch.RegistryError{Problem: p, Registry: fetch.Redact(base), Package: name + " " + v, Reason: fmt.Sprintf(format, args...)}
	}
	about, ok := d.Versions[v]
	if !ok {
		return nil, fail(watch.Missing, "the package has no such version")
	}
	address, err := tarball(base, about.Dist.Tarball)
	if err != nil {
		return nil, fail(watch.Malformed, "%v", err)
	}
	want, err := integrity(about.Dist.Integrity, about.Dist.Shasum)
	if err != nil {
		return nil, fail(watch.Malformed, "%v", err)
	}
	s, err := r.fetch.Download(ctx, fetch.Request{URL: address, Package: name + " " + v, Registry: base, Header: r.config.header(address)}, want)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	t, err := archive.TarGz(s, s.Size, r.limits)
	if err != nil {
		return nil, err
	}
	t.Source, t.Sum, t.Verified = fetch.Redact(address), s.Sum, want.Name
	t.Name = t.Source[strings.LastIndexByte(t.Source, '/')+1:]
	return t, nil
}

// tarball checks where an archive is said to be. A mirror may hand on
// addresses of registry.npmjs.org: npm asks the mirror instead
// (replace-registry-host=npmjs, its default), and so do we. Any other host
// must be asked over TLS, so that metadata cannot send us around a network.
func tarball(base, address string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("the archive's address is not one")
	}
	if u.Host == "registry.npmjs.org" && b.Host != u.Host {
		u.Scheme, u.Host = b.Scheme, b.Host
		u.Path, u.RawPath = strings.TrimRight(b.Path, "/")+u.Path, ""
	}
	u.User = nil
	if u.Host == b.Host {
		u.User = b.User
	}
	if u.Scheme != "https" && (u.Host != b.Host || u.Scheme != b.Scheme) {
		return "", fmt.Errorf("the archive is at %s, neither at the registry nor under https", fetch.Redact(address))
	}
	return u.String(), nil
}

// integrity takes the strongest digest given (W3C Subresource Integrity).
func integrity(sri, shasum string) (*fetch.Digest, error) {
	algorithms := []struct {
		name string
		new  func() hash.Hash
	}{{"sha512", sha512.New}, {"sha384", sha512.New384}, {"sha256", sha256.New}, {"sha1", sha1.New}}
	for _, a := range algorithms {
		for _, part := range strings.Fields(sri) {
			text, ok := strings.CutPrefix(part, a.name+"-")
			if !ok {
				continue
			}
			text, _, _ = strings.Cut(text, "?")
			if sum, err := base64.StdEncoding.DecodeString(text); err == nil && len(sum) == a.new().Size() {
				return &fetch.Digest{Name: a.name, New: a.new, Sum: sum}, nil
			}
		}
	}
	if sum, err := hex.DecodeString(shasum); err == nil && len(sum) == sha1.Size {
		return &fetch.Digest{Name: "sha1", New: sha1.New, Sum: sum}, nil
	}
	return nil, fmt.Errorf("the registry gives no digest for the archive")
}
