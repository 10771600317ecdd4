package npm

import (
	"encoding/json"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// installScripts are what npm runs on the machine of who installs a package
// (https://docs.npmjs.com/cli/using-npm/scripts).
var installScripts = []string{"preinstall", "install", "postinstall"}

// Facts reads package.json.
func (r *Registry) Facts(t *archive.Tree) watch.Facts {
	var f watch.Facts
	var p struct {
		License              json.RawMessage   `json:"license"`
		Licenses             json.RawMessage   `json:"licenses"`
		Scripts              map[string]any    `json:"scripts"`
		Dependencies         map[string]string `json:"dependencies"`
		OptionalDependencies map[string]string `json:"optionalDependencies"`
		PeerDependencies     map[string]string `json:"peerDependencies"`
	}
	data := t.Text("package.json")
	if data == nil {
		f.Notes = append(f.Notes, "it has no package.json")
		return f
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(data), "\ufeff")), &p); err != nil {
		f.Notes = append(f.Notes, "its package.json cannot be read")
		return f
	}
	f.Licence = licence(p.License)
	if f.Licence == "" {
		f.Licence = licence(p.Licenses)
	}
	f.Dependencies = map[string]string{}
	for name, rng := range p.PeerDependencies {
		f.Dependencies[name] = rng + " (peer)"
	}
	for name, rng := range p.OptionalDependencies {
		f.Dependencies[name] = rng + " (optional)"
	}
	for name, rng := range p.Dependencies {
		if _, optional := p.OptionalDependencies[name]; !optional {
			f.Dependencies[name] = rng
		}
	}
	f.Scripts = map[string]string{}
	for _, s := range installScripts {
		if command, ok := p.Scripts[s].(string); ok && command != "" {
			f.Scripts[s] = command
		}
	}
	_, pre := f.Scripts["preinstall"]
	_, own := f.Scripts["install"]
	if t.Files["binding.gyp"] != nil && !pre && !own {
		f.Scripts["install"] = "node-gyp rebuild (npm runs it, since there is a binding.gyp)"
	}
	return f
}

// licence understands the forms there have been: a text, {type}, and a list of those.
func licence(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return watch.Clip(s, 200)
	}
	var one struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(raw, &one) == nil {
		return watch.Clip(one.Type, 200)
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) > 20 {
		return ""
	}
	var names []string
	for _, l := range list {
		if n := licence(l); n != "" {
			names = append(names, n)
		}
	}
	return strings.Join(names, " OR ")
}
