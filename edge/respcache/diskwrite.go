package respcache

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// write has an object written, unless it is of no use for long or too many wait.
func (d *disk) write(o *object) {
	if m := o.meta.Load(); time.Until(m.useful()) < shortLived && m.etag == "" && m.modified.IsZero() {
		return
	}
	d.put(job{o, true})
}

// update has the record of an object written anew.
func (d *disk) update(o *object) {
	if o.onDisk.written.Load() {
		d.put(job{o, false})
	}
}

func (d *disk) put(j job) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	select {
	case d.jobs <- j:
		d.queued++
		d.mu.Unlock()
	default:
		d.mu.Unlock()
		d.c.meter.diskDropped.Add(1)
		if !j.whole { // what is there is not true any more
			d.remove(j.o)
		}
	}
}

func (d *disk) do(j job) error {
	o := j.o
	if o.gone.Load() {
		return nil
	}
	if !j.whole {
		return d.rewrite(o)
	}
	body := o.body.Load()
	if body == nil {
		return nil // it was evicted before
	}
	d.mu.Lock()
	n := d.next
	d.next++
	d.mu.Unlock()
	name := filepath.Join(fmt.Sprintf("%x", n%fileFolders), fmt.Sprintf("%016x", n))
	path := filepath.Join(d.dir, name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	size, err := encodeFile(f, o, *body, true)
	if errClose := f.Close(); err == nil {
		err = errClose
	}
	if err != nil {
		os.Remove(path)
		return err
	}
	d.mu.Lock()
	if o.gone.Load() || o.onDisk.element != nil {
		d.mu.Unlock()
		return os.Remove(path)
	}
	o.onDisk.name, o.onDisk.size = name, size
	o.onDisk.element = d.files.PushFront(o)
	d.bytes += size
	o.onDisk.written.Store(true)
	d.mu.Unlock()
	d.fit()
	return nil
}

// rewrite replaces the record of an object. It holds the lock, so that the file
// is not read meanwhile.
func (d *disk) rewrite(o *object) error {
	d.mu.Lock()
	if o.onDisk.element == nil {
		d.mu.Unlock()
		return nil
	}
	f, err := os.OpenFile(filepath.Join(d.dir, o.onDisk.name), os.O_RDWR, 0)
	if err == nil {
		var size int64
		size, err = encodeFile(f, o, nil, false)
		if errClose := f.Close(); err == nil {
			err = errClose
		}
		d.bytes += size - o.onDisk.size
		o.onDisk.size = size
	}
	d.mu.Unlock()
	if err != nil {
		d.remove(o)
	}
	return err
}

// load reads the body of an object.
func (d *disk) load(o *object) ([]byte, bool) {
	d.mu.Lock()
	name := o.onDisk.name
	there := o.onDisk.element != nil
	d.mu.Unlock()
	if !there {
		return nil, false
	}
	f, err := os.Open(filepath.Join(d.dir, name))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	body := make([]byte, o.length)
	if _, err := f.ReadAt(body, headBytes); err != nil && (err != io.EOF || o.length > 0) {
		return nil, false
	}
	return body, sum(body) == o.sum
}

// remove deletes an object's file.
func (d *disk) remove(o *object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(o)
}

func (d *disk) drop(o *object) {
	p := &o.onDisk
	if p.element == nil {
		return
	}
	p.written.Store(false)
	d.files.Remove(p.element)
	p.element = nil
	d.bytes -= p.size
	if err := os.Remove(filepath.Join(d.dir, p.name)); err != nil && !os.IsNotExist(err) {
		d.c.options().Log.Warn("a file of the response cache was not removed", "error", err)
	}
}

// fit deletes files until they are within their bounds. What was on disk only is
// gone then.
func (d *disk) fit() {
	var out []*object
	d.mu.Lock()
	for chances := d.files.Len(); d.files.Len() > 0 && (d.bytes > d.c.options().Disk || d.files.Len() > d.c.options().Files); {
		e := d.files.Back()
		o := e.Value.(*object)
		if n := o.uses.Load(); n > 0 && chances > 0 {
			o.uses.Store(n - 1)
			d.files.MoveToFront(e)
			chances--
			continue
		}
		d.drop(o)
		d.c.meter.evicted.Add(1)
		if o.body.Load() == nil {
			out = append(out, o)
		}
	}
	d.mu.Unlock()
	d.c.remove(out...)
}

func (d *disk) held() (files int, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files.Len(), d.bytes
}
