package s3records

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// probe tries with an object of its own whether the service honours the
// conditions that everything here rests on. One that does not know them passes
// over the headers and says that all is well.
func (s *Store) probe(ctx context.Context) (err error) {
	name := s.prefix + probeFolder + strings.ToLower(rand.Text())
	first, err := s.put(ctx, name, []byte("1"), "*")
	if err != nil {
		return fmt.Errorf("write there: %w", err)
	}
	if !goodETag(first) {
		return fmt.Errorf("the service made the ETag %.80q: versions have room for %d bytes", first, maxETag)
	}
	defer func() {
		if err != nil {
			_ = s.remove(ctx, name, "") // the error tells more than this one's would
		}
	}()
	body, etag, err := s.get(ctx, name)
	if err != nil {
		return err
	}
	if string(body) != "1" || etag != first {
		return errors.New("the service does not give what was written before")
	}
	for _, c := range []struct {
		what string
		do   func() error
	}{
		{"If-None-Match: * of a PUT", func() error { _, err := s.put(ctx, name, []byte("2"), "*"); return err }},
		{"If-Match of a PUT", func() error { _, err := s.put(ctx, name, []byte("2"), "0"); return err }},
		{"If-Match of a DELETE", func() error { return s.remove(ctx, name, "0") }},
	} {
		err := c.do()
		if err == nil {
			return fmt.Errorf("the service does not look at %s, so that records would not be safe there: "+
				"use Amazon S3 (a general purpose bucket) or another of the stores for records", c.what)
		}
		if !errors.Is(err, errChanged) {
			return fmt.Errorf("try %s: %w", c.what, err)
		}
	}
	if err := s.remove(ctx, name, first); err != nil {
		return fmt.Errorf("delete there: %w", err)
	}
	return nil
}
