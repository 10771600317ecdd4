package respcache

import (
	"container/list"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// shortLived is how long an object must be of use to be written to disk.
	shortLived = 10 * time.Second
	// waitingWrites bounds the bodies that wait for the disk, by number; they
	// are in memory anyway.
	waitingWrites = 256
	fileFolders   = 16
)

// A disk keeps objects in files, one each, written beside the requests by one
// goroutine. Its bound in bytes and in files is kept by the order in which they
// were written; one used since then has a second chance.
type disk struct {
	c   *Cache
	dir string

	jobs chan job
	done chan struct{}

	mu     sync.Mutex // guards what follows, and the files
	closed bool
	queued int // jobs that are not done
	next   uint64
	files  list.List // of *object, the newest at the front
	bytes  int64
}

// A diskPlace is where an object is on disk.
type diskPlace struct {
	written atomic.Bool
	// Of the disk, under its lock.
	name    string
	size    int64
	element *list.Element
}

type job struct {
	o     *object
	whole bool
}

// openDisk takes in what is in the folder. Files that are damaged, of another
// version or of no use any more are removed.
func openDisk(c *Cache) (*disk, error) {
	d := &disk{c: c, dir: c.options().Dir, jobs: make(chan job, waitingWrites), done: make(chan struct{})}
	for i := range fileFolders {
		if err := os.MkdirAll(filepath.Join(d.dir, fmt.Sprintf("%x", i)), 0o700); err != nil {
			return nil, fmt.Errorf("respcache: %w", err)
		}
	}
	c.disk = d
	for i := range fileFolders {
		if err := d.scan(fmt.Sprintf("%x", i)); err != nil {
			return nil, fmt.Errorf("respcache: %w", err)
		}
	}
	d.fit()
	c.fit()
	go d.run()
	return d, nil
}

// scan takes in the files of one folder.
func (d *disk) scan(folder string) error {
	entries, err := os.ReadDir(filepath.Join(d.dir, folder))
	if err != nil {
		return err
	}
	now := time.Now()
	for _, e := range entries {
		name := filepath.Join(folder, e.Name())
		n, err := strconv.ParseUint(e.Name(), 16, 64)
		o, size, ok := d.read(name)
		if err != nil || !ok || d.c.useless(o, now) {
			os.Remove(filepath.Join(d.dir, name))
			continue
		}
		d.next = max(d.next, n+1)
		o.onDisk.name, o.onDisk.size = name, size
		o.onDisk.element = d.files.PushFront(o)
		o.onDisk.written.Store(true)
		d.bytes += size
		d.c.adopt(o)
	}
	return nil
}

// read reads what is kept of the object in a file, but for its body.
func (d *disk) read(name string) (*object, int64, bool) {
	f, err := os.Open(filepath.Join(d.dir, name))
	if err != nil {
		return nil, 0, false
	}
	defer f.Close()
	h, r, err := readRecord(f)
	if err != nil {
		return nil, 0, false
	}
	o, ok := r.object(d.c, h)
	return o, headBytes + h.body + h.record, ok && h.body <= d.c.options().MaxBody
}

// useless reports whether an object can be of no use any more.
func (c *Cache) useless(o *object, now time.Time) bool {
	m := o.meta.Load()
	return now.After(m.useful()) && m.etag == "" && m.modified.IsZero()
}

// adopt takes in an object that is on disk only.
func (c *Cache) adopt(o *object) {
	s := c.shardAt(o.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.objects[o.key] = append([]*object{o}, s.objects[o.key]...)
	c.tag(o)
	o.cost = o.memory()
	c.evict.shell.push(o)
}

func (d *disk) run() {
	defer close(d.done)
	for j := range d.jobs {
		if err := d.do(j); err != nil {
			d.c.meter.diskDropped.Add(1)
			d.c.options().Log.Warn("an answer was not cached on disk", "error", err)
		}
		d.mu.Lock()
		d.queued--
		d.mu.Unlock()
	}
}

// waiting is how many objects are still to be written.
func (d *disk) waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queued
}

// close writes what waits.
func (d *disk) close() {
	d.mu.Lock()
	d.closed = true
	close(d.jobs)
	d.mu.Unlock()
	<-d.done
}
