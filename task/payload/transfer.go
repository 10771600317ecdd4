package payload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	gocloud "gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

var (
	// ErrTooLarge: a payload has more bytes than Options.MaxSize.
	ErrTooLarge = errors.New("payload: too large")
	// ErrMissing: there is no object at the reference. Either the task of the
	// message was done before, by another delivery of it or a copy, which
	// then deleted the object; or something else did.
	ErrMissing = errors.New("payload: the object is missing")
	// ErrAltered: the object is not the one that was stored.
	ErrAltered = errors.New("payload: the object was altered")
)

// RefError is a reference that the store does not follow.
type RefError struct {
	URL    string
	Reason string
}

func (e *RefError) Error() string {
	return fmt.Sprintf("payload: the reference %.200q is not followed: %s", e.URL, e.Reason)
}

// Put stores data under the reference that Refer made of it. When it returns
// nil the object is durable. On an error it may be stored or not, and does no
// harm: nothing refers to it, and it is swept.
func (s *Store) Put(ctx context.Context, r Ref, data []byte) error {
	key, err := s.key(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	err = s.bucket.Upload(ctx, key, bytes.NewReader(data), &gocloud.WriterOptions{ContentType: "application/json"})
	if err != nil {
		return fmt.Errorf("payload: store %s: %w", r.URL, err)
	}
	return nil
}

// Load reads the payload. It reads at most the reference's size and a byte, and
// never more than Options.MaxSize. Errors are a *RefError, ErrTooLarge,
// ErrMissing, ErrAltered, or the bucket's: none of them is final, since another
// worker may be set up otherwise and a store may come back.
func (s *Store) Load(ctx context.Context, r Ref) ([]byte, error) {
	key, err := s.key(r)
	if err != nil {
		return nil, err
	}
	if r.Size > s.o.MaxSize {
		return nil, fmt.Errorf("%w: %s has %d bytes, more than the %d of payload.Options.MaxSize", ErrTooLarge, r.URL, r.Size, s.o.MaxSize)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	from, err := s.bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("%w: %s (its task was done by another delivery, or it was deleted): %w", ErrMissing, r.URL, err)
	}
	if err != nil {
		return nil, fmt.Errorf("payload: read %s: %w", r.URL, err)
	}
	defer from.Close()
	// Before anything of the size that the message claims is allocated.
	if from.Size() != r.Size {
		return nil, fmt.Errorf("%w: %s has %d bytes, not %d", ErrAltered, r.URL, from.Size(), r.Size)
	}
	data := make([]byte, r.Size)
	if _, err := io.ReadFull(from, data); err != nil {
		return nil, fmt.Errorf("payload: read %s: %w", r.URL, err)
	}
	if n, err := from.Read(make([]byte, 1)); n > 0 {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrAltered, r.URL, r.Size)
	} else if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("payload: read %s: %w", r.URL, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != r.SHA256 {
		return nil, fmt.Errorf("%w: %s has the SHA-256 %x, not %s", ErrAltered, r.URL, sum, r.SHA256)
	}
	return data, nil
}

// Delete deletes the payload. One that is not there is no error.
func (s *Store) Delete(ctx context.Context, r Ref) error {
	key, err := s.key(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	if err := s.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("payload: delete %s: %w", r.URL, err)
	}
	return nil
}
