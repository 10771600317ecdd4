package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// station is a library at work: its server, a process that enqueues and one
// that works. Nothing of it runs while others are measured.
type station struct {
	server   *server
	producer *process.Dialogue
	worker   interface { // the producer too, where the library is in one process; nil when nothing is to be run
		CPU() time.Duration
	}
	stops    []func()
	register *register
	next     int // number of the next task
}

// open starts a subject with an empty store.
func (s *subject) open(o *options, work bool) (*station, error) {
	st := &station{next: 1}
	if err := s.start(st, o, work); err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func (s *subject) start(st *station, o *options, work bool) (err error) {
	dir := filepath.Join(o.dir, s.key)
	if !s.keeps {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	at := filepath.Join(o.memory, s.key+".register")
	os.Remove(at) //nolint:errcheck // there may be none
	if st.register, err = openRegister(at, o.tasks()); err != nil {
		return err
	}
	st.stops = append(st.stops, func() { st.register.close(); os.Remove(at) }) //nolint:errcheck // the memory goes with the process
	set := setting{Library: s.library, Address: filepath.Join(dir, "store"), Register: at, Concurrency: o.concurrency}
	if s.serve != nil {
		if st.server, err = s.serve(o, dir); err != nil {
			return err
		}
		st.stops = append(st.stops, st.server.stop)
		set.Address = st.server.address
	}
	return s.staff(st, o, set, work)
}

// staff starts the processes of the application.
func (s *subject) staff(st *station, o *options, set setting, work bool) (err error) {
	if s.library == "celery" {
		return s.staffCelery(st, o, set, work)
	}
	together := s.serve == nil
	if work && !together {
		worker := set
		worker.Work = true
		w, err := startRole(o, s.key+"-worker", worker, st.server)
		if err != nil {
			return err
		}
		st.worker, st.stops = w, append(st.stops, w.End)
	}
	set.Work = work && together
	if st.producer, err = startRole(o, s.key+"-producer", set, st.server); err != nil {
		return err
	}
	st.stops = append(st.stops, st.producer.End)
	return nil
}

func startRole(o *options, name string, set setting, of *server) (*process.Dialogue, error) {
	if o.profiles != "" {
		set.Profile = filepath.Join(o.profiles, name+".prof")
	}
	text, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "role", string(text))
	cmd.Env = os.Environ()
	if of != nil {
		for k, v := range of.env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	return process.Talk(filepath.Join(o.dir, name+".log"), cmd, &answer{})
}

//go:embed celery_tasks.py
var celeryTasks []byte

// staffCelery starts "celery worker" with its usual pool of processes, one a
// processor. What it would tell other workers and monitors is off.
func (s *subject) staffCelery(st *station, o *options, set setting, work bool) error {
	dir := filepath.Join(o.dir, "celery")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "celery_tasks.py"), celeryTasks, 0o600); err != nil {
		return err
	}
	late := "0"
	if s.durable {
		late = "1"
	}
	env := append(os.Environ(), "BENCH_BROKER=redis://"+set.Address+"/0", "BENCH_REGISTER="+set.Register, "BENCH_ACKS_LATE="+late)
	if work {
		cmd := exec.Command(o.python, "-m", "celery", "-A", "celery_tasks", "worker", "--loglevel", "WARNING", "--pool", o.pool,
			"--concurrency", fmt.Sprint(o.celery), "--prefetch-multiplier", fmt.Sprint(o.concurrency), "--without-gossip", "--without-mingle", "--without-heartbeat")
		cmd.Dir, cmd.Env = dir, env
		p, err := process.Start(filepath.Join(o.dir, s.key+"-worker.log"), cmd)
		if err != nil {
			return err
		}
		st.worker, st.stops = p, append(st.stops, func() { p.Stop(syscall.SIGTERM) })
		err = p.Until(time.Minute, "ready", func() bool {
			text, err := os.ReadFile(p.Log)
			return err == nil && strings.Contains(string(text), "benchtasks: ready")
		})
		if err != nil {
			return err
		}
	}
	cmd := exec.Command(o.python, "celery_tasks.py")
	cmd.Dir, cmd.Env = dir, env
	var err error
	if st.producer, err = process.Talk(filepath.Join(o.dir, s.key+"-producer.log"), cmd, &answer{}); err != nil {
		return err
	}
	st.stops = append(st.stops, st.producer.End)
	return nil
}

// close stops everything, the server last.
func (st *station) close() {
	for _, stop := range slices.Backward(st.stops) {
		stop()
	}
}

// tell gives the producer an order about the next tasks.
func (st *station) tell(o order) (a answer, first int, err error) {
	first = st.next
	o.From = first
	o.Max = min(o.Max, len(st.register.cells)-first)
	err = st.producer.Tell(o, &a)
	if err != nil && strings.Contains(err.Error(), errNotOffered.Error()) {
		err = turns.ErrSkip
	}
	st.next += a.Tasks
	return a, first, err
}

// patience is how long a task may take to begin.
const patience = 2 * time.Minute

// rest waits until all that was enqueued has been run once and is done with.
func (st *station) rest() error {
	if err := st.register.wait(st.next-1, patience); err != nil {
		return err
	}
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		var a answer
		if err := st.producer.Tell(order{Do: "left"}, &a); err != nil {
			return err
		}
		if a.Left == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("of %d tasks %d were not done with", st.next-1, a.Left)
		}
	}
	if n := st.register.repeats(); n > 0 {
		return fmt.Errorf("of %d tasks %d were run again", st.next-1, n)
	}
	return nil
}

// used is the processor time of application and server so far.
func (st *station) used() (application, server time.Duration) {
	application = st.producer.CPU()
	if st.worker != nil {
		application += st.worker.CPU()
	}
	return application, st.server.cpu()
}
