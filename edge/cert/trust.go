package cert

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Store is where programs of this machine look for roots that they trust.
type Store struct {
	// Name for people: "the system's roots", or a browser's folder.
	Name string
	// Trust and Untrust are the commands that put a root there and take it away;
	// each is a program and its arguments, run one after the other.
	Trust, Untrust [][]string
	// Root: only root may run them.
	Root bool
}

const systemRoots = "/usr/local/share/ca-certificates" // as Debian's update-ca-certificates reads it

// Stores are those of a user and of the system that are there, for Debian and
// its kin: the system's roots (curl, Python, Go) if update-ca-certificates is
// there, and NSS's databases (Chromium, Firefox) if certutil is; missing names the
// package that has what is not there. A user without any database gets Chromium's.
func (r *Root) Stores(home string) (stores []Store, missing []string) {
	name := "dayfly-" + r.Fingerprint()
	if update, err := exec.LookPath("update-ca-certificates"); err == nil {
		file := filepath.Join(systemRoots, name+".crt")
		stores = append(stores, Store{Name: "the system's roots", Root: true,
			Trust: [][]string{{"cp", r.Path, file}, {update}}, Untrust: [][]string{{"rm", "-f", file}, {update, "--fresh"}}})
	} else {
		missing = append(missing, "ca-certificates")
	}
	certutil, err := exec.LookPath("certutil")
	if err != nil {
		return stores, append(missing, "libnss3-tools")
	}
	folders := databases(home)
	var first [][]string
	if len(folders) == 0 {
		dir := filepath.Join(home, ".pki", "nssdb")
		folders = []string{dir}
		first = [][]string{{"mkdir", "-p", "-m", "700", dir}, {certutil, "-N", "-d", "sql:" + dir, "--empty-password"}}
	}
	for _, dir := range folders {
		stores = append(stores, Store{Name: dir,
			Trust:   append(first, []string{certutil, "-A", "-d", "sql:" + dir, "-t", "C,,", "-n", name, "-i", r.Path}),
			Untrust: [][]string{{certutil, "-D", "-d", "sql:" + dir, "-n", name}}})
	}
	return stores, missing
}

// databases are the folders with a database of NSS below a home.
func databases(home string) (folders []string) {
	for _, pattern := range []string{".pki/nssdb", ".local/share/pki/nssdb", ".mozilla/firefox/*", "snap/firefox/common/.mozilla/firefox/*", "snap/chromium/current/.pki/nssdb"} {
		found, _ := filepath.Glob(filepath.Join(home, pattern, "cert9.db")) // the patterns are well-formed
		for _, f := range found {
			folders = append(folders, filepath.Dir(f))
		}
	}
	return folders
}

// Run runs commands of a Store.
func Run(ctx context.Context, commands [][]string) error {
	for _, c := range commands {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// ReadRoot opens the root in a folder, and does not make one.
func ReadRoot(dir string) (*Root, error) {
	if _, err := os.Stat(filepath.Join(dir, rootFile)); err != nil {
		return nil, err
	}
	return OpenRoot(dir)
}
