package dash

import (
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const (
	mailsShown  = 50
	textShown   = 256 << 10 // bytes of a mail's text or source on a page
	inlineLimit = 4 << 20   // bytes of pictures put into a mail's HTML

	// mailPolicy lets a mail's HTML show what it carries itself and nothing
	// else: no script, no request to anywhere, so that opening a mail here
	// tells its sender nothing. Links open in a window of their own.
	mailPolicy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; " +
		"frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)

// inboxPage lists mails, newest first.
type inboxPage struct {
	None    bool          `json:"none"` // mail leaves by Service
	Service string        `json:"service"`
	Before  string        `json:"before"`
	SMTP    string        `json:"-"`
	Mails   []MailSummary `json:"mails"`
	Next    string        `json:"next"` // for ?before=; "" at the end
}

func (inboxPage) Title() string { return "Inbox" }

func (d *Dash) inbox(r *http.Request) (model, error) {
	p := inboxPage{None: d.Inbox == nil, Service: d.MailService, Before: r.URL.Query().Get("before")}
	if p.None {
		return p, nil
	}
	mails, err := d.Inbox.List(r.Context(), p.Before, mailsShown+1)
	if err != nil {
		return nil, err
	}
	if len(mails) > mailsShown {
		mails = mails[:mailsShown]
		p.Next = mails[mailsShown-1].ID
	}
	p.Mails = mails
	for _, a := range d.App.Info().Addresses {
		if strings.HasPrefix(a.URL, "smtp://") {
			p.SMTP = a.URL
		}
	}
	return p, nil
}

// mailPage is one mail seen one way.
type mailPage struct {
	Mail
	View   string    `json:"-"` // text, html, headers or source
	Views  []string  `json:"-"` // those there are
	Parts  []segment `json:"-"` // of the text, links apart
	Cut    bool      `json:"-"` // text or source is the beginning only
	Source string    `json:"-"`
}

func (p mailPage) Title() string {
	if p.Subject == "" {
		return "(no subject)"
	}
	return strip(p.Subject, 200)
}

// segment of a text: plain, or a link when URL is set.
type segment struct{ Text, URL string }

func (d *Dash) mail(r *http.Request) (model, error) {
	m, err := d.getMail(r)
	if err != nil {
		return nil, err
	}
	p := mailPage{Mail: m}
	if m.Text != "" || m.HTML == "" {
		p.Views = append(p.Views, "text")
	}
	if m.HTML != "" {
		p.Views = append(p.Views, "html")
	}
	p.View = p.Views[0]
	p.Views = append(p.Views, "headers", "source")
	if v := r.URL.Query().Get("view"); strings.Contains(" "+strings.Join(p.Views, " ")+" ", " "+v+" ") && v != "" {
		p.View = v
	}
	switch p.View {
	case "text":
		text := strip(m.Text, textShown)
		p.Cut = text != m.Text
		p.Parts = links(text)
	case "source":
		raw, err := d.Inbox.Raw(r.Context(), m.ID)
		if err != nil {
			return nil, err
		}
		defer raw.Close()
		b, err := io.ReadAll(io.LimitReader(raw, textShown))
		if err != nil {
			return nil, err
		}
		p.Source, p.Cut = string(b), m.Size > int64(len(b))
	}
	return p, nil
}

func (d *Dash) getMail(r *http.Request) (Mail, error) {
	if d.Inbox == nil {
		return Mail{}, ErrNotFound
	}
	return d.Inbox.Get(r.Context(), r.PathValue("mail"))
}

// webAddress matches addresses in a mail's text. What may end a sentence or
// close a bracket around them is no part of it.
var webAddress = regexp.MustCompile(`https?://[^\s<>"'\x60]*[^\s<>"'\x60.,;:!?)\]}]`)

func links(text string) (out []segment) {
	end := 0
	for _, at := range webAddress.FindAllStringIndex(text, 1_000) {
		if at[0] > end {
			out = append(out, segment{Text: text[end:at[0]]})
		}
		found := text[at[0]:at[1]]
		out = append(out, segment{Text: found, URL: found})
		end = at[1]
	}
	return append(out, segment{Text: text[end:]})
}

// mailHTML is what the sandboxed frame of a mail loads.
func (d *Dash) mailHTML(w http.ResponseWriter, r *http.Request) {
	m, err := d.getMail(r)
	if err == nil && m.HTML == "" {
		err = ErrNotFound
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", mailPolicy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, `<!doctype html><base target="_blank"><meta name="color-scheme" content="light">`)
	io.WriteString(w, inlined(m))
}

// pictures are the types that may stand in a mail or preview. SVG is not one:
// it can carry script and load from elsewhere.
var pictures = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/avif": true, "image/bmp": true, "image/x-icon": true,
}

// inlined is the mail's HTML with cid: addresses replaced by the pictures it
// carries, as far as inlineLimit goes.
func inlined(m Mail) string {
	var pairs []string
	room := inlineLimit
	for _, a := range m.Attachments {
		kind, _, _ := mime.ParseMediaType(a.ContentType)
		if a.ContentID == "" || !pictures[kind] || len(a.Data) > room {
			continue
		}
		room -= len(a.Data)
		pairs = append(pairs, "cid:"+a.ContentID, "data:"+kind+";base64,"+base64.StdEncoding.EncodeToString(a.Data))
	}
	return strings.NewReplacer(pairs...).Replace(m.HTML)
}

func (d *Dash) mailRaw(w http.ResponseWriter, r *http.Request) {
	if d.Inbox == nil {
		d.fail(w, r, ErrNotFound)
		return
	}
	id := r.PathValue("mail")
	raw, err := d.Inbox.Raw(r.Context(), id)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	defer raw.Close()
	asFile(w, id+".eml", "message/rfc822")
	d.sendFile(w, r, raw)
}

// sendFile copies a file into the answer. The connection is cut when that fails, so
// that half a file is not saved as a whole one.
func (d *Dash) sendFile(w http.ResponseWriter, r *http.Request, file io.Reader) {
	if _, err := io.Copy(w, file); err != nil {
		if r.Context().Err() == nil {
			d.Log.Warn("dashboard source failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

func (d *Dash) mailPart(w http.ResponseWriter, r *http.Request) {
	m, err := d.getMail(r)
	n, convErr := strconv.Atoi(r.PathValue("n"))
	if err == nil && (convErr != nil || n < 0 || n >= len(m.Attachments)) {
		err = ErrNotFound
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	asFile(w, m.Attachments[n].Name, "application/octet-stream")
	w.Write(m.Attachments[n].Data)
}

// asFile makes the browser save the answer, and never run it.
func asFile(w http.ResponseWriter, name, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	value := mime.FormatMediaType("attachment", map[string]string{"filename": fileName(name)})
	if value == "" {
		value = "attachment"
	}
	w.Header().Set("Content-Disposition", value)
}

// fileName is the last element of name without what file systems dislike.
func fileName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`"<>|:*?`, r) {
			return '_'
		}
		return r
	}, name)
	if name = strings.Trim(strip(name, 150), ". "); name == "" {
		return "download"
	}
	return name
}

func (d *Dash) deleteMail(r *http.Request) (done, error) {
	if d.Inbox == nil {
		return done{}, ErrNotFound
	}
	id := r.PathValue("mail")
	return done{Text: "Mail deleted", Next: "/inbox"}, d.Inbox.Delete(r.Context(), id)
}

func (d *Dash) clearInbox(r *http.Request) (done, error) {
	if d.Inbox == nil {
		return done{}, ErrNotFound
	}
	if r.PostForm.Get("confirm") != "all" {
		return done{}, invalid("to delete every mail, confirm=all must be given")
	}
	return done{Text: "Every mail was deleted", Next: "/inbox"}, d.Inbox.Clear(r.Context())
}

// Path is the mail's own page, seen one way.
func (p mailPage) Path(view string) string {
	return address(url.Values{"view": {view}}, "inbox", p.ID)
}
