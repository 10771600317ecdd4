package s3server

import (
	"os"
	"testing"
)

func TestWorkingDirectoryComesBack(t *testing.T) {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]func(string, func() error) error{"thread": inDir, "process": inProcessDir} {
		dir, inside := t.TempDir(), ""
		err := in(dir, func() (err error) { inside, err = os.Getwd(); return err })
		if err != nil || inside != dir {
			t.Errorf("%s: inside %q, want %q (%v)", name, inside, dir, err)
		}
		if err := in(dir+"/absent", func() error { return nil }); err == nil {
			t.Errorf("%s: went into a folder that is not there", name)
		}
		if after, _ := os.Getwd(); after != before {
			t.Errorf("%s: afterwards %q, before %q", name, after, before)
		}
	}
}
