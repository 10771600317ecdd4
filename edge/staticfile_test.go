package edge

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Large files come from the system's memory, with the same answers, and leave
// it with the edge.
func TestLargeFiles(t *testing.T) {
	dir := t.TempDir()
	data := bytes.Repeat([]byte("0123456789abcde\n"), 20<<10)
	if err := os.WriteFile(filepath.Join(dir, "a.bin"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	var before int64
	eventually(t, "what other tests left stays", func() bool {
		runtime.GC()
		before = inSystem.Load()
		return before == 0
	})
	t.Run("serving", func(t *testing.T) {
		s := newSite(t, Options{Static: Static{Dir: dir}})
		for i := range 3 {
			res, body := s.do(t, "GET", "/static/a.bin", nil)
			if res.StatusCode != http.StatusOK || body != string(data) || res.ContentLength != int64(len(data)) {
				t.Errorf("request %d: %s with %d bytes", i, res.Status, len(body))
			}
			if res, body := s.do(t, "HEAD", "/static/a.bin", nil); body != "" || res.ContentLength != int64(len(data)) {
				t.Errorf("HEAD %d: %s with %d bytes", i, res.Status, len(body))
			}
		}
		r, err := http.NewRequest("GET", "http://"+s.addr+"/static/a.bin", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Range", "bytes=100000-100015")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if part, err := io.ReadAll(res.Body); string(part) != string(data[100000:100016]) || err != nil {
			t.Errorf("a part: %q, %v", part, err)
		}
		if n := inSystem.Load(); runtime.GOOS == "linux" && n != int64(len(data)) {
			t.Errorf("%d bytes are in the system's memory, want %d", n, len(data))
		}
	})
	eventually(t, "it stays there", func() bool {
		runtime.GC()
		return inSystem.Load() == 0
	})
}
