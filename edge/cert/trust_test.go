package cert_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/edge/cert"
	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestBrowserTrusts: Chromium refuses the site, shows it once it was told to
// trust the root, and refuses it again afterwards.
func TestBrowserTrusts(t *testing.T) {
	need.Tool(t, "certutil")
	chromium := need.Tool(t, "chromium")
	home := t.TempDir()
	root, err := cert.OpenRoot(filepath.Join(home, ".config", "dayfly", "root"))
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	serve(t, l, cert.OpenLocal(root).Config())
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	shown := func() string {
		c := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(),
			"--timeout=60000", "--dump-dom", "https://shop.localhost:"+port+"/")
		c.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	own := func() (own []cert.Store) {
		stores, missing := root.Stores(home)
		if len(missing) > 0 {
			t.Logf("missing: %v", missing)
		}
		for _, s := range stores {
			if strings.HasPrefix(s.Name, home) && !s.Root {
				own = append(own, s)
			}
		}
		if len(own) == 0 {
			t.Fatal("no store of the user's")
		}
		return own
	}
	for _, trusted := range []bool{false, true, false} {
		for _, s := range own() {
			commands := s.Untrust
			if trusted {
				commands = s.Trust
			}
			// The first time there is nothing to take away.
			if err := cert.Run(t.Context(), commands); err != nil && trusted {
				t.Fatal(err)
			}
		}
		if got := shown(); strings.Contains(got, "HTTP/2.0") != trusted {
			t.Errorf("trusted %t: %.400s", trusted, got)
		}
	}
}
