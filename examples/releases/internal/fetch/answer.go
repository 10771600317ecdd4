package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Answer is what a registry said.
type Answer struct {
	Body        []byte
	ContentType string // media type without parameters
	URL         string // where it came from after redirects, for relative links
}

// kept is an answer in the cache: a line of JSON, then the gzipped body.
type kept struct {
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	ContentType  string    `json:"content_type"`
	URL          string    `json:"url"`
	Asked        time.Time `json:"asked"`
	body         []byte
}

// Answers are kept for a month; larger ones than a memcached item (1 MiB) are
// not kept at all.
const (
	keepFor  = 30 * 24 * time.Hour
	keepMost = 1000 << 10
)

// Get asks for a document. An answer younger than Options.Fresh comes from the
// cache; an older one is asked for again with its ETag or date.
func (c *Client) Get(ctx context.Context, q Request) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	key := cacheKey(q)
	old := c.load(ctx, key)
	extra := http.Header{}
	if old != nil {
		if c.o.Fresh > 0 && time.Since(old.Asked) < c.o.Fresh {
			return old.answer(), nil
		}
		if old.ETag != "" {
			extra.Set("If-None-Match", old.ETag)
		} else if old.LastModified != "" {
			extra.Set("If-Modified-Since", old.LastModified)
		}
	}
	resp, done, err := c.do(ctx, q, extra)
	if err != nil {
		return nil, err
	}
	defer done()
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		if old == nil {
			return nil, q.fail(watch.Malformed, "it answered 304 to a question without a condition", nil)
		}
		old.Asked = time.Now()
		c.save(ctx, key, old)
		return old.answer(), nil
	}
	body, err := q.read(ctx, resp)
	if err != nil {
		return nil, err
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	k := &kept{
		ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified"),
		ContentType: media, URL: Redact(resp.Request.URL.String()), Asked: time.Now(), body: body,
	}
	c.save(ctx, key, k)
	return k.answer(), nil
}

func (q Request) read(ctx context.Context, resp *http.Response) ([]byte, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, q.unreachable(ctx, err)
	}
	if int64(len(body)) > limit {
		return nil, q.fail(watch.Malformed, "its answer is larger than "+watch.Bytes(limit), nil)
	}
	return body, nil
}

// cacheKey is of memcached's alphabet and length; who may see an answer is
// part of it.
func cacheKey(q Request) string {
	h := sha256.New()
	for _, s := range []string{q.URL, q.Header.Get("Accept"), q.Header.Get("Authorization")} {
		io.WriteString(h, s)
		h.Write([]byte{0})
	}
	return "releases-http-1-" + hex.EncodeToString(h.Sum(nil))
}

func (c *Client) load(ctx context.Context, key string) *kept {
	if c.o.Cache == nil {
		return nil
	}
	v, found, err := c.o.Cache.Get(ctx, key)
	if err != nil {
		c.o.Log.Warn("cache cannot be read; asking the registry", "error", err)
		return nil
	}
	if !found {
		return nil
	}
	head, body, ok := bytes.Cut(v, []byte("\n"))
	k := new(kept)
	if !ok || json.Unmarshal(head, k) != nil {
		return nil
	}
	zr, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	if k.body, err = io.ReadAll(io.LimitReader(zr, defaultLimit)); err != nil {
		return nil
	}
	return k
}

func (c *Client) save(ctx context.Context, key string, k *kept) {
	if c.o.Cache == nil {
		return
	}
	head, err := json.Marshal(k)
	if err != nil {
		return
	}
	var b bytes.Buffer
	b.Write(head)
	b.WriteByte('\n')
	zw := gzip.NewWriter(&b)
	if _, err := zw.Write(k.body); err != nil {
		return
	}
	if zw.Close() != nil || b.Len() > keepMost {
		return
	}
	if err := c.o.Cache.Set(ctx, key, b.Bytes(), keepFor); err != nil {
		c.o.Log.Warn("cache cannot be written", "error", err)
	}
}

func (k *kept) answer() *Answer {
	return &Answer{Body: k.body, ContentType: k.ContentType, URL: k.URL}
}
