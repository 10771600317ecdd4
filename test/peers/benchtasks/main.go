// Command benchtasks measures Dayfly's tasks beside asynq, River and Celery, in
// one run and in turns, and prints tables of doc/bench.md. test/bench-tasks.sh
// builds and calls it.
//
// Each measurement has processes of its own: the server that keeps the tasks,
// one that enqueues and one that works; nothing else runs meanwhile. Every task
// of a measurement is accounted for: begun once, and then gone from the store.
package main

import (
	"encoding/json"
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
	lasts       time.Duration // of enqueuing in one measurement
	concurrency int           // tasks at once in one worker
	dayfly      string        // binary
	python      string        // with Celery
	pool        string        // of Celery's workers
	celery      int           // Celery's processes or threads
	dir         string        // for data; on a real disk
	memory      string        // for registers; in memory
	profiles    string        // folder for profiles; "": none
}

// part of the benchmark: a table.
type part struct {
	name string
	run  func(*options, io.Writer) error
}

var parts = []part{
	{"endtoend", runEndToEnd},
	{"enqueue", runEnqueue},
	{"latency", runLatency},
}

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) == 3 && os.Args[1] == "role" {
		var s setting
		err := json.Unmarshal([]byte(os.Args[2]), &s)
		if err == nil {
			err = runRole(s, os.Stdin, os.Stdout)
		}
		if err != nil {
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
	f := flag.NewFlagSet("benchtasks", flag.ContinueOnError)
	only := f.String("part", "endtoend,enqueue,latency", "which parts, by comma")
	with := f.String("peers", "asynq,river,celery", "which peers to compare with, by comma")
	f.IntVar(&o.rounds, "rounds", 3, "rounds; the tables have medians of them")
	f.DurationVar(&o.lasts, "time", 3*time.Second, "how long one measurement enqueues")
	f.IntVar(&o.concurrency, "concurrency", 100, "tasks that run at once in a worker")
	f.StringVar(&o.dayfly, "dayfly", "bin/dayfly", "the dayfly binary")
	f.StringVar(&o.python, "python", "python3", "a Python that has Celery")
	f.StringVar(&o.pool, "celery-pool", "prefork", "Celery's pool: prefork or threads")
	f.IntVar(&o.celery, "celery-concurrency", 2, "processes or threads of Celery's pool")
	f.StringVar(&o.dir, "dir", ".", "where the data go: a folder on the disk to be measured")
	f.StringVar(&o.memory, "memory", "/dev/shm", "where workers note what they began: a folder in memory")
	f.StringVar(&o.profiles, "profiles", "", "folder for profiles of the processes that enqueue and work, the last of each kept")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.peers = strings.Split(*with, ",")
	for _, place := range []*string{&o.dir, &o.memory} {
		dir, err := os.MkdirTemp(*place, "bench-tasks-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's user has a folder in it
			return err
		}
		if *place, err = filepath.Abs(dir); err != nil {
			return err
		}
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

// names of the subjects that are wanted, Dayfly's first.
func (o *options) names() (names []string) {
	for _, s := range subjects {
		peer, _, _ := strings.Cut(s.key, "-")
		if s.name == dayfly || s.name == embedded || slices.Contains(o.peers, peer) {
			names = append(names, s.name)
		}
	}
	return names
}

// tasks is how many one station may have: half a million a second, for the time
// of a measurement and its warm-up.
func (o *options) tasks() int { return 10_000 + int(o.lasts.Seconds()*1.25*500_000) }
