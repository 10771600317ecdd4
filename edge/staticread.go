package edge

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/dayfly-dev/dayfly/edge/versions"
)

// A StaticFile is a file as an Edge would serve it.
type StaticFile struct {
	*versions.Version
	ContentType string
	// Level is how long the chain of references below it is; 0: it has none.
	Level int
	// Compressible is true of what is kept compressed, too, where that is smaller.
	Compressible bool
}

// ReadStatic reads a folder as an Edge does, with the same bounds, and returns
// its files, each after those that it refers to, and what is
// wrong with references in them. Of o, Dir, Prefix, MaxFiles and MaxBytes count.
// What is left out is told to log, which may be nil.
func ReadStatic(o Static, log *slog.Logger) ([]StaticFile, []versions.Problem, error) {
	if err := o.normalize(); err != nil {
		return nil, nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("static folder: %w", err)
	}
	defer root.Close()
	s := &staticFiles{opt: o, log: log, root: root, warned: map[string]bool{}, ctx: context.Background()}
	found, err := s.walk()
	if err != nil {
		return nil, nil, fmt.Errorf("static folder %s: %w", o.Dir, err)
	}
	files := make(map[string]*versions.File, len(found))
	for name, f := range found {
		files[name] = f.File
	}
	var list []StaticFile
	all := versions.Build(files, nil)
	levels := versions.Levels(all)
	for name, v := range all {
		t := contentTypeOf(name, v.Data)
		list = append(list, StaticFile{v, t, levels[name], len(v.Data) >= minCompress && isCompressible(t)})
	}
	slices.SortFunc(list, func(a, b StaticFile) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Name, b.Name))
	})
	return list, versions.Problems(files), nil
}

// Encodings are how a file can be compressed, as Content-Encoding names them.
var Encodings = []string{"br", "gzip", "zstd"}

// Compress returns the content in one of Encodings, as small as it gets; nil
// where it does not get smaller.
func (f StaticFile) Compress(name string) []byte {
	compress := map[string]func([]byte) []byte{"br": toBrotli, "gzip": toGzip, "zstd": toZstd}[name]
	if !f.Compressible || compress == nil {
		return nil
	}
	if data := compress(f.Data); len(data) < len(f.Data) {
		return data
	}
	return nil
}
