package registrytest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"slices"
	"time"
)

// made is the time of all files in composed archives, so that the same files
// give the same bytes.
var made = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func sorted(files map[string]string) []string {
	names := make([]string, 0, len(files))
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Zip composes a zip archive with a prefix before every path.
func Zip(prefix string, files map[string]string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range sorted(files) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: prefix + name, Method: zip.Deflate, Modified: made})
		must(err)
		_, err = f.Write([]byte(files[name]))
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

// TarGz composes a gzipped tar archive with a prefix before every path.
func TarGz(prefix string, files map[string]string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	w := tar.NewWriter(zw)
	for _, name := range sorted(files) {
		must(w.WriteHeader(&tar.Header{Name: prefix + name, Mode: 0o644, Size: int64(len(files[name])), ModTime: made, Format: tar.FormatPAX}))
		_, err := w.Write([]byte(files[name]))
		must(err)
	}
	must(w.Close())
	must(zw.Close())
	return b.Bytes()
}

// must holds for writes to memory, which do not fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
