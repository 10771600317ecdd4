// Command app is the application that the end-to-end tests run under dayfly: a
// web process that answers, and a worker that writes down what it was given.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/payload"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: app web | worker")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	run := map[string]func(context.Context) error{"web": web, "worker": worker}[os.Args[1]]
	if run == nil {
		log.Fatalf("unknown process %q", os.Args[1])
	}
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

// web answers slowly enough that requests are under way at every moment of a
// restart, and ends as a good application does. What is posted it appends to
// RECORD_FILE, if that is set, before it answers.
func web(ctx context.Context) error {
	record, err := openRecord(os.DevNull)
	if err != nil {
		return err
	}
	defer record.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil && r.Method == http.MethodPost {
			_, err = record.Write(append(body, '\n'))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		fmt.Fprintf(w, "%s %d %d\n", r.Method, len(body), os.Getpid())
	})
	s := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: faulty(mux)}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- s.Shutdown(patience)
	}()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// Record is the task of the crash test.
type Record struct {
	Key  string `json:"key"`
	Size int    `json:"size"` // of Text, to be checked
	Text string `json:"text"`
}

// worker appends the key of each task to RECORD_FILE in one write, so that a
// line is there or not, whenever the process is killed.
func worker(ctx context.Context) error {
	file, err := openRecord("")
	if err != nil {
		return err
	}
	defer file.Close()
	q, err := sqsqueue.Open(ctx, os.Getenv("QUEUE_DEFAULT_URL"), nil)
	if err != nil {
		return err
	}
	record := task.Define("record", func(_ context.Context, r Record) error {
		if strings.ContainsAny(r.Key, "\n") {
			return task.Permanent(errors.New("a key is one line"))
		}
		if len(r.Text) != r.Size {
			return task.Permanent(errors.New("these are not the arguments that were given"))
		}
		_, err := file.WriteString(r.Key + "\n")
		return err
	})
	payloads, err := payload.Open(ctx, os.Getenv("PAYLOADS_URL"), nil)
	if err != nil {
		return err
	}
	defer payloads.Close()
	w, err := task.NewWorker(q, task.WorkerOptions{Tasks: []task.Definition{record}, Payloads: payloads, Concurrency: 32})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func openRecord(otherwise string) (*os.File, error) {
	path := os.Getenv("RECORD_FILE")
	if path == "" {
		path = otherwise
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}
