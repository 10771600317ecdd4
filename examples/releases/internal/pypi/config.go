package pypi

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
)

const defaultIndex = "https://pypi.org/simple"

// Settings returns the indexes that pip would ask, the main one first:
// PIP_INDEX_URL and PIP_EXTRA_INDEX_URL, else pip.conf of the environment
// (VIRTUAL_ENV), of the user, of the machine; PIP_CONFIG_FILE names another.
func Settings(env func(string) string) ([]string, error) {
	merged := map[string]string{}
	for _, path := range configFiles(env) {
		data, err := os.ReadFile(path)
		if err != nil || len(data) > 1<<20 {
			continue
		}
		for k, v := range parseConf(string(data)) {
			merged[k] = v
		}
	}
	for k, name := range map[string]string{"index-url": "PIP_INDEX_URL", "extra-index-url": "PIP_EXTRA_INDEX_URL"} {
		if v := env(name); v != "" {
			merged[k] = v
		}
	}
	if merged["index-url"] == "" {
		merged["index-url"] = defaultIndex
	}
	var indexes []string
	for _, s := range append(strings.Fields(merged["index-url"]), strings.Fields(merged["extra-index-url"])...) {
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, fmt.Errorf("pip's index %s is not an http or https address", fetch.Redact(s))
		}
		indexes = append(indexes, strings.TrimRight(s, "/"))
	}
	return indexes, nil
}

// configFiles in the order in which later ones win.
func configFiles(env func(string) string) []string {
	if one := env("PIP_CONFIG_FILE"); one == os.DevNull {
		return nil
	} else if one != "" {
		return []string{one}
	}
	files := []string{"/etc/pip.conf", "/etc/xdg/pip/pip.conf"}
	if home := env("HOME"); home != "" {
		config := env("XDG_CONFIG_HOME")
		if config == "" {
			config = filepath.Join(home, ".config")
		}
		files = append(files, filepath.Join(home, ".pip", "pip.conf"), filepath.Join(config, "pip", "pip.conf"))
	}
	if venv := env("VIRTUAL_ENV"); venv != "" {
		files = append(files, filepath.Join(venv, "pip.conf"))
	}
	return files
}

// parseConf reads what [global] and [install] say, in that order; a line that
// is indented continues the value before it.
func parseConf(text string) map[string]string {
	values := map[string]map[string]string{"global": {}, "install": {}}
	section, key := "", ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
			continue
		case trimmed[0] == '[':
			section, key = strings.Trim(trimmed, "[]"), ""
			continue
		}
		into := values[section]
		if into == nil {
			continue
		}
		if (line[0] == ' ' || line[0] == '\t') && key != "" {
			into[key] += " " + trimmed
			continue
		}
		i := strings.IndexAny(trimmed, "=:")
		if i < 0 {
			continue
		}
		key = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(trimmed[:i])), "_", "-")
		into[key] = strings.TrimSpace(trimmed[i+1:])
	}
	for k, v := range values["install"] {
		values["global"][k] = v
	}
	return values["global"]
}
