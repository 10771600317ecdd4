package dash

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// fakeInbox keeps mails in memory, newest first.
type fakeInbox struct {
	mu    sync.Mutex
	mails []Mail
}

func (b *fakeInbox) List(_ context.Context, before string, max int) ([]MailSummary, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := 0
	if before != "" {
		i = b.find(before) + 1
	}
	var out []MailSummary
	for ; i < len(b.mails) && len(out) < max; i++ {
		out = append(out, b.mails[i].MailSummary)
	}
	return out, nil
}

func (b *fakeInbox) find(id string) int {
	return slices.IndexFunc(b.mails, func(m Mail) bool { return m.ID == id })
}

func (b *fakeInbox) Get(_ context.Context, id string) (Mail, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.find(id); i >= 0 {
		return b.mails[i], nil
	}
	return Mail{}, fmt.Errorf("mail %s: %w", id, ErrNotFound)
}

func (b *fakeInbox) Raw(ctx context.Context, id string) (io.ReadCloser, error) {
	m, err := b.Get(ctx, id)
	return io.NopCloser(strings.NewReader("Subject: " + m.Subject + "\r\n\r\n" + m.Text + m.HTML)), err
}

func (b *fakeInbox) Delete(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = slices.DeleteFunc(b.mails, func(m Mail) bool { return m.ID == id })
	return nil
}

func (b *fakeInbox) Clear(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = nil
	return nil
}

func mails() []Mail {
	text := "Good morning,\n\n3 of your 41 packages have a new version.\n\ngolang.org/x/net v0.61.0 -> v0.62.0\n  http://127.0.0.1:8080/daily/?/updates/golang.org/x/net-v0.61.0/v0.62.0/\n\nmodernc.org/sqlite v1.61.0 -> v1.61.1 (see https://example.org/notes?v=1.61.1&full=1).\n\n-- \nRelease watcher\n"
	html := `<html><body style="font-family:sans-serif"><h1>Good morning</h1><p>3 of your 41 packages have a <a href="http://127.0.0.1:8080/daily/?/updates/">new version</a>.</p><p><img src="cid:logo" alt="logo" width="96"> <img src="https://tracker.example/pixel.gif" alt="remote picture"></p><script>document.body.innerHTML = "script ran"</script></body></html>`
	var out []Mail
	for i := range 4 {
		m := Mail{MailSummary: MailSummary{ID: fmt.Sprintf("m%d", i), From: "Releases <releases@example.com>", To: []string{"ana@example.com"}, Subject: "3 packages have a new version", Received: now.Add(-time.Duration(i*i) * 11 * time.Hour), Size: 2311},
			Text: text, Headers: []Header{{"From", "Releases <releases@example.com>"}, {"To", "ana@example.com"}, {"Subject", "3 packages have a new version"}, {"Message-ID", "<0197c3d2@example.com>"}}}
		if i == 1 {
			m.HTML, m.Subject = html, "Monthly reminder: 12 packages are behind, one of them by two major versions"
			m.Attachments = []Attachment{{Name: "logo.png", ContentType: "image/png", ContentID: "logo", Data: picture()}, {Name: "advisory.json", ContentType: "application/json", Data: []byte(`{"a":1}`)}}
			m.To = []string{"ana@example.com", "boris@example.com", "vera@example.com", "georgi@example.com"}
		}
		out = append(out, m)
	}
	return out
}

func picture() []byte {
	m := image.NewRGBA(image.Rect(0, 0, 96, 48))
	for y := range 48 {
		for x := range 96 {
			m.Set(x, y, color.RGBA{uint8(x * 2), uint8(y * 5), 190, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}
