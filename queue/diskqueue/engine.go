// Package diskqueue is the embedded durable queue engine: a folder of this
// machine in place of a service.
//
// This first engine writes one line a change and syncs it before it answers;
// every message is also in memory.
package diskqueue

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

const maxInFlight = 120_000

// Options of Open; nil means the defaults.
type Options struct {
	Logger *slog.Logger // nil: discard
}

// Engine keeps queues in one folder.
type Engine struct {
	mu     sync.Mutex
	f      *os.File
	queues map[string]*state
	wake   chan struct{} // closed and replaced when a message may have become visible
	done   chan struct{}
}

var (
	_ driver.Service = (*Engine)(nil)
	_ driver.Browser = (*Engine)(nil)
)

type state struct {
	Attributes        driver.Attributes
	Tags              map[string]string
	Created, Modified time.Time
	purged            time.Time
	messages          []*message // oldest first
}

type message struct {
	driver.Message
	VisibleAt time.Time
	Delayed   bool
}

// record is one line of the log: the queue and what became of it.
type record struct {
	Queue      string
	Drop       bool               `json:",omitempty"`
	Purge      bool               `json:",omitempty"`
	Attributes *driver.Attributes `json:",omitempty"`
	Tags       map[string]string  `json:",omitempty"`
	Put        []*message         `json:",omitempty"`
	Gone       []string           `json:",omitempty"`
}

// Open opens or makes the store in dir.
func Open(dir string, o *Options) (*Engine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "log.json"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	e := &Engine{f: f, queues: map[string]*state{}, wake: make(chan struct{}), done: make(chan struct{})}
	for d := json.NewDecoder(bufio.NewReader(f)); d.More(); {
		var r record
		if err := d.Decode(&r); err != nil {
			break
		}
		e.apply(r)
	}
	return e, nil
}

func (e *Engine) apply(r record) {
	q := e.queues[r.Queue]
	if r.Drop {
		delete(e.queues, r.Queue)
		return
	}
	if q == nil {
		q = &state{Created: time.Now()}
		e.queues[r.Queue] = q
	}
	if r.Attributes != nil {
		q.Attributes, q.Modified = *r.Attributes, time.Now()
	}
	if r.Tags != nil {
		q.Tags = r.Tags
	}
	if r.Purge {
		q.messages = nil
	}
	for _, m := range r.Put {
		if i := q.find(m.ID); i >= 0 {
			q.messages[i] = m
		} else {
			q.messages = append(q.messages, m)
		}
	}
	for _, id := range r.Gone {
		if i := q.find(id); i >= 0 {
			q.messages = append(q.messages[:i:i], q.messages[i+1:]...)
		}
	}
	close(e.wake)
	e.wake = make(chan struct{})
}

func (q *state) find(id string) int {
	for i, m := range q.messages {
		if m.ID == id {
			return i
		}
	}
	return -1
}

// commit writes and syncs records, then applies them.
func (e *Engine) commit(rs ...record) error {
	var b []byte
	for _, r := range rs {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		b = append(append(b, line...), '\n')
	}
	if _, err := e.f.Write(b); err != nil {
		return err
	}
	if err := e.f.Sync(); err != nil {
		return err
	}
	for _, r := range rs {
		e.apply(r)
	}
	return nil
}

func (e *Engine) queue(name string) (*state, error) {
	select {
	case <-e.done:
		return nil, driver.ErrClosed
	default:
	}
	q := e.queues[name]
	if q == nil {
		return nil, fmt.Errorf("queue %q: %w", name, driver.ErrQueueNotFound)
	}
	limit := time.Now().Add(-q.Attributes.Retention)
	for len(q.messages) > 0 && q.messages[0].Sent.Before(limit) {
		q.messages = q.messages[1:]
	}
	return q, nil
}

// CreateQueue implements driver.Service.
func (e *Engine) CreateQueue(_ context.Context, name string, a driver.Attributes, tags map[string]string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.queue(name)
	if errors.Is(err, driver.ErrClosed) {
		return err
	}
	if a.FIFO {
		return fmt.Errorf("create queue %q: FIFO queues: %w", name, driver.ErrUnsupported)
	}
	if q != nil {
		if !reflect.DeepEqual(q.Attributes, a) {
			return fmt.Errorf("create queue %q: %w", name, driver.ErrQueueExists)
		}
		return nil
	}
	if tags == nil {
		tags = map[string]string{}
	}
	return e.commit(record{Queue: name, Attributes: &a, Tags: tags})
}

// DeleteQueue implements driver.Service.
func (e *Engine) DeleteQueue(_ context.Context, name string) error {
	return e.change(name, record{Drop: true})
}

// SetAttributes implements driver.Service.
func (e *Engine) SetAttributes(_ context.Context, name string, a driver.Attributes) error {
	return e.change(name, record{Attributes: &a})
}

// SetTags implements driver.Service.
func (e *Engine) SetTags(_ context.Context, name string, tags map[string]string) error {
	if tags == nil {
		tags = map[string]string{}
	}
	return e.change(name, record{Tags: tags})
}

func (e *Engine) change(name string, r record) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.queue(name); err != nil {
		return err
	}
	r.Queue = name
	return e.commit(r)
}

// Purge implements driver.Service.
func (e *Engine) Purge(_ context.Context, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.queue(name)
	if err != nil {
		return err
	}
	if time.Since(q.purged) < time.Minute {
		return fmt.Errorf("purge %q: %w", name, driver.ErrPurgeInProgress)
	}
	q.purged = time.Now()
	return e.commit(record{Queue: name, Purge: true})
}

// ListQueues implements driver.Service.
func (e *Engine) ListQueues(_ context.Context, o driver.ListOptions) (driver.ListPage, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var p driver.ListPage
	for name := range e.queues {
		if strings.HasPrefix(name, o.Prefix) && name > o.After {
			p.Names = append(p.Names, name)
		}
	}
	sort.Strings(p.Names)
	if len(p.Names) > o.Max {
		p.Names = p.Names[:o.Max]
		p.Next = p.Names[o.Max-1]
	}
	return p, nil
}

func (m *message) state(now time.Time) driver.State {
	switch {
	case !m.VisibleAt.After(now):
		return driver.StateVisible
	case m.Delayed:
		return driver.StateDelayed
	}
	return driver.StateInFlight
}

// Describe implements driver.Service.
func (e *Engine) Describe(_ context.Context, name string) (driver.Description, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.queue(name)
	if err != nil {
		return driver.Description{}, err
	}
	d := driver.Description{Name: name, Attributes: q.Attributes, Tags: q.Tags, Created: q.Created, Modified: q.Modified}
	now := time.Now()
	for _, m := range q.messages {
		switch m.state(now) {
		case driver.StateVisible:
			d.Visible++
		case driver.StateDelayed:
			d.Delayed++
		case driver.StateInFlight:
			d.InFlight++
		}
	}
	if len(q.messages) > 0 {
		d.OldestAge = now.Sub(q.messages[0].Sent)
	}
	return d, nil
}

// Send implements driver.Service.
func (e *Engine) Send(_ context.Context, name string, out []driver.Outgoing) ([]driver.Sent, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.queue(name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	r := record{Queue: name}
	sent := make([]driver.Sent, len(out))
	for i, o := range out {
		if len(o.Body) > q.Attributes.MaxMessageSize {
			return nil, fmt.Errorf("send to %q: %w", name, driver.ErrTooLarge)
		}
		if o.Delay < 0 {
			o.Delay = q.Attributes.Delay
		}
		sent[i].ID = uuid.NewString()
		r.Put = append(r.Put, &message{
			Message: driver.Message{ID: sent[i].ID, Body: o.Body, Attributes: o.Attributes, System: o.System, Sent: now,
				GroupID: o.GroupID},
			VisibleAt: now.Add(o.Delay), Delayed: o.Delay > 0,
		})
	}
	return sent, e.commit(r)
}

// Receive implements driver.Service.
func (e *Engine) Receive(ctx context.Context, name string, o driver.ReceiveOptions) ([]driver.Message, error) {
	var deadline time.Time
	for {
		e.mu.Lock()
		q, err := e.queue(name)
		if err != nil {
			e.mu.Unlock()
			return nil, err
		}
		if o.Wait < 0 {
			o.Wait = q.Attributes.ReceiveWait
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(o.Wait)
		}
		got, next, err := e.take(name, q, o)
		wake := e.wake
		e.mu.Unlock()
		left := time.Until(deadline)
		if len(got) > 0 || err != nil || left <= 0 {
			return got, err
		}
		if !next.IsZero() {
			left = min(left, time.Until(next))
		}
		timer := time.NewTimer(left)
		select {
		case <-wake:
		case <-timer.C:
		case <-e.done:
			err = driver.ErrClosed
		case <-ctx.Done():
			err = ctx.Err()
		}
		timer.Stop()
		if err != nil {
			return nil, err
		}
	}
}

// take receives what is visible, and says when the next message will be.
func (e *Engine) take(name string, q *state, o driver.ReceiveOptions) (got []driver.Message, next time.Time, err error) {
	now := time.Now()
	inFlight := 0
	var picked []*message
	for _, m := range q.messages {
		if m.state(now) == driver.StateVisible {
			picked = append(picked, m)
			continue
		}
		if m.state(now) == driver.StateInFlight {
			inFlight++
		}
		if next.IsZero() || m.VisibleAt.Before(next) {
			next = m.VisibleAt
		}
	}
	if o.Visibility < 0 {
		o.Visibility = q.Attributes.Visibility
	}
	var rs []record
	for _, m := range picked {
		if len(got) == o.Max {
			break
		}
		d := q.Attributes.DeadLetter
		if d != nil && m.Receives >= d.MaxReceives && e.queues[d.Queue] != nil {
			moved := *m
			moved.Source, moved.VisibleAt = name, now
			rs = append(rs, record{Queue: d.Queue, Put: []*message{&moved}}, record{Queue: name, Gone: []string{m.ID}})
			continue
		}
		if inFlight >= maxInFlight {
			return nil, next, fmt.Errorf("receive from %q: %w", name, driver.ErrOverLimit)
		}
		c := *m
		c.Receives++
		if c.FirstReceived.IsZero() {
			c.FirstReceived = now
		}
		c.Delayed = false
		c.Receipt = m.ID + "." + rand.Text()
		c.VisibleAt = now.Add(o.Visibility)
		rs = append(rs, record{Queue: name, Put: []*message{&c}})
		got = append(got, c.Message)
	}
	if len(rs) > 0 {
		err = e.commit(rs...)
	}
	return got, next, err
}

// byReceipt finds a message; nil when the receipt is well formed but outdated.
func (q *state) byReceipt(receipt string) (*message, error) {
	id, token, ok := strings.Cut(receipt, ".")
	if _, err := uuid.Parse(id); err != nil || !ok || len(token) != 26 {
		return nil, driver.ErrReceiptInvalid
	}
	if i := q.find(id); i >= 0 && q.messages[i].Receipt == receipt {
		return q.messages[i], nil
	}
	return nil, nil
}

// Delete implements driver.Service.
func (e *Engine) Delete(_ context.Context, name string, receipts []string) ([]error, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.queue(name)
	if err != nil {
		return nil, err
	}
	r := record{Queue: name}
	errs := make([]error, len(receipts))
	for i, receipt := range receipts {
		m, err := q.byReceipt(receipt)
		errs[i] = err
		if m != nil {
			r.Gone = append(r.Gone, m.ID)
		}
	}
	return errs, e.commit(r)
}

// ChangeVisibility implements driver.Service.
func (e *Engine) ChangeVisibility(_ context.Context, name string, cs []driver.VisibilityChange) ([]error, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.queue(name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	r := record{Queue: name}
	errs := make([]error, len(cs))
	for i, c := range cs {
		m, err := q.byReceipt(c.Receipt)
		if err == nil && (m == nil || m.state(now) != driver.StateInFlight) {
			err = driver.ErrNotInFlight
		}
		if errs[i] = err; err == nil {
			changed := *m
			changed.VisibleAt = now.Add(c.Visibility)
			r.Put = append(r.Put, &changed)
		}
	}
	return errs, e.commit(r)
}

// Browse implements driver.Browser.
func (e *Engine) Browse(_ context.Context, name, after string, max int) ([]driver.Browsed, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.queue(name)
	if err != nil {
		return nil, err
	}
	var out []driver.Browsed
	now := time.Now()
	for _, m := range q.messages[q.find(after)+1:] {
		if len(out) == max {
			break
		}
		b := driver.Browsed{Message: m.Message, State: m.state(now), VisibleAt: m.VisibleAt}
		b.Receipt = ""
		out = append(out, b)
	}
	return out, nil
}

// DeleteID implements driver.Browser.
func (e *Engine) DeleteID(_ context.Context, name, id string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.queue(name)
	if err != nil || q.find(id) < 0 {
		return false, err
	}
	return true, e.commit(record{Queue: name, Gone: []string{id}})
}

// Close implements driver.Service.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.done:
		return nil
	default:
	}
	close(e.done)
	return e.f.Close()
}
