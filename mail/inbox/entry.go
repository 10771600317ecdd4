package inbox

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Entry is what a list shows of a mail.
type Entry struct {
	// ID names the mail; IDs sort by arrival.
	ID string
	// Kind of the message: a mail or a text message.
	Kind Kind
	// Received is when the mail came.
	Received time.Time
	// Size is the file's, in bytes.
	Size int64
	// From, To and Subject are of the mail's header, decoded. To has the
	// envelope's recipients where it knows them, so that Bcc shows.
	From, Subject string
	To            []string
	// Broken says why the mail cannot be read, and is empty otherwise. The
	// other fields then have what could be read.
	Broken string
}

// index reads the head of one mail.
func (b *Inbox) index(id string) Entry {
	e := Entry{ID: id, Kind: KindMail}
	e.Received, _ = time.Parse(timeForm, id[:len(timeForm)]) // validID has checked it
	f, err := os.Open(b.path(id))
	if err != nil {
		e.Broken = err.Error()
		return e
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil {
		e.Size = fi.Size()
	}
	r := bufio.NewReader(io.LimitReader(f, maxHeadSize))
	e.Kind = kindOf(r)
	h, err := readHeader(r)
	if err != nil {
		e.Broken = err.Error()
	}
	e.From = bare(decode(first(h["From"])))
	e.Subject = decode(first(h["Subject"]))
	e.To = h["Delivered-To"]
	if len(e.To) == 0 && len(h["To"]) > 0 {
		e.To = []string{bare(decode(h["To"][0]))}
	}
	return e
}

// bare takes the brackets from an address that has no name: <a@b> is a@b.
func bare(address string) string {
	if inner, ok := strings.CutPrefix(address, "<"); ok && strings.IndexByte(inner, '>') == len(inner)-1 {
		return inner[:len(inner)-1]
	}
	return address
}

// errHeader says that a mail does not begin with header fields and an empty line.
var errHeader = errors.New("its header is not that of a mail")

func readHeader(r *bufio.Reader) (map[string][]string, error) {
	h, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		return h, fmt.Errorf("%w: %w", errHeader, err)
	}
	if len(h) == 0 {
		return h, errHeader
	}
	return h, nil
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// List returns up to limit mails, newest first, that came before the given ID, or
// the newest when it is empty; and how many there are in all.
func (b *Inbox) List(before string, limit int) (mails []Entry, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.entries) - 1; i >= 0 && len(mails) < limit; i-- {
		if before == "" || b.entries[i].ID < before {
			mails = append(mails, b.entries[i])
		}
	}
	return mails, len(b.entries)
}

// Usage says how many bytes the mails have together.
func (b *Inbox) Usage() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

func (b *Inbox) find(id string) (int, error) {
	for i := range b.entries {
		if b.entries[i].ID == id {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%w: %q", ErrNotFound, id)
}

// Raw opens the mail as it is on disk: the trace of its arrival, then the mail as
// it was sent. The caller closes it.
func (b *Inbox) Raw(id string) (io.ReadCloser, error) {
	b.mu.Lock()
	_, err := b.find(id)
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(b.path(id))
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	return f, nil
}

// Delete removes one mail.
func (b *Inbox) Delete(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	i, err := b.find(id)
	if err != nil {
		return err
	}
	if err := b.remove(id); err != nil {
		return err
	}
	b.bytes -= b.entries[i].Size
	b.entries = append(b.entries[:i:i], b.entries[i+1:]...)
	b.notify()
	return b.opts.disk.SyncDir(b.dir)
}

func (b *Inbox) remove(id string) error {
	if err := b.opts.disk.Remove(b.path(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("inbox: delete: %w", err)
	}
	return nil
}

// DeleteAll removes the mails that are there now and says how many.
func (b *Inbox) DeleteAll() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, ErrClosed
	}
	n := 0
	var failed error
	for len(b.entries) > 0 && failed == nil {
		last := len(b.entries) - 1
		if failed = b.remove(b.entries[last].ID); failed == nil {
			b.bytes -= b.entries[last].Size
			b.entries = b.entries[:last]
			n++
		}
	}
	if n > 0 {
		b.notify()
	}
	return n, errors.Join(failed, b.opts.disk.SyncDir(b.dir))
}

// Prove writes a mail beside the others, reads it back, compares and removes it.
// It is never listed, and drops no other mail where the inbox is at its bound.
func (b *Inbox) Prove(ctx context.Context) error {
	const body = "From: dayfly@localhost\r\nSubject: proof\r\n\r\nkept\r\n"
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.adding.Add(1)
	b.mu.Unlock()
	defer b.adding.Done()

	temp := filepath.Join(b.dir, tempDir, strings.ToLower(rand.Text()))
	proof := temp + ".proof"
	_, err := b.receive(ctx, temp, Envelope{Via: "proof"}, b.opts.now(), strings.NewReader(body))
	if err == nil {
		err = b.opts.disk.Rename(temp, proof)
	}
	if err == nil {
		err = b.opts.disk.SyncDir(filepath.Dir(proof))
	}
	var got []byte
	if err == nil {
		got, err = os.ReadFile(proof)
	}
	if err == nil && !strings.HasSuffix(string(got), body) {
		err = fmt.Errorf("it came back different: %q", got)
	}
	for _, path := range []string{temp, proof} {
		if removed := b.opts.disk.Remove(path); err == nil && removed != nil && !errors.Is(removed, os.ErrNotExist) {
			err = removed
		}
	}
	if err != nil {
		return fmt.Errorf("inbox: keep a mail: %w", full(err))
	}
	return nil
}

// date is the mail's own, or the zero time.
func date(h map[string][]string) time.Time {
	t, err := mail.ParseDate(first(h["Date"]))
	if err != nil {
		return time.Time{}
	}
	return t
}
