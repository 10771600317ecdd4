// Command benchedge measures what stands in front of an application: Dayfly's
// edge beside nginx, Caddy, Varnish and kamal-proxy, in one run and in turns, and
// prints tables of doc/bench.md. test/bench-edge.sh builds and calls it.
//
// The load is made by wrk on the same machine. All have the same folder of
// files and the same backend, write an access log where they can, and are
// asked for each answer once before anything is measured.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options of a run.
type options struct {
	peers       []string
	rounds      int
	lasts       time.Duration // of one measurement; whole seconds, for wrk
	connections int           // that wrk keeps busy
	idle        int           // connections that do nothing, in the part idle
	dayfly      string        // binaries
	caddy       string
	kamal       string
	dir         string // for files, configurations, logs
	self        string // this program, which is the backend too
}

// part of the benchmark: a table.
type part struct {
	name string
	run  func(*options, io.Writer) error
}

var parts = []part{
	{"plain", runPlain},
	{"cached", runCached},
	{"tls", runTLS},
	{"idle", runIdle},
}

func main() {
	log.SetFlags(log.Ltime)
	err := error(nil)
	if len(os.Args) == 2 && os.Args[1] == "backend" {
		err = backend(os.Getenv("PORT"))
	} else {
		err = run(os.Args[1:], os.Stdout)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(args []string, out io.Writer) error {
	var o options
	f := flag.NewFlagSet("benchedge", flag.ContinueOnError)
	only := f.String("part", "plain,cached,tls,idle", "which parts, by comma")
	with := f.String("peers", "nginx,Caddy,Varnish,kamal-proxy", "which peers to compare with, by comma")
	f.IntVar(&o.rounds, "rounds", 5, "rounds; the tables have medians of them")
	f.DurationVar(&o.lasts, "time", 4*time.Second, "how long one measurement lasts, in whole seconds")
	f.IntVar(&o.connections, "connections", 64, "that are kept busy")
	f.IntVar(&o.idle, "idle", 10_000, "connections without work, in the part idle")
	f.StringVar(&o.dayfly, "dayfly", "bin/dayfly", "the dayfly binary")
	f.StringVar(&o.caddy, "caddy", "caddy", "the caddy binary")
	f.StringVar(&o.kamal, "kamal-proxy", "", "the kamal-proxy binary; without it, it is left out")
	dir := f.String("dir", ".", "where files, configurations and logs go")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.peers = strings.Split(*with, ",")
	if o.kamal == "" {
		o.peers = slices.DeleteFunc(o.peers, func(p string) bool { return p == "kamal-proxy" })
	}
	temporary, err := os.MkdirTemp(*dir, "bench-edge-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	for _, p := range []*string{&o.dayfly, &o.dir} {
		if p == &o.dir {
			*p = temporary
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	if o.self, err = os.Executable(); err != nil {
		return err
	}
	if err := o.writeFiles(); err != nil {
		return err
	}
	return o.runParts(strings.Split(*only, ","), out)
}

func (o *options) runParts(names []string, out io.Writer) error {
	var failed []error
	for _, name := range names {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			return fmt.Errorf("there is no part %q", name)
		}
		begun := time.Now()
		if err := parts[i].run(o, out); err != nil {
			failed = append(failed, err)
		}
		log.Printf("part %s took %s", name, time.Since(begun).Round(time.Second))
	}
	return errors.Join(failed...)
}

// wanted are those of some subjects that are to be measured, Dayfly first.
func (o *options) wanted(names ...string) []string {
	return append([]string{dayfly}, slices.DeleteFunc(names, func(n string) bool { return !slices.Contains(o.peers, n) })...)
}
