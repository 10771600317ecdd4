package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dayfly-dev/dayfly/app"
	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/app/manifest"
)

// manifest reads the manifest of the folder given, of --dir, or of the nearest
// folder upward that has one.
func (p *place) manifest(dir string) (*manifest.Manifest, error) {
	if dir == "" {
		dir = p.dir
	}
	if dir == "" {
		found, err := nearest()
		if err != nil {
			return nil, err
		}
		dir = found
	}
	return manifest.Read(dir)
}

func nearest() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, manifest.FileName)); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%w in %s or above: give the application's folder with --dir, or as in `dayfly up DIR`", manifest.ErrNotFound, here)
		}
	}
}

// dataDir is the data folder, found without reading the manifest: a manifest
// that is broken now must not keep one from stopping what runs.
func (p *place) dataDir() (string, error) {
	if p.data != "" {
		return filepath.Abs(p.data)
	}
	dir := p.dir
	if dir == "" {
		found, err := nearest()
		if err != nil {
			return "", err
		}
		dir = found
	}
	if fi, err := os.Stat(dir); err == nil && !fi.IsDir() {
		dir = filepath.Dir(dir)
	}
	return filepath.Abs(filepath.Join(dir, app.DataFolder))
}

// running returns a client of the application that runs.
func (p *place) running() (*control.Client, error) {
	dir, err := p.dataDir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s; start it with `dayfly up`", control.ErrNotRunning, dir)
	}
	return control.Dial(dir), nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
