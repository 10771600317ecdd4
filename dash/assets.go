package dash

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// assets serves the style sheet, script and icon under addresses that change
// with their content, so that a browser keeps them for good.
type assets struct {
	files map[string][]byte // by request path
	urls  map[string]string // by file name
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string][]byte{}, urls: map[string]string{}}
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := fs.ReadFile(assetFiles, "assets/"+e.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		p := "/assets/" + hex.EncodeToString(sum[:6]) + "/" + e.Name()
		a.files[p], a.urls[e.Name()] = b, p
	}
	return a, nil
}

// URL is the address of an asset by file name.
func (a *assets) URL(name string) string { return a.urls[name] }

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, ok := a.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, bytes.NewReader(b))
}
