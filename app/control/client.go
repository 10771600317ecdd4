package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/app/logs"
)

// ErrNotRunning: no dayfly runs on the data folder.
var ErrNotRunning = errors.New("the application is not running")

// Client talks to the dayfly of one data folder.
type Client struct {
	dir  string
	http *http.Client
}

// Dial returns a client; nothing is sent yet.
func Dial(dir string) *Client {
	return &Client{dir: dir, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			path, release, err := Socket(dir)
			if err != nil {
				return nil, err
			}
			defer release()
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}}
}

func (c *Client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false) // it would make six bytes of each < in a task's arguments
		if err := e.Encode(body); err != nil {
			return nil, err
		}
		reader = &text
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://dayfly"+path, reader)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w (looked in %s): start it with `dayfly up`", ErrNotRunning, c.dir)
	}
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		defer answer.Body.Close()
		var p Problem
		if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&p); err != nil || p.Error == "" {
			p.Error = "it answered " + answer.Status
		}
		return nil, errors.New(p.Error)
	}
	return answer, nil
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	answer, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return json.NewDecoder(answer.Body).Decode(into)
}

// Status of the application.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s, c.get(ctx, "/status", &s)
}

// Environment is what the processes are told about the services.
func (c *Client) Environment(ctx context.Context, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.get(ctx, "/env", into)
}

// Logs calls line for the newest n lines of a process ("" all), and with
// follow for each as it comes, until ctx ends or the application stops.
func (c *Client) Logs(ctx context.Context, process string, n int, follow bool, line func(logs.Line) error) error {
	q := url.Values{"process": {process}, "n": {strconv.Itoa(n)}, "follow": {strconv.FormatBool(follow)}}
	answer, err := c.do(ctx, http.MethodGet, "/logs?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return eachLine(ctx, answer.Body, line)
}

// Restart and Scale call step for each step on the way.
func (c *Client) Restart(ctx context.Context, process string, step func(string)) error {
	return c.steps(ctx, "/restart?process="+url.QueryEscape(process), step)
}

// Scale sets the number of instances of a process.
func (c *Client) Scale(ctx context.Context, process string, n int, step func(string)) error {
	return c.steps(ctx, "/scale?process="+url.QueryEscape(process)+"&n="+strconv.Itoa(n), step)
}

// Down stops the application and waits until it is gone.
func (c *Client) Down(ctx context.Context) error {
	answer, err := c.do(ctx, http.MethodPost, "/down", nil)
	if err != nil {
		return err
	}
	answer.Body.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// The lock of the data folder is the last thing a dayfly gives up.
		f, err := os.Open(filepath.Join(c.dir, "lock"))
		if err != nil {
			return err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		f.Close()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it is still stopping: %w", ctx.Err())
		}
	}
}

// Run enqueues a task.
func (c *Client) Run(ctx context.Context, run Run) (Ran, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	answer, err := c.do(ctx, http.MethodPost, "/run", run)
	if err != nil {
		return Ran{}, err
	}
	defer answer.Body.Close()
	var ran Ran
	return ran, json.NewDecoder(answer.Body).Decode(&ran)
}

func (c *Client) steps(ctx context.Context, path string, step func(string)) error {
	answer, err := c.do(ctx, http.MethodPost, path, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	done := false
	err = eachLine(ctx, answer.Body, func(s Step) error {
		switch {
		case s.Error != "":
			return errors.New(s.Error)
		case s.Done:
			done = true
		case step != nil:
			step(s.Text)
		}
		return nil
	})
	if err == nil && !done {
		return errors.New("dayfly ended before it was done; see `dayfly logs`")
	}
	return err
}

// eachLine decodes a stream of JSON lines.
func eachLine[T any](ctx context.Context, r io.Reader, f func(T) error) error {
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 64<<10), 4<<20)
	for scan.Scan() {
		var v T
		if err := json.Unmarshal(scan.Bytes(), &v); err != nil {
			return fmt.Errorf("not understood from dayfly: %w", err)
		}
		if err := f(v); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return scan.Err()
}
