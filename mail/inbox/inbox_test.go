package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t testing.TB, dir string, opts *Options) *Inbox {
	t.Helper()
	b, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func letter(subject string) string {
	return "From: a@example.com\r\nTo: b@example.com\r\nSubject: " + subject + "\r\n\r\nbody of " + subject + "\r\n"
}

func (b *Inbox) add(t testing.TB, subject string) Entry {
	t.Helper()
	e, err := b.Add(t.Context(), Envelope{From: "a@example.com", To: []string{"b@example.com", "hidden@example.com"}, Via: "test"}, strings.NewReader(letter(subject)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (b *Inbox) subjects() []string {
	mails, _ := b.List("", 1_000_000)
	var s []string
	for _, m := range mails {
		s = append(s, m.Subject)
	}
	return s
}

func TestAddAndGet(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, nil)
	e := b.add(t, "=?utf-8?q?=C3=BCber?=")
	if e.Subject != "über" || e.From != "a@example.com" || e.Broken != "" {
		t.Errorf("entry %+v", e)
	}
	if diff := cmp.Diff([]string{"b@example.com", "hidden@example.com"}, e.To); diff != "" {
		t.Errorf("recipients, the hidden one among them: %s", diff)
	}
	m, err := b.Get(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if m.Text != "body of =?utf-8?q?=C3=BCber?=\n" || m.Header["Return-Path"][0] != "<a@example.com>" || !strings.Contains(m.Header["Received"][0], "via test") {
		t.Errorf("mail %+v", m)
	}
	r, err := b.Raw(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := io.ReadAll(r)
	r.Close()
	if !strings.HasSuffix(string(raw), letter("=?utf-8?q?=C3=BCber?=")) || int64(len(raw)) != e.Size {
		t.Errorf("raw, %d bytes of %d:\n%s", len(raw), e.Size, raw)
	}
	for _, id := range []string{"", "x", "../" + e.ID, e.ID + "x", "20261121T000000.000000000Z-abc"} {
		if _, err := b.Get(id); !errors.Is(err, ErrNotFound) {
			t.Errorf("get %q: %v", id, err)
		}
	}
}

func TestReopenKeepsOrderAndDropsHalfMails(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, nil)
	for i := range 5 {
		b.add(t, fmt.Sprint(i))
	}
	before, _ := b.List("", 10)
	b.Close()
	half := filepath.Join(dir, tempDir, "half")
	if err := os.WriteFile(half, []byte("From: half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"notes.txt": "not a mail", "x.eml": "not our name",
		"20200101T000000.000000000Z-empty0.eml": "", "20200101T000000.000000001Z-noise0.eml": "\x00\x01no header here",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b = open(t, dir, nil)
	after, total := b.List("", 10)
	if diff := cmp.Diff(before, after[:5]); diff != "" {
		t.Errorf("after reopening (-before +after):\n%s", diff)
	}
	if total != 7 || after[5].Broken == "" || after[6].Broken == "" {
		t.Errorf("%d mails, the broken ones are %+v", total, after[5:])
	}
	if m, err := b.Get(after[5].ID); err != nil || m.Broken == "" {
		t.Errorf("a broken mail: %+v, %v", m, err)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Error("the half mail is still there")
	}
	if _, err := os.Stat(filepath.Join(dir, "notes.txt")); err != nil {
		t.Error("a file that is no mail was touched")
	}
	if err := b.Delete(after[5].ID); err != nil {
		t.Errorf("delete a broken mail: %v", err)
	}
}

func TestClockSetBack(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 999_999_999, time.UTC)
	b := open(t, t.TempDir(), &Options{now: func() time.Time { at = at.Add(-time.Hour); return at }})
	for i := range 4 {
		b.add(t, fmt.Sprint(i))
	}
	if diff := cmp.Diff([]string{"3", "2", "1", "0"}, b.subjects()); diff != "" {
		t.Error(diff)
	}
}

func TestListInPages(t *testing.T) {
	b := open(t, t.TempDir(), nil)
	for i := range 7 {
		b.add(t, fmt.Sprint(i))
	}
	var got []string
	before := ""
	for {
		page, total := b.List(before, 3)
		if total != 7 {
			t.Errorf("total %d", total)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			got = append(got, e.Subject)
		}
		before = page[len(page)-1].ID
	}
	if diff := cmp.Diff([]string{"6", "5", "4", "3", "2", "1", "0"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestBounds(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	b := open(t, dir, &Options{MaxMails: 3, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for i := range 5 {
		b.add(t, fmt.Sprint(i))
	}
	if diff := cmp.Diff([]string{"4", "3", "2"}, b.subjects()); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(log.String(), "dropped the oldest") {
		t.Errorf("the log does not say that mails were dropped:\n%s", &log)
	}
	size := b.entries[0].Size
	b.Close()
	b = open(t, dir, &Options{MaxBytes: 2*size + 1})
	if diff := cmp.Diff([]string{"4", "3"}, b.subjects()); diff != "" {
		t.Errorf("reopened with a smaller bound: %s", diff)
	}
	_, err := b.Add(t.Context(), Envelope{}, strings.NewReader(strings.Repeat("x", int(3*size))))
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("a mail above the bound: %v", err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if len(files) != 2 {
		t.Errorf("on disk: %q", files)
	}
	if got := b.Usage(); got != 2*size {
		t.Errorf("usage %d, want %d", got, 2*size)
	}
	for _, o := range []Options{{MaxMails: -1}, {MaxBytes: -1}} {
		if _, err := Open(dir, &o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestDelete(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, nil)
	var ids []string
	for i := range 4 {
		ids = append(ids, b.add(t, fmt.Sprint(i)).ID)
	}
	if err := b.Delete(ids[1]); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ids[1]); !errors.Is(err, ErrNotFound) {
		t.Errorf("second delete: %v", err)
	}
	b.Close()
	b = open(t, dir, nil)
	if diff := cmp.Diff([]string{"3", "2", "0"}, b.subjects()); diff != "" {
		t.Error(diff)
	}
	if n, err := b.DeleteAll(); n != 3 || err != nil {
		t.Errorf("delete all: %d, %v", n, err)
	}
	if _, total := b.List("", 1); total != 0 || b.Usage() != 0 {
		t.Errorf("%d mails, %d bytes left", total, b.Usage())
	}
}

func TestSubscribe(t *testing.T) {
	b := open(t, t.TempDir(), nil)
	changed, stop := b.Subscribe()
	e := b.add(t, "one")
	b.add(t, "two") // told together with the first
	<-changed
	select {
	case <-changed:
		t.Error("told twice")
	default:
	}
	if err := b.Delete(e.ID); err != nil {
		t.Fatal(err)
	}
	<-changed
	stop()
	stop()
	if _, open := <-changed; open {
		t.Error("the channel is open after stop")
	}
	other, stop := b.Subscribe()
	b.Close()
	if _, open := <-other; open {
		t.Error("the channel is open after Close")
	}
	stop()
	if _, err := b.Add(t.Context(), Envelope{}, strings.NewReader("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("add after Close: %v", err)
	}
}

// failing is a file system whose n-th operation fails. After "crash" it fails all
// later ones too, as if the process had died there.
type failing struct {
	disk
	mu    sync.Mutex
	n, at int
	crash bool
	err   error
}

func (f *failing) fails() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if f.n == f.at || f.crash && f.n > f.at {
		return f.err
	}
	return nil
}

func (f *failing) Create(p string) (file, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	inner, err := f.disk.Create(p)
	return &failingFile{inner, f}, err
}

func (f *failing) Rename(a, b string) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.disk.Rename(a, b)
}

func (f *failing) Remove(p string) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.disk.Remove(p)
}

func (f *failing) SyncDir(p string) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.disk.SyncDir(p)
}

type failingFile struct {
	file
	f *failing
}

func (f *failingFile) Write(p []byte) (int, error) {
	if err := f.f.fails(); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *failingFile) Sync() error {
	if err := f.f.fails(); err != nil {
		return err
	}
	return f.file.Sync()
}

// TestDiskFails fails each operation of an add in turn, once alone and once with
// all that follow. An add that fails leaves no mail, one that succeeds leaves it,
// and the mails from before are all there, also after reopening.
func TestDiskFails(t *testing.T) {
	for _, crash := range []bool{false, true} {
		for at := 1; ; at++ {
			dir := t.TempDir()
			b := open(t, dir, nil)
			b.add(t, "before")
			f := &failing{disk: osDisk{}, at: at, crash: crash, err: syscall.ENOSPC}
			b.opts.disk = f
			_, err := b.Add(t.Context(), Envelope{To: []string{"b@example.com"}}, strings.NewReader(letter("during")))
			b.opts.disk = osDisk{}
			want := []string{"before"}
			if err == nil {
				want = []string{"during", "before"}
			} else if !errors.Is(err, ErrFull) {
				t.Errorf("operation %d fails: %v is not ErrFull", at, err)
			}
			if diff := cmp.Diff(want, b.subjects()); diff != "" {
				t.Errorf("operation %d fails (crash %v, error %v): %s", at, crash, err, diff)
			}
			b.Close()
			b = open(t, dir, nil)
			again := b.subjects()
			if crash && err != nil && len(again) == 2 {
				// The name was given and the process died before it could take it
				// back: the mail is there whole, though nobody was told.
				again = again[1:]
			}
			if diff := cmp.Diff(want, again); diff != "" {
				t.Errorf("operation %d fails (crash %v, error %v), reopened: %s", at, crash, err, diff)
			}
			if left, _ := os.ReadDir(filepath.Join(dir, tempDir)); len(left) > 0 {
				t.Errorf("operation %d fails: %d temporary files are left", at, len(left))
			}
			for _, e := range b.entries {
				if e.Broken != "" {
					t.Errorf("operation %d fails: %s is broken: %s", at, e.ID, e.Broken)
				}
			}
			b.Close()
			if f.n < at {
				if at < 5 { // create, write, sync, rename, sync of the folder
					t.Errorf("an add has only %d operations that can fail", at-1)
				}
				break
			}
		}
	}
}

func TestReaderFails(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, nil)
	broken := errors.New("connection lost")
	_, err := b.Add(t.Context(), Envelope{}, io.MultiReader(strings.NewReader(letter("x")), errReader{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Add(ctx, Envelope{}, strings.NewReader(letter("x"))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("files left: %v", files)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, tempDir)); len(left) > 0 {
		t.Errorf("%d temporary files are left", len(left))
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, &Options{MaxMails: 60})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				e := b.add(t, fmt.Sprintf("%d-%d", w, i))
				if _, err := b.Get(e.ID); err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
				b.List("", 5)
			}
		})
	}
	wg.Wait()
	if _, total := b.List("", 1); total != 60 {
		t.Errorf("%d mails", total)
	}
	want := b.subjects()
	b.Close()
	if diff := cmp.Diff(want, open(t, dir, nil).subjects()); diff != "" {
		t.Errorf("reopened: %s", diff)
	}
}

func TestEnvelopeCannotAddHeaders(t *testing.T) {
	b := open(t, t.TempDir(), nil)
	e, err := b.Add(t.Context(), Envelope{From: "a@x\r\nBcc: evil@x", To: []string{"b@x\nX-Evil: 1"}, Via: "x\r\n\r\nbody"}, strings.NewReader(letter("s")))
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.Get(e.ID)
	if err != nil || m.Header["X-Evil"] != nil || m.Header["Bcc"] != nil || m.Text != "body of s\n" {
		t.Errorf("mail %+v, %v", m, err)
	}
}

func TestProve(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, &Options{MaxMails: 1})
	b.add(t, "the only one there is room for")
	if err := b.Prove(t.Context()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"the only one there is room for"}, b.subjects()); diff != "" {
		t.Errorf("after a proof: %s", diff)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, tempDir)); len(left) > 0 {
		t.Errorf("%d temporary files are left", len(left))
	}
	for at := 1; at <= 5; at++ { // create, write, sync, rename, sync of the folder
		b.opts.disk = &failing{disk: osDisk{}, at: at, err: syscall.EIO}
		if err := b.Prove(t.Context()); err == nil {
			t.Errorf("operation %d fails, and the inbox proved itself", at)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	box, err := Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer box.Close()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			box.add(b, "x")
		}
	})
}

func BenchmarkOpen10000(b *testing.B) {
	dir := b.TempDir()
	box, err := Open(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	for range 10_000 {
		box.add(b, "x")
	}
	box.Close()
	b.ResetTimer()
	for range b.N {
		box, err := Open(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		box.Close()
	}
}
