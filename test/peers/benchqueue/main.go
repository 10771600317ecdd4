// Command benchqueue measures Dayfly's queue beside its peers, in one run and
// in turns, and prints the tables of doc/bench.md. test/bench-queue.sh builds
// and calls it.
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

	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// options of a run.
type options struct {
	parts   []string
	rounds  int
	lasts   time.Duration // of one measurement
	dayfly  string        // binary
	jars    string        // folder of ElasticMQ's
	moto    string        // binary
	dir     string        // for data; on a real disk
	backlog int           // messages
	heap    string        // of ElasticMQ
	warm    time.Duration // how long each server runs before it counts
	peers   []string
}

// part of the benchmark.
type part struct {
	name string
	run  func(*options, io.Writer) error
}

var parts = []part{
	{"sdk", runSDK},
	{"raw", runRaw},
	{"engine", runEngine},
	{"backlog", runBacklog},
}

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) == 4 && os.Args[1] == "worker" {
		if err := runWorker(os.Args[2], os.Args[3], os.Stdin, os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := run(os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(args []string, out io.Writer) error {
	var o options
	f := flag.NewFlagSet("benchqueue", flag.ContinueOnError)
	only := f.String("part", "sdk,raw,engine,backlog", "which parts, by comma")
	f.IntVar(&o.rounds, "rounds", 3, "rounds; the table has medians of them")
	f.DurationVar(&o.lasts, "time", 2*time.Second, "length of one measurement")
	f.StringVar(&o.dayfly, "dayfly", "bin/dayfly", "the dayfly binary")
	f.StringVar(&o.jars, "elasticmq", "", "folder of ElasticMQ's jars")
	f.StringVar(&o.moto, "moto", "", "the moto_server binary")
	f.StringVar(&o.dir, "dir", ".", "where the data go: a folder on the disk to be measured")
	f.IntVar(&o.backlog, "messages", 10_000_000, "messages waiting in the part backlog")
	f.StringVar(&o.heap, "heap", "4g", "heap of ElasticMQ")
	f.DurationVar(&o.warm, "warm", 60*time.Second, "how long each server works before anything counts")
	with := f.String("peers", "elasticmq,elasticmq-h2,moto", "which servers to compare with, by comma")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.parts, o.peers = strings.Split(*only, ","), strings.Split(*with, ",")
	dir, err := os.MkdirTemp(o.dir, "bench-queue-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	var failed []error
	for _, p := range o.parts {
		i := slices.IndexFunc(parts, func(q part) bool { return q.name == p })
		if i < 0 {
			return fmt.Errorf("there is no part %q", p)
		}
		begun := time.Now()
		if err := parts[i].run(&o, out); err != nil {
			failed = append(failed, err)
		}
		log.Printf("part %s took %s", p, time.Since(begun).Round(time.Second))
	}
	return errors.Join(failed...)
}

// peers by the name that the option has for them.
var peers = []struct{ key, name string }{{"elasticmq", elastic}, {"elasticmq-h2", elasticH2}, {"moto", moto}}

// startServers starts Dayfly and those of its peers that are wanted.
func startServers(o *options) (m map[string]*server, subjects []string, err error) {
	m = map[string]*server{}
	begin := func(name string, start func() (*server, error)) {
		if err != nil {
			return
		}
		var s *server
		if s, err = start(); err == nil {
			m[name], subjects = s, append(subjects, name)
		}
	}
	begin(dayfly, func() (*server, error) { return startDayfly(o.dayfly, filepath.Join(o.dir, "dayfly")) })
	for _, p := range peers {
		if !slices.Contains(o.peers, p.key) {
			continue
		}
		dir := filepath.Join(o.dir, p.key)
		if p.name == moto {
			begin(p.name, func() (*server, error) { return startMoto(o.moto, dir) })
		} else {
			begin(p.name, func() (*server, error) { return startElastic(o.jars, dir, o.heap, p.name == elasticH2) })
		}
	}
	if err != nil {
		killAll(m)
	}
	return m, subjects, err
}

func killAll(m map[string]*server) {
	for _, s := range m {
		s.Kill()
	}
}

func runSDK(o *options, out io.Writer) error {
	return runHTTP(o, out, "SQS over HTTP, aws-sdk-go-v2, 16 clients", func(m map[string]*server) []turns.Work {
		return (&sdk{servers: m, lasts: o.lasts}).works([]turns.Aim{turns.AtLeast(1, elastic, moto), turns.AtLeast(2, elasticH2)})
	})
}

func runRaw(o *options, out io.Writer) error {
	return runHTTP(o, out, "SQS over HTTP, requests signed beforehand, 64 connections", func(m map[string]*server) []turns.Work {
		return (&raw{servers: m, lasts: o.lasts}).works([]turns.Aim{turns.AtLeast(3, elastic, elasticH2, moto)})
	})
}

func runHTTP(o *options, out io.Writer, title string, works func(map[string]*server) []turns.Work) error {
	servers, subjects, err := startServers(o)
	if err != nil {
		return err
	}
	defer killAll(servers)
	var all []*process.Process
	for _, s := range servers {
		all = append(all, s.Process)
	}
	for _, s := range servers {
		if s.name != moto && s.name != dayfly { // virtual machines
			if err := s.warm(o.warm); err != nil {
				return err
			}
		}
	}
	b := turns.NewBoard(title, "message", subjects, works(servers))
	b.Measure(o.rounds, func() { process.Settle(all) })
	b.Write(out)
	return b.Failed()
}

func runEngine(o *options, out io.Writer) error {
	m, err := startEmbedded(o.dir, o.lasts)
	if err != nil {
		return err
	}
	defer m.stop()
	b := turns.NewBoard("In process", "message", []string{dayfly, streamAlways, streamDefault, diskName}, m.works())
	b.Measure(o.rounds, func() { process.Settle(m.processes()) })
	b.Write(out)
	return b.Failed()
}
