package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// newAddress waits until a static file has another address than $ADDRESS, which
// becomes $OLD: newaddress DIR NAME.
func newAddress(ts *testscript.TestScript, _ bool, args []string) {
	last := ts.Getenv("ADDRESS")
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var addresses map[string]string
		data, err := os.ReadFile(ts.MkAbs(filepath.Join(args[0], ".dayfly", "static.json")))
		if err == nil {
			ts.Check(json.Unmarshal(data, &addresses))
		}
		if now := addresses[args[1]]; now != "" && now != last {
			ts.Setenv("OLD", last)
			ts.Setenv("ADDRESS", now)
			return
		}
	}
	ts.Fatalf("%s has no address but %q", args[1], last)
}
