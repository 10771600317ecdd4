package s3server

import (
	"path/filepath"
	"strings"
	"testing"
)

// FuzzKey looks for a key that is taken and whose file is not exactly the one of
// that name inside the bucket.
func FuzzKey(f *testing.F) {
	for _, k := range []string{"a/b", "../x", "a/./b", "a//b", "/a", "a/", "..", ".", "", ".sgwtmp/x", "\x00", "a/..", "...", "ü"} {
		f.Add(k)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if keyProblem(key) != nil {
			return
		}
		const bucket = "/store/bucket"
		if got, want := filepath.Join(bucket, key), bucket+"/"+strings.TrimSuffix(key, "/"); got != want {
			t.Errorf("%q is kept at %q", key, got)
		}
		if key == tempDir || strings.HasPrefix(key, tempDir+"/") {
			t.Errorf("%q is the engine's own", key)
		}
	})
}
