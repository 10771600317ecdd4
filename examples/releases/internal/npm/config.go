package npm

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
)

const defaultRegistry = "https://registry.npmjs.org"

// Config is what npm's own configuration says of registries. Its secrets are
// sent to the registry they are for and never printed.
type Config struct {
	Registry string            // without slash at its end
	Scopes   map[string]string // "@scope" → registry
	auth     map[string]string // "//host/path/" → value of Authorization
}

// Settings reads npm's configuration in npm's order: environment
// (npm_config_registry, in any case), the project's .npmrc in dir, the user's
// .npmrc, the machine's /etc/npmrc.
func Settings(environ []string, dir string) (*Config, error) {
	env := map[string]string{}
	lower := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
		if l := strings.ToLower(k); strings.HasPrefix(l, "npm_config_") && v != "" {
			lower[strings.TrimPrefix(l, "npm_config_")] = v
		}
	}
	user := lower["userconfig"]
	if user == "" && env["HOME"] != "" {
		user = filepath.Join(env["HOME"], ".npmrc")
	}
	merged := map[string]string{}
	for _, path := range []string{"/etc/npmrc", user, filepath.Join(dir, ".npmrc")} {
		data, err := os.ReadFile(path)
		if err != nil || len(data) > 1<<20 {
			continue
		}
		for k, v := range parseRC(string(data), env) {
			merged[k] = v
		}
	}
	if v := lower["registry"]; v != "" {
		merged["registry"] = v
	}
	return newConfig(merged)
}

var variable = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)\??\}`)

// parseRC reads the lines key=value of an .npmrc, with ${NAME} from the environment.
func parseRC(text string, env map[string]string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' || line[0] == '[' {
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		v = strings.Trim(strings.TrimSpace(v), `"'`)
		values[strings.TrimSpace(k)] = variable.ReplaceAllStringFunc(v, func(s string) string {
			return env[variable.FindStringSubmatch(s)[1]]
		})
	}
	return values
}

func newConfig(values map[string]string) (*Config, error) {
	c := &Config{Registry: defaultRegistry, Scopes: map[string]string{}, auth: map[string]string{}}
	for k, v := range values {
		switch {
		case k == "registry":
			u, err := address(v)
			if err != nil {
				return nil, fmt.Errorf("npm's registry: %w", err)
			}
			c.Registry = u
		case strings.HasPrefix(k, "@") && strings.HasSuffix(k, ":registry"):
			u, err := address(v)
			if err != nil {
				return nil, fmt.Errorf("npm's %s: %w", k, err)
			}
			c.Scopes[strings.TrimSuffix(k, ":registry")] = u
		case strings.HasPrefix(k, "//"):
			c.secret(values, k, v)
		}
	}
	return c, nil
}

func (c *Config) secret(values map[string]string, k, v string) {
	if prefix, ok := strings.CutSuffix(k, ":_authToken"); ok && v != "" {
		c.auth[prefix] = "Bearer " + v
	} else if prefix, ok := strings.CutSuffix(k, ":_auth"); ok && v != "" {
		c.auth[prefix] = "Basic " + v
	} else if prefix, ok := strings.CutSuffix(k, ":_password"); ok {
		password, err := base64.StdEncoding.DecodeString(v)
		if name := values[prefix+":username"]; err == nil && name != "" {
			c.auth[prefix] = "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+string(password)))
		}
	}
}

func address(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", fmt.Errorf("%s is not an http or https address", fetch.Redact(s))
	}
	return strings.TrimRight(s, "/"), nil
}

// registryFor chooses by the scope of a package's name.
func (c *Config) registryFor(name string) string {
	if scope, _, ok := strings.Cut(name, "/"); ok {
		if r := c.Scopes[scope]; r != "" {
			return r
		}
	}
	return c.Registry
}

// header returns what an address may be told: a secret only under the prefix
// it is configured for, the longest one.
func (c *Config) header(address string) http.Header {
	h := http.Header{}
	u, err := url.Parse(address)
	if err != nil {
		return h
	}
	place, best := "//"+u.Host+u.EscapedPath(), ""
	for prefix, value := range c.auth {
		if strings.HasPrefix(place, strings.TrimRight(prefix, "/")+"/") && len(prefix) > len(best) {
			best = prefix
			h.Set("Authorization", value)
		}
	}
	return h
}
