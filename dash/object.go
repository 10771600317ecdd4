package dash

import (
	"context"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"gocloud.dev/blob"
)

const (
	previewText    = 64 << 10 // bytes of an object shown as text
	previewPicture = 10 << 20 // bytes of a picture that is shown
)

// objectPage is one object.
type objectPage struct {
	Bucket       Bucket            `json:"bucket"`
	Key          string            `json:"key"`
	Trail        []crumb           `json:"-"`
	Size         int64             `json:"size"`
	ContentType  string            `json:"content_type"`
	CacheControl string            `json:"cache_control"`
	Encoding     string            `json:"content_encoding"`
	ETag         string            `json:"etag"`
	MD5          string            `json:"md5"`
	Modified     time.Time         `json:"modified"`
	Metadata     map[string]string `json:"metadata"`
	PublicURL    string            `json:"public_url"` // "" for a bucket that is not public

	Kind string `json:"-"` // of preview: text, picture, or "" none
	Text string `json:"preview"`
	Cut  bool   `json:"preview_cut"` // Text is the beginning only
}

func (p objectPage) Title() string { return strip(path.Base(p.Key), 200) }

// Raw is where the object itself is loaded from, to save it.
func (p objectPage) Raw() string { return objectPath(p.Bucket.Name, p.Key, "object", "raw") }

// Picture is where the preview loads it from.
func (p objectPage) Picture() string {
	return address(url.Values{"key": {p.Key}, "show": {"1"}}, "objects", p.Bucket.Name, "object", "raw")
}

func (d *Dash) object(r *http.Request) (model, error) {
	info, b, err := d.openBucket(r)
	if err != nil {
		return nil, err
	}
	key, err := objectKey(r)
	if err != nil {
		return nil, err
	}
	a, err := b.Attributes(r.Context(), key)
	if err != nil {
		return nil, err
	}
	p := objectPage{
		Bucket: info, Key: key, Trail: trail(info.Name, key), Size: a.Size, ContentType: a.ContentType,
		CacheControl: a.CacheControl, Encoding: a.ContentEncoding, ETag: a.ETag, MD5: hex.EncodeToString(a.MD5),
		Modified: a.ModTime, Metadata: a.Metadata,
	}
	if info.Public && info.URL != "" {
		p.PublicURL = strings.TrimSuffix(info.URL, "/") + "/" + (&url.URL{Path: key}).EscapedPath()
	}
	return p, p.preview(r.Context(), b)
}

func objectKey(r *http.Request) (string, error) {
	key := r.FormValue("key")
	if key == "" || len(key) > 1024 || !utf8.ValidString(key) {
		return "", invalid("key must be 1 to 1024 bytes of UTF-8")
	}
	return key, nil
}

// preview decides how the object can be shown, and reads the beginning of a text.
func (p *objectPage) preview(ctx context.Context, b *blob.Bucket) error {
	if pictures[mediaType(p.ContentType, p.Key)] && p.Size <= previewPicture {
		p.Kind = "picture"
		return nil
	}
	if p.Size == 0 || p.Encoding != "" && p.Encoding != "identity" {
		return nil
	}
	rd, err := b.NewRangeReader(ctx, p.Key, 0, previewText, nil)
	if err != nil {
		return err
	}
	defer rd.Close()
	head, err := io.ReadAll(io.LimitReader(rd, previewText))
	if err != nil {
		return err
	}
	p.Cut = p.Size > int64(len(head))
	if !isText(head, p.Cut) {
		p.Cut = false
		return nil
	}
	p.Kind, p.Text = "text", string(head)
	if !p.Cut {
		p.Text, _ = pretty(p.Text)
	} else {
		p.Text = strings.ToValidUTF8(p.Text, "")
	}
	return nil
}

// isText: UTF-8 without NUL; the last rune of a beginning may be cut.
func isText(b []byte, cut bool) bool {
	for i := 0; cut && i < utf8.UTFMax-1 && len(b) > 0 && !utf8.Valid(b); i++ {
		b = b[:len(b)-1]
	}
	return utf8.Valid(b) && !strings.Contains(string(b), "\x00")
}

// mediaType of an object: as stored, else by the key's extension.
func mediaType(stored, key string) string {
	kind, _, _ := mime.ParseMediaType(stored)
	if kind == "" || kind == "application/octet-stream" || kind == "binary/octet-stream" {
		kind, _, _ = mime.ParseMediaType(mime.TypeByExtension(path.Ext(key)))
	}
	return kind
}

// objectRaw sends the object: as a file to save, or with show=1 as a picture.
func (d *Dash) objectRaw(w http.ResponseWriter, r *http.Request) {
	_, b, err := d.openBucket(r)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	key, err := objectKey(r)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	rd, err := b.NewReader(r.Context(), key, nil)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	defer rd.Close()
	asFile(w, key, "application/octet-stream")
	if kind := mediaType(rd.ContentType(), key); r.FormValue("show") == "1" && pictures[kind] {
		w.Header().Set("Content-Type", kind)
		w.Header().Del("Content-Disposition")
	}
	d.sendFile(w, r, rd)
}

func (d *Dash) deleteObject(r *http.Request) (done, error) {
	info, b, err := d.openBucket(r)
	if err != nil {
		return done{}, err
	}
	key, err := objectKey(r)
	if err != nil {
		return done{}, err
	}
	folder := key[:strings.LastIndex(key, "/")+1]
	return done{Text: "Deleted " + key, Next: folderPath(info.Name, folder)}, b.Delete(r.Context(), key)
}
