// Command cachetests runs the public suite of tests of HTTP caches
// (http-cache-tests on npm) against the edge with its response cache, and
// compares the results with those of expected.txt, which says why a test does not
// pass. It is for `make conform`.
//
//	cachetests -node NODE -package FOLDER [-base URL -port PORT]
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/respcache"
)

// result is a line of run.mjs.
type result struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`   // required, optimal, check
	Result string `json:"result"` // pass, fail, depends, setup, retry; of a check yes, no
}

func main() {
	node := flag.String("node", "node", "Node.js")
	folder := flag.String("package", "", "folder of http-cache-tests")
	expected := flag.String("expected", "expected.txt", "what is known not to pass")
	script := flag.String("script", "run.mjs", "run.mjs")
	base := flag.String("base", "", "test this server instead of the edge, without comparing")
	port := flag.String("port", "", "where the suite's own server listens, with -base (default: a free port)")
	flag.Parse()
	bad, err := run(*node, *folder, *expected, *script, *base, *port)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cachetests:", err)
		os.Exit(1)
	}
	if bad {
		os.Exit(1)
	}
}

func run(node, folder, expected, script, base, port string) (bad bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if port == "" {
		if port, err = freePort(); err != nil {
			return false, err
		}
	}
	stop, err := serve(ctx, node, folder, port)
	if err != nil {
		return false, err
	}
	defer stop()
	if base != "" {
		results, err := test(ctx, node, script, folder, base)
		summary(results)
		return false, err
	}
	for _, obey := range []bool{false, true} {
		results, err := testEdge(ctx, node, script, folder, "http://127.0.0.1:"+port, obey)
		if err != nil {
			return false, err
		}
		fmt.Printf("with obey = %v:\n", obey)
		summary(results)
		differs, err := compare(results, expected)
		if err != nil {
			return false, err
		}
		bad = bad || differs
	}
	return bad, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// serve starts the suite's own server.
func serve(ctx context.Context, node, folder, port string) (stop func(), err error) {
	c := exec.CommandContext(ctx, node, "--no-warnings", filepath.Join(folder, "server", "server.mjs"))
	c.Env = append(os.Environ(), "npm_config_protocol=http", "npm_config_port="+port, "npm_config_pidfile=/dev/null")
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		c.Process.Kill()
		c.Wait() //nolint:errcheck // it was killed
	}
	for ctx.Err() == nil {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			return stop, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	return nil, ctx.Err()
}

func testEdge(ctx context.Context, node, script, folder, origin string, obey bool) ([]result, error) {
	e, err := edge.New(edge.Options{Cache: &respcache.Options{Obey: obey}})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	if err := e.Add(edge.Target{Name: "suite", URL: origin}); err != nil {
		return nil, err
	}
	if err := e.Await(ctx, "suite"); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	front := edge.NewFront(edge.Server(e), nil) // as dayfly serves, the quick way of hits included
	ended := make(chan error, 1)
	go func() { ended <- front.Serve(l) }()
	defer func() { _, _ = front.Close(), <-ended }()
	return test(ctx, node, script, folder, "http://"+l.Addr().String())
}

func test(ctx context.Context, node, script, folder, base string) ([]result, error) {
	c := exec.CommandContext(ctx, node, "--no-warnings", script, folder, base)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("the suite: %w", err)
	}
	var all []result
	for line := range strings.Lines(string(out)) {
		var r result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, fmt.Errorf("the suite said %q: %w", line, err)
		}
		all = append(all, r)
	}
	if len(all) < 300 {
		return nil, fmt.Errorf("the suite ran %d tests only", len(all))
	}
	return all, nil
}

func summary(results []result) {
	counts := map[string]map[string]int{}
	for _, r := range results {
		if counts[r.Kind] == nil {
			counts[r.Kind] = map[string]int{}
		}
		counts[r.Kind][r.Result]++
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Printf("  %-8s", kind)
		for _, name := range slices.Sorted(maps.Keys(counts[kind])) {
			fmt.Printf("  %s %d", name, counts[kind][name])
		}
		fmt.Println()
	}
}

// compare says which tests that judge do not pass though they are expected to,
// and the other way round. Lines of the file are "id why".
func compare(results []result, file string) (differs bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	known := map[string]bool{}
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		if id, _, _ := strings.Cut(scan.Text(), " "); id != "" && id != "#" {
			known[id] = true
		}
	}
	if err := scan.Err(); err != nil {
		return false, err
	}
	for _, r := range results {
		if r.Kind == "check" {
			continue
		}
		if passes := r.Result == "pass"; passes == known[r.ID] {
			fmt.Printf("  %s: %s, expected otherwise (%s)\n", r.ID, r.Result, file)
			differs = true
		}
	}
	return differs, nil
}
