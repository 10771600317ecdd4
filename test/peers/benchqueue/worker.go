package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// A worker is this program again, as a process that embeds one queue and does
// what it is told, a line of JSON at a time. Each embedded queue so has a heap,
// a collector and a processor time of its own.

// order is what a worker is told to do.
type order struct {
	Do      string // create, drop, send, send without waiting, receive, acknowledge, consume, heap
	Queue   string
	Clients int
	Batch   int           // messages a call
	Lasts   time.Duration // at most
	Max     int           // messages, at most; 0: no bound
}

// answer of a worker.
type answer struct {
	Sample turns.Sample
	Heap   int64         // live bytes, for heap
	Opened time.Duration // in the first answer, which no order asked for
	Error  string
}

// broker is an embedded queue. Its methods may run at once.
type broker interface {
	create(queue string) error
	drop(queue string) error
	send(queue string, messages int) error
	// pipeline sends messages until stop says so, with up to window of them not
	// acknowledged, and returns when all are: how many.
	pipeline(queue string, window int, stop func() bool) (int, error)
	receive(queue string, max int) ([]any, error)
	// acknowledge returns when the queue has taken note of all.
	acknowledge(queue string, received []any) error
	close() error
}

var errNotOffered = errors.New("not offered")

// work runs orders until the input ends.
func runWorker(kind, dir string, in io.Reader, out io.Writer) error {
	begun := time.Now()
	b, err := openBroker(kind, dir)
	if err != nil {
		return err
	}
	defer b.close() //nolint:errcheck // the benchmark is over
	w := &worker{b: b}
	reply := json.NewEncoder(out)
	if err := reply.Encode(answer{Opened: time.Since(begun)}); err != nil {
		return err
	}
	orders := json.NewDecoder(in)
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		a, err := w.obey(o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := reply.Encode(a); err != nil {
			return err
		}
	}
}

func openBroker(kind, dir string) (broker, error) {
	switch kind {
	case dayfly:
		return openEngine(dir)
	case streamAlways, streamDefault:
		return openStream(dir, kind == streamAlways)
	case diskName:
		return openDisk(dir)
	}
	return nil, fmt.Errorf("no worker %q", kind)
}

type worker struct {
	b    broker
	held []any // received and not acknowledged
}

func (w *worker) obey(o order) (a answer, err error) {
	budget := turns.NewBudget(o.Max)
	switch o.Do {
	case "create":
		err = w.b.create(o.Queue)
	case "drop":
		err = w.b.drop(o.Queue)
	case "send":
		a.Sample, err = turns.Load(o.Clients, o.Lasts, func(int) (int, error) {
			n := budget.Take(o.Batch)
			if n == 0 {
				return 0, nil
			}
			return n, w.b.send(o.Queue, n)
		})
	case "send without waiting":
		a.Sample, err = w.pipeline(o)
	case "receive":
		a.Sample, err = w.receive(o, budget)
	case "acknowledge":
		a.Sample, err = w.acknowledge(o)
	case "consume":
		a.Sample, err = turns.Load(o.Clients, o.Lasts, func(int) (int, error) {
			got, err := w.b.receive(o.Queue, o.Batch)
			if err != nil || len(got) == 0 {
				return 0, err
			}
			return len(got), w.b.acknowledge(o.Queue, got)
		})
	case "heap":
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		a.Heap = int64(m.HeapAlloc)
	default:
		err = fmt.Errorf("no order %q", o.Do)
	}
	return a, err
}

func (w *worker) pipeline(o order) (s turns.Sample, err error) {
	cpu, begun := turns.OwnCPU(), time.Now()
	s.Messages, err = w.b.pipeline(o.Queue, o.Clients, func() bool { return time.Since(begun) >= o.Lasts })
	s.Elapsed, s.Client = time.Since(begun), turns.OwnCPU()-cpu
	return s, err
}

func (w *worker) receive(o order, b *turns.Budget) (turns.Sample, error) {
	held := make([][]any, o.Clients)
	s, err := turns.Load(o.Clients, o.Lasts, func(c int) (int, error) {
		n := b.Take(o.Batch)
		if n == 0 {
			return 0, nil
		}
		got, err := w.b.receive(o.Queue, n)
		held[c] = append(held[c], got...)
		return len(got), err
	})
	w.held = w.held[:0]
	for _, h := range held {
		w.held = append(w.held, h...)
	}
	return s, err
}

func (w *worker) acknowledge(o order) (turns.Sample, error) {
	b := turns.NewBudget(len(w.held))
	s, err := turns.Load(o.Clients, o.Lasts, func(int) (int, error) {
		n, from := b.Cut(o.Batch)
		if n == 0 {
			return 0, nil
		}
		return n, w.b.acknowledge(o.Queue, w.held[from:from+n])
	})
	w.held = nil
	return s, err
}

// hand is a worker as its parent sees it.
type hand struct {
	*process.Process
	orders  io.WriteCloser
	answers *json.Decoder
	opened  time.Duration
}

func startWorker(kind, store string) (*hand, error) {
	if err := os.MkdirAll(filepath.Dir(store), 0o700); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "worker", kind, store)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Not StdoutPipe: its Wait would close the pipe under the reader.
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = write
	p, err := process.Start(store+".log", cmd)
	write.Close()
	if err != nil {
		return nil, err
	}
	h := &hand{Process: p, orders: in, answers: json.NewDecoder(bufio.NewReader(read))}
	first, err := h.next()
	if err != nil {
		h.Kill()
		text, _ := os.ReadFile(p.Log)
		return nil, fmt.Errorf("worker %s: %w\n%s", kind, err, process.Tail(text))
	}
	h.opened = first.Opened
	return h, nil
}

func (h *hand) next() (a answer, err error) {
	if err = h.answers.Decode(&a); err == nil && a.Error != "" {
		err = errors.New(a.Error)
		if a.Error == errNotOffered.Error() {
			err = turns.ErrSkip
		}
	}
	return a, err
}

func (h *hand) tell(o order) (answer, error) {
	if err := json.NewEncoder(h.orders).Encode(o); err != nil {
		return answer{}, err
	}
	return h.next()
}
