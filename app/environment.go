package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Variables is the environment the application's processes are told about the
// services, in a stable order.
type Variables []Variable

// Variable is one of them.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// set adds a variable or replaces it.
func (v *Variables) set(name, value string) {
	for i := range *v {
		if (*v)[i].Name == name {
			(*v)[i].Value = value
			return
		}
	}
	*v = append(*v, Variable{name, value})
}

// get returns a variable's value or "".
func (v Variables) get(name string) string {
	for _, x := range v {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// Shell is the variables as a POSIX shell reads them.
func (v Variables) Shell() string {
	var b strings.Builder
	for _, x := range v {
		fmt.Fprintf(&b, "export %s='%s'\n", x.Name, strings.ReplaceAll(x.Value, "'", `'\''`))
	}
	return b.String()
}

// shellWord is a text as one word of a POSIX shell.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("/._-", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// envName is how a manifest's name is written in a variable: big-cache → BIG_CACHE.
func envName(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// instanceEnv is the whole environment of one instance: dayfly's own without
// what would lead to other services, the manifest's [env] and [process.env]
// unless dayfly's own has the name, and the variables of the services.
func (a *App) instanceEnv(own map[string]string, instance string, port int) []string {
	env := make(map[string]string, len(a.environ)+len(a.variables)+8)
	for k, v := range a.manifest.Env {
		env[k] = v
	}
	for k, v := range own {
		env[k] = v
	}
	for k, v := range a.environ {
		if !a.external.AWS && strings.HasPrefix(k, "AWS_") {
			continue // a profile or endpoint of the shell must not win over the embedded services
		}
		env[k] = v
	}
	for _, x := range a.variables {
		env[x.Name] = x.Value
	}
	env["DAYFLY_PROCESS"] = instance
	delete(env, "PORT")
	if port != 0 {
		env["PORT"] = strconv.Itoa(port)
	}
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

// environ makes a map of a list as os.Environ returns it.
func environMap(list []string) map[string]string {
	m := make(map[string]string, len(list))
	for _, kv := range list {
		if k, v, ok := strings.Cut(kv, "="); ok {
			m[k] = v
		}
	}
	return m
}
