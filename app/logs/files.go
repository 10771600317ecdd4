package logs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	rotateAt  = 10 << 20 // bytes of a file before it is rotated
	rotations = 5        // old files kept: web.log.1 … web.log.5
	flushEach = time.Second
	retryFile = 30 * time.Second
)

// files writes one file a group, lines as JSON, buffered for at most a second:
// logs are not acknowledged to anyone, so they are not synced.
type files struct {
	dir  string
	mu   sync.Mutex
	open map[string]*file
	stop chan struct{}
	done chan struct{}
}

type file struct {
	f       *os.File
	w       *bufio.Writer
	size    int64
	broken  time.Time // when it last failed; zero: it works
	dropped int
}

func openFiles(dir string) (*files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	fs := &files{dir: dir, open: map[string]*file{}, stop: make(chan struct{}), done: make(chan struct{})}
	go fs.flushLoop()
	return fs, nil
}

func (fs *files) flushLoop() {
	defer close(fs.done)
	tick := time.NewTicker(flushEach)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fs.flush()
		case <-fs.stop:
			return
		}
	}
}

func (fs *files) flush() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.open {
		if f.f != nil {
			f.fail(f.w.Flush())
		}
	}
}

func (fs *files) write(group string, l Line) {
	text, err := json.Marshal(l)
	if err != nil {
		return // a Line always marshals
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.open[group]
	if f == nil {
		f = &file{}
		fs.open[group] = f
	}
	if f.f == nil && !fs.reopen(group, f) {
		f.dropped++
		return
	}
	if f.size > rotateAt {
		fs.rotate(group, f)
		if f.f == nil {
			f.dropped++
			return
		}
	}
	n, err := f.w.Write(append(text, '\n'))
	f.size += int64(n)
	f.fail(err)
}

func (fs *files) path(group string) string { return filepath.Join(fs.dir, group+".log") }

func (fs *files) reopen(group string, f *file) bool {
	if !f.broken.IsZero() && time.Since(f.broken) < retryFile {
		return false
	}
	h, err := os.OpenFile(fs.path(group), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		f.broken = time.Now()
		return false
	}
	if fi, err := h.Stat(); err == nil {
		f.size = fi.Size()
	}
	f.f, f.w, f.broken = h, bufio.NewWriterSize(h, 64<<10), time.Time{}
	if f.dropped > 0 {
		note, _ := json.Marshal(Line{Time: time.Now(), Process: "dayfly", Stream: "dayfly",
			Text: fmt.Sprintf("… %d lines could not be written here", f.dropped)})
		f.w.Write(append(note, '\n')) //nolint:errcheck // the buffered error comes back at the next write
		f.dropped = 0
	}
	return true
}

func (fs *files) rotate(group string, f *file) {
	f.w.Flush() //nolint:errcheck // the file is given up either way
	f.f.Close()
	f.f = nil
	Rotate(fs.path(group))
	fs.reopen(group, f)
}

// Rotate renames path to path.1, path.1 to path.2 and so on; five are kept.
func Rotate(path string) {
	for i := rotations - 1; i >= 1; i-- {
		os.Rename(fmt.Sprintf("%s.%d", path, i), fmt.Sprintf("%s.%d", path, i+1)) //nolint:errcheck // there may be none yet
	}
	os.Rename(path, path+".1") //nolint:errcheck // the lines then follow in the old file
}

// fail closes a file that cannot be written; it is opened again later.
func (f *file) fail(err error) {
	if err == nil || f.f == nil {
		return
	}
	f.f.Close()
	f.f, f.broken = nil, time.Now()
	f.dropped++
}

func (fs *files) close() error {
	close(fs.stop)
	<-fs.done
	fs.flush()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var errs []error
	for _, f := range fs.open {
		if f.f != nil {
			errs = append(errs, f.f.Close())
			f.f = nil
			f.broken = time.Now()
		}
	}
	return errors.Join(errs...)
}

// ReadFiles returns the newest n lines of a process, a group or all from the
// files of a folder, for when no dayfly runs. It reads at most the last 1 MiB
// of each current file.
func ReadFiles(dir, process string, n int) ([]Line, error) {
	pattern := "*.log"
	if process != "" {
		pattern = Group(process) + ".log"
	}
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return nil, err
	}
	var all []Line
	for _, p := range paths {
		text, err := tail(p, 1<<20)
		if err != nil {
			return nil, err
		}
		for row := range strings.Lines(text) {
			var l Line
			if json.Unmarshal([]byte(row), &l) == nil && l.Process != "" && matches(process, l.Process) {
				all = append(all, l)
			}
		}
	}
	sortByTime(all)
	if len(all) > n {
		all = all[len(all)-n:]
	}
	return all, nil
}

func tail(path string, most int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := max(0, fi.Size()-most)
	text := make([]byte, fi.Size()-from)
	n, err := f.ReadAt(text, from)
	if n == 0 && err != nil && fi.Size() > 0 {
		return "", err
	}
	return string(text[:n]), nil
}
