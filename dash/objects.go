package dash

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gocloud.dev/blob"
)

const (
	objectsShown = 100
	bucketsShown = 200
)

// bucketsPage lists the buckets.
type bucketsPage struct {
	None    bool     `json:"none"` // there is no object store
	Service string   `json:"service"`
	Buckets []Bucket `json:"buckets"`
	More    int      `json:"more"`
}

func (bucketsPage) Title() string { return "Objects" }

func (d *Dash) buckets(r *http.Request) (model, error) {
	p := bucketsPage{None: d.Buckets == nil, Service: d.ObjectService}
	if p.None {
		return p, nil
	}
	all, err := d.Buckets.Buckets(r.Context())
	if err != nil {
		return nil, err
	}
	p.Buckets = all[:min(len(all), bucketsShown)]
	p.More = len(all) - len(p.Buckets)
	return p, nil
}

// objectsPage lists one folder of a bucket.
type objectsPage struct {
	Bucket  Bucket      `json:"bucket"`
	Prefix  string      `json:"prefix"`
	Trail   []crumb     `json:"-"`
	Folders []crumb     `json:"folders"`
	Objects []objectRow `json:"objects"`
	First   bool        `json:"-"`    // page
	Next    string      `json:"next"` // for ?page=; "" at the end
}

// crumb is a folder: the name of its last part and the page that lists it.
type crumb struct {
	Name   string `json:"name"`
	Prefix string `json:"prefix"`
	Path   string `json:"-"`
}

type objectRow struct {
	Name     string    `json:"name"`
	Key      string    `json:"key"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Path     string    `json:"-"`
}

func (p objectsPage) Title() string { return p.Bucket.Name }

// NextPath is the page after this one.
func (p objectsPage) NextPath() string {
	return address(url.Values{"prefix": {p.Prefix}, "page": {p.Next}}, "objects", p.Bucket.Name)
}

func (d *Dash) openBucket(r *http.Request) (Bucket, *blob.Bucket, error) {
	if d.Buckets == nil {
		return Bucket{}, nil, ErrNotFound
	}
	name := r.PathValue("bucket")
	b, err := d.Buckets.Bucket(r.Context(), name)
	if err != nil {
		return Bucket{}, nil, err
	}
	known, err := d.Buckets.Buckets(r.Context())
	if err != nil {
		return Bucket{}, nil, err
	}
	for _, k := range known {
		if k.Name == name {
			return k, b, nil
		}
	}
	return Bucket{Name: name}, b, nil
}

func (d *Dash) objects(r *http.Request) (model, error) {
	info, b, err := d.openBucket(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	p := objectsPage{Bucket: info, Prefix: q.Get("prefix")}
	token := blob.FirstPageToken
	if s := q.Get("page"); s != "" {
		if token, err = base64.RawURLEncoding.DecodeString(s); err != nil || len(token) == 0 {
			return nil, invalid("page is no mark of a page")
		}
	}
	p.First = q.Get("page") == ""
	p.Trail = trail(info.Name, p.Prefix)
	return p, p.list(r.Context(), b, token)
}

func (p *objectsPage) list(ctx context.Context, b *blob.Bucket, token []byte) error {
	items, next, err := b.ListPage(ctx, token, objectsShown, &blob.ListOptions{Prefix: p.Prefix, Delimiter: "/"})
	if err != nil {
		return err
	}
	for _, o := range items {
		name := strings.TrimPrefix(o.Key, p.Prefix)
		if o.IsDir {
			p.Folders = append(p.Folders, crumb{name, o.Key, folderPath(p.Bucket.Name, o.Key)})
			continue
		}
		p.Objects = append(p.Objects, objectRow{name, o.Key, o.Size, o.ModTime, objectPath(p.Bucket.Name, o.Key, "object")})
	}
	if len(next) > 0 {
		p.Next = base64.RawURLEncoding.EncodeToString(next)
	}
	return nil
}

// trail leads from the bucket to the folder.
func trail(bucket, prefix string) []crumb {
	out := []crumb{{bucket, "", folderPath(bucket, "")}}
	for from := 0; len(out) < 50; {
		n := strings.Index(prefix[from:], "/")
		if n < 0 {
			break
		}
		out = append(out, crumb{prefix[from : from+n], prefix[:from+n+1], folderPath(bucket, prefix[:from+n+1])})
		from += n + 1
	}
	return out
}

func folderPath(bucket, prefix string) string {
	q := url.Values{}
	if prefix != "" {
		q.Set("prefix", prefix)
	}
	return address(q, "objects", bucket)
}

func objectPath(bucket, key string, segments ...string) string {
	return address(url.Values{"key": {key}}, append([]string{"objects", bucket}, segments...)...)
}
