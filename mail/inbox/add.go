package inbox

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// Envelope is what a mail's transport knew of it, beside the mail.
type Envelope struct {
	// Kind of the message; "" is KindMail.
	Kind Kind
	// From is the envelope's sender; empty for a bounce.
	From string
	// To are the envelope's recipients, those of Bcc among them.
	To []string
	// Via says how the mail came: "smtp from 127.0.0.1:5000 (example)", "ses".
	Via string
}

// Add stores the mail that r yields. When it returns nil the mail is on disk.
// The errors of r, ErrFull, ErrTooLarge and the context's end leave nothing
// behind. Several may run at once.
func (b *Inbox) Add(ctx context.Context, env Envelope, r io.Reader) (Entry, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return Entry{}, ErrClosed
	}
	b.adding.Add(1)
	b.mu.Unlock()
	defer b.adding.Done()

	at := b.opts.now().UTC()
	temp := filepath.Join(b.dir, tempDir, strings.ToLower(rand.Text()))
	size, err := b.receive(ctx, temp, env, at, r)
	if err != nil {
		_ = b.opts.disk.Remove(temp) // else the next Open does
		return Entry{}, fmt.Errorf("inbox: add a mail: %w", full(err))
	}
	e, err := b.commit(temp, at, size)
	if err != nil {
		_ = b.opts.disk.Remove(temp)
		return Entry{}, fmt.Errorf("inbox: add a mail: %w", full(err))
	}
	return e, nil
}

// receive writes the mail into a temporary file and syncs it.
func (b *Inbox) receive(ctx context.Context, path string, env Envelope, at time.Time, r io.Reader) (int64, error) {
	f, err := b.opts.disk.Create(path)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	n, err := io.WriteString(w, env.header(at))
	size := int64(n)
	if err == nil {
		var m int64
		m, err = io.Copy(w, &untilDone{ctx, io.LimitReader(r, b.opts.MaxBytes-size+1)})
		if size += m; err == nil && size > b.opts.MaxBytes {
			err = ErrTooLarge
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return size, err
}

type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// commit gives the mail its name and makes the name durable. It holds mu, so that
// the order of names is the order in which mails are listed.
func (b *Inbox) commit(temp string, at time.Time, size int64) (Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := newID(at)
	if id <= b.lastID { // a clock set back, or two mails in one nanosecond
		id = after(b.lastID)
	}
	if err := b.opts.disk.Rename(temp, b.path(id)); err != nil {
		return Entry{}, err
	}
	if err := b.opts.disk.SyncDir(b.dir); err != nil {
		// Not acknowledged, so not kept: whoever sent it sends it again.
		_ = b.opts.disk.Remove(b.path(id))
		return Entry{}, err
	}
	b.lastID = id
	e := b.index(id)
	e.Size = size
	b.entries = append(b.entries, e)
	b.bytes += size
	b.trim()
	b.notify()
	return e, nil
}

func newID(at time.Time) string {
	return at.Format(timeForm) + "-" + strings.ToLower(rand.Text()[:idRandom])
}

// after is an ID that sorts right after the given one, a nanosecond later.
func after(id string) string {
	at, err := time.Parse(timeForm, id[:len(timeForm)])
	if err != nil { // validID has checked it
		at = time.Now().UTC()
	}
	return newID(at.Add(time.Nanosecond))
}

// header is the trace that a receiving server puts above a mail (RFC 5321, 4.4):
// with it the file alone says to whom the mail went, Bcc included.
func (env Envelope) header(at time.Time) string {
	var s strings.Builder
	if env.Kind != "" && env.Kind != KindMail {
		fmt.Fprintf(&s, kindField+"%s\r\n", env.Kind)
	}
	fmt.Fprintf(&s, "Return-Path: <%s>\r\n", clean(env.From))
	for _, to := range env.To {
		fmt.Fprintf(&s, "Delivered-To: %s\r\n", clean(to))
	}
	fmt.Fprintf(&s, "Received: by dayfly via %s; %s\r\n", clean(env.Via), at.Format(time.RFC1123Z))
	return s.String()
}

// clean keeps what came from outside on its line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
