package gomod

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// defaultProxy is the go command's own default.
const defaultProxy = "https://proxy.golang.org,direct"

// Options of a Registry.
type Options struct {
	Fetch   *fetch.Client
	Proxy   string // the form of GOPROXY; default: that of the go command
	Private string // the form of GOPRIVATE: modules that are never asked for
	Limits  archive.Limits
}

// Settings reads GOPROXY, GONOPROXY and GOPRIVATE as the go command does: from
// the environment, else from the file that `go env -w` writes.
func Settings(env func(string) string) (proxy, private string) {
	file := goEnvFile(env)
	value := func(key string) string {
		if v := env(key); v != "" {
			return v
		}
		return file[key]
	}
	private = value("GONOPROXY")
	if private == "" {
		private = value("GOPRIVATE")
	}
	return value("GOPROXY"), private
}

func goEnvFile(env func(string) string) map[string]string {
	path := env("GOENV")
	if path == "off" {
		return nil
	}
	if path == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return nil
		}
		path = filepath.Join(dir, "go", "env")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
			values[k] = v
		}
	}
	return values
}

// Registry asks module proxies (https://go.dev/ref/mod#goproxy-protocol).
type Registry struct {
	o       Options
	proxies []proxy
}

// proxy is one of a GOPROXY list.
type proxy struct {
	address string // without slash at its end; or "direct" or "off"
	always  bool   // followed by "|": the next one is asked after any error
}

// New reads the list of proxies. An empty one is an error.
func New(o Options) (*Registry, error) {
	if o.Proxy == "" {
		o.Proxy = defaultProxy
	}
	r := &Registry{o: o}
	for rest := o.Proxy; rest != ""; {
		p, after := rest, ""
		always := false
		if i := strings.IndexAny(rest, ",|"); i >= 0 {
			p, after, always = rest[:i], rest[i+1:], rest[i] == '|'
		}
		rest = after
		p = strings.TrimRight(strings.TrimSpace(p), "/")
		if p == "" {
			continue
		}
		if p != "direct" && p != "off" && !strings.HasPrefix(p, "https://") && !strings.HasPrefix(p, "http://") {
			if strings.Contains(p, "://") {
				return nil, fmt.Errorf("GOPROXY: %s: only http and https proxies are supported", fetch.Redact(p))
			}
			p = "https://" + p
		}
		r.proxies = append(r.proxies, proxy{p, always})
	}
	if len(r.proxies) == 0 {
		return nil, errors.New("GOPROXY names no proxy")
	}
	return r, nil
}

// each asks the proxies in turn, as the go command does: the next one after
// "not found", or after any error where the list says "|".
func (r *Registry) each(ctx context.Context, name string, ask func(base string) error) error {
	if module.MatchPrefixPatterns(r.o.Private, name) {
		return &watch.RegistryError{Problem: watch.Unsupported, Registry: "GOPRIVATE", Package: name,
			Reason: "is matched by GOPRIVATE or GONOPROXY, so no proxy is asked for it; fetching from its repository is not supported"}
	}
	var last error
	for _, p := range r.proxies {
		switch p.address {
		case "off":
			return firstOf(last, &watch.RegistryError{Problem: watch.Unsupported, Registry: "GOPROXY", Package: name,
				Reason: "is off: no proxy may be asked"})
		case "direct":
			return firstOf(last, &watch.RegistryError{Problem: watch.Unsupported, Registry: "GOPROXY", Package: name,
				Reason: "names only “direct”: fetching from repositories is not supported, name a proxy"})
		}
		err := ask(p.address)
		if err == nil || ctx.Err() != nil {
			return err
		}
		last = err
		if watch.ProblemOf(err) != watch.Missing && !p.always {
			return err
		}
	}
	return last
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// Archive downloads a module's zip.
func (r *Registry) Archive(ctx context.Context, name, version string) (*archive.Tree, error) {
	path, err := module.EscapePath(name)
	if err != nil {
		return nil, &watch.RegistryError{Problem: watch.Missing, Registry: "GOPROXY", Package: name, Reason: "not the path of a module"}
	}
	v, err := module.EscapeVersion(version)
	if err != nil {
		return nil, &watch.RegistryError{Problem: watch.Missing, Registry: "GOPROXY", Package: name, Reason: "not a version"}
	}
	var t *archive.Tree
	err = r.each(ctx, name, func(base string) error {
		address := base + "/" + path + "/@v/" + v + ".zip"
		s, err := r.o.Fetch.Download(ctx, fetch.Request{URL: address, Package: name + " " + version, Registry: base}, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		if t, err = archive.Zip(s, s.Size, name+"@"+version+"/", false, r.o.Limits); err != nil {
			return err
		}
		t.Source, t.Sum, t.Name = fetch.Redact(address), s.Sum, v+".zip"
		return nil
	})
	return t, err
}

// Ecosystem is watch.Go.
func (r *Registry) Ecosystem() watch.Ecosystem { return watch.Go }
