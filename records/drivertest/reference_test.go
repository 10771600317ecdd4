package drivertest_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// memory is what several references keep together, and the way to it.
type memory struct {
	mu      sync.Mutex
	records map[string]driver.Record
	before  map[string]driver.Record // without the last write
	cut     int                      // packets until the connection breaks; negative: it holds
	late    func()                   // a write on its way after its connection broke
}

func newMemory() *memory { return &memory{records: map[string]driver.Record{}, cut: -1} }

// reference is a driver with at most one bug.
type reference struct {
	*memory
	wrong  string
	first  bool // of those on this memory
	seen   map[string]driver.Record
	closed bool
}

func newReference(m *memory, wrong string, first bool) *reference {
	return &reference{memory: m, wrong: wrong, first: first, seen: map[string]driver.Record{}}
}

var errCut = errors.New("the connection broke")

// ready takes the lock, some time after it was asked for, as over a network.
func (r *reference) ready(ctx context.Context) error {
	time.Sleep(mathrand.N(time.Millisecond))
	if err := ctx.Err(); err != nil && r.wrong != "an ended context is ignored" {
		return err
	}
	r.mu.Lock()
	if r.closed && r.wrong != "a closed store answers" {
		r.mu.Unlock()
		return driver.ErrClosed
	}
	return nil
}

// passes says whether a packet arrives.
func (r *reference) passes() bool {
	if !r.first || r.cut < 0 {
		return true
	}
	r.cut--
	return r.cut >= 0
}

// pause lets others in, between looking and writing.
func (r *reference) pause() {
	r.mu.Unlock()
	time.Sleep(time.Millisecond)
	r.mu.Lock()
}

func (r *reference) key(key string) string {
	switch r.wrong {
	case "keys have no case":
		return strings.ToLower(key)
	case "keys have no spaces at the end":
		return strings.TrimRight(key, " ")
	}
	return key
}

func (r *reference) expired(x driver.Record) bool {
	if r.wrong == "records live a second longer" {
		x.Expires = x.Expires.Add(time.Second)
	}
	return !x.Expires.IsZero() && !x.Expires.After(time.Now())
}

func (r *reference) Get(ctx context.Context, key string) (driver.Record, error) {
	if err := r.ready(ctx); err != nil {
		return driver.Record{}, err
	}
	defer r.mu.Unlock()
	if !r.passes() {
		return driver.Record{}, errCut
	}
	x, ok := r.records[r.key(key)]
	if r.wrong == "reads are remembered" && !r.first {
		if old, seen := r.seen[key]; seen && ok {
			x = old
		}
		r.seen[key] = x
	}
	if !ok || r.expired(x) && r.wrong != "expiry is ignored by get" {
		return driver.Record{}, driver.ErrNotFound
	}
	if !r.passes() {
		return driver.Record{}, errCut
	}
	x.Key = key
	return r.clone(x), nil
}

func (r *reference) clone(x driver.Record) driver.Record {
	if r.wrong != "values are shared" {
		x.Value = bytes.Clone(x.Value)
	}
	return x
}

// sent does a write over the connection.
func (r *reference) sent(ctx context.Context, pause bool, allowed func() bool, apply func()) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	defer r.mu.Unlock()
	for {
		if !r.passes() {
			r.late = apply
			if r.wrong == "a lost request is taken for done" {
				return nil
			}
			return errCut
		}
		ok := allowed()
		if pause {
			r.pause()
		}
		if ok {
			r.before = maps.Clone(r.records)
			apply()
			if r.late != nil && r.wrong == "a late write looks at nothing" {
				r.late()
				r.late = nil
			}
		}
		switch answered := r.passes(); {
		case answered && ok:
			return nil
		case answered, r.wrong == "a lost answer is a conflict":
			return driver.ErrConflict
		case r.wrong != "a lost answer is asked for again":
			return errCut
		}
	}
}

func (r *reference) matches(x driver.Record, ok bool, version string) bool {
	switch {
	case version == "":
		return !ok || r.expired(x) && r.wrong != "expiry is ignored by put"
	case !ok:
		return r.wrong == "a write needs no record"
	case r.wrong == "versions have no case":
		return strings.EqualFold(x.Version, version)
	case r.wrong == "a star is any version" && version == "*":
		return true
	}
	return x.Version == version
}

func (r *reference) Put(ctx context.Context, x driver.Record) (string, error) {
	version := r.version(x)
	key := r.key(x.Key)
	allowed := func() bool {
		old, ok := r.records[key]
		match := r.matches(old, ok, x.Version)
		if !match && r.wrong == "a conflict changes the mark" {
			old.Mark = x.Mark
			r.records[key] = old
		}
		return match
	}
	pause := r.wrong == "a put looks and then writes" || r.wrong == "taking over looks and then writes" && r.expires(key)
	err := r.sent(ctx, pause, allowed, func() {
		next := r.clone(x)
		next.Version = version
		switch old := r.records[key]; {
		case r.wrong == "the expiry of before stays" && !old.Expires.IsZero() && x.Version != "":
			next.Expires = old.Expires
		case r.wrong == "values end at 64 KiB" && len(next.Value) > 65535:
			next.Value = next.Value[:65535]
		case r.wrong == "expiries end in 2038" && next.Expires.Unix() > 1<<31-1:
			next.Expires = time.Unix(1<<31-1, 0).UTC()
		}
		r.records[key] = next
	})
	if err != nil {
		return "", err
	}
	return version, nil
}

func (r *reference) expires(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := r.records[key]
	return ok && r.expired(x)
}

func (r *reference) version(x driver.Record) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.wrong {
	case "versions are counted":
		n, _ := strconv.Atoi(x.Version)
		return strconv.Itoa(n + 1)
	case "versions are of the value":
		sum := sha256.Sum256(append([]byte(x.Key), x.Value...))
		return hex.EncodeToString(sum[:])
	}
	return rand.Text()
}

func (r *reference) Delete(ctx context.Context, key, version string) error {
	allowed := func() bool {
		old, ok := r.records[r.key(key)]
		return ok && (r.wrong == "a delete looks at no version" || r.matches(old, ok, version))
	}
	return r.sent(ctx, r.wrong == "a delete looks and then removes", allowed, func() { delete(r.records, r.key(key)) })
}

func (r *reference) List(ctx context.Context, mark, from string, n int) (found []driver.Record, next string, err error) {
	if err := r.ready(ctx); err != nil {
		return nil, "", err
	}
	defer r.mu.Unlock()
	if asked := r.passes(); !asked || !r.passes() { // and answered
		return nil, "", errCut
	}
	all := slices.SortedFunc(maps.Values(r.records), func(a, b driver.Record) int { return cmp.Compare(a.Key, b.Key) })
	all = slices.DeleteFunc(all, func(x driver.Record) bool {
		return x.Mark != mark || r.wrong != "what expired ends a page" && r.wrong != "expiry is ignored by list" && r.expired(x)
	})
	skip, _ := strconv.Atoi(from)
	if r.wrong != "a list counts" {
		skip, _ = slices.BinarySearchFunc(all, from, func(x driver.Record, from string) int { return cmp.Compare(x.Key, from) })
	}
	all = all[min(skip, len(all)):]
	if len(all) > n {
		next, all = all[n].Key, all[:n]
		switch r.wrong {
		case "a list counts":
			next = strconv.Itoa(skip + n)
		case "a page begins with the last of the one before":
			next = all[n-1].Key
		case "a list ends at a thousand":
			if n == 1000 {
				next = ""
			}
		}
	}
	for _, x := range all {
		if r.wrong != "what expired ends a page" || !r.expired(x) {
			found = append(found, r.clone(x))
		}
	}
	if r.wrong == "what expired ends a page" && len(found) < n {
		next = ""
	}
	return found, next, nil
}

func (r *reference) Sweep(ctx context.Context, n int) (removed int, err error) {
	if err := r.ready(ctx); err != nil {
		return 0, err
	}
	defer r.mu.Unlock()
	margin := time.Hour
	switch r.wrong {
	case "a sweep takes what just expired":
		margin = 0
	case "a sweep takes all":
		n = len(r.records)
	}
	var keys []string
	for key, x := range r.records {
		if len(keys) < n && !x.Expires.IsZero() && x.Expires.Before(time.Now().Add(-margin)) {
			keys = append(keys, key)
		}
	}
	if r.wrong == "a sweep looks and then removes" {
		r.pause()
	}
	for _, key := range keys {
		delete(r.records, key)
	}
	return len(keys), nil
}

func (r *reference) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}
