package publish

import (
	"context"
	"crypto/md5" //nolint:gosec // what S3 checks an upload by
	"errors"
	"fmt"
	"io"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

func (s *Store) contentKey(hash string) string { return s.opt.Prefix + "contents/" + hash }
func (s *Store) listKey(hash string) string    { return s.opt.Prefix + "lists/" + hash + ".json" }

// Content reads a content; its hash was compared.
func (s *Store) Content(ctx context.Context, hash string) ([]byte, error) {
	return s.get(ctx, s.contentKey(hash), hash, MaxFile)
}

// Pages reads the list of a release's pages, sorted by Key.
func (s *Store) Pages(ctx context.Context, e Entry) ([]Page, error) {
	data, err := s.get(ctx, s.listKey(e.List), e.List, maxListSize)
	if err != nil {
		return nil, fmt.Errorf("publish: the list of %s: %w", e.ID, err)
	}
	pages, err := decodeList(data)
	if err != nil {
		return nil, fmt.Errorf("publish: the list of %s: %w: %w", e.ID, ErrDamaged, err)
	}
	return pages, nil
}

func (s *Store) get(ctx context.Context, key, hash string, limit int64) ([]byte, error) {
	s.reads.Add(1)
	r, err := s.opt.Bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("%w: %s is gone", ErrDamaged, key)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if hashOf(data) != hash {
		return nil, fmt.Errorf("%w: the SHA-256 of %s is another", ErrDamaged, key)
	}
	return data, nil
}

func (s *Store) put(ctx context.Context, key, contentType string, data []byte) error {
	check := md5.Sum(data) //nolint:gosec // not against an attacker
	err := s.opt.Bucket.WriteAll(ctx, key, data, &blob.WriterOptions{ContentType: contentType, ContentMD5: check[:]})
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// present returns the sizes of the contents in the bucket by hash.
func (s *Store) present(ctx context.Context) (map[string]int64, error) {
	found := map[string]int64{}
	prefix := s.contentKey("")
	err := s.each(ctx, prefix, func(o *blob.ListObject) error {
		found[o.Key[len(prefix):]] = o.Size
		return nil
	})
	return found, err
}

func (s *Store) each(ctx context.Context, prefix string, f func(*blob.ListObject) error) error {
	l := s.opt.Bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := l.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		if o.IsDir {
			continue
		}
		if err := f(o); err != nil {
			return err
		}
	}
}
