package payload

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// MaxRef is the longest address of a payload in bytes.
const MaxRef = 1024

// Ref says where a payload is and what it is.
type Ref struct {
	URL    string // such as s3://shop-payloads/tasks/2026-11-21/3f2a
	SHA256 string // 64 lower-case hexadecimal digits
	Size   int64  // in bytes
}

// Check reports what is wrong with the form of a reference, whatever store it
// is of.
func (r Ref) Check() error {
	switch {
	case r.URL == "":
		return fmt.Errorf("the reference is empty")
	case len(r.URL) > MaxRef:
		return fmt.Errorf("the reference has %d bytes, more than %d", len(r.URL), MaxRef)
	case strings.ContainsFunc(r.URL, func(c rune) bool { return c <= ' ' || c > '~' }):
		return fmt.Errorf("the reference has a character that no URI has")
	case len(r.SHA256) != 2*sha256.Size || strings.Trim(r.SHA256, "0123456789abcdef") != "":
		return fmt.Errorf("the sum is not 64 lower-case hexadecimal digits")
	case r.Size < 0 || r.Size > 1<<31-1:
		return fmt.Errorf("the size %d is not 0 to %d", r.Size, 1<<31-1)
	}
	return nil
}

// Folders of a store. What is in tasks is due within a day of being stored, so
// that a lifecycle rule, which counts from then, may use Retention; what is in
// delayed is due later, by MaxDelay at most.
const (
	folderTasks   = "tasks"
	folderDelayed = "delayed"
	dateForm      = "2006-01-02"
)

// Refer says how data is to be stored for a task that is due at that time; zero
// is now. Nothing is stored yet: Put does. Each call makes an address of its
// own, so that no two messages share an object that one of them deletes.
func (s *Store) Refer(data []byte, due time.Time) (Ref, error) {
	if int64(len(data)) > s.o.MaxSize {
		return Ref{}, fmt.Errorf("%w: %d bytes, more than the %d of payload.Options.MaxSize: put them into a bucket and give the task the key",
			ErrTooLarge, len(data), s.o.MaxSize)
	}
	now, folder := time.Now(), folderTasks
	if due.Before(now) {
		due = now
	}
	switch ahead := due.Sub(now); {
	case ahead > MaxDelay:
		return Ref{}, fmt.Errorf("payload: due in %v, later than the %v that arguments of this size are kept", ahead.Round(time.Second), MaxDelay)
	case ahead > 24*time.Hour:
		folder = folderDelayed
	}
	sum := sha256.Sum256(data)
	return Ref{
		URL:    s.base + folder + "/" + due.UTC().Format(dateForm) + "/" + uuid.NewString(),
		SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)),
	}, nil
}

// key returns the key of a reference, if it is one of this store.
func (s *Store) key(r Ref) (string, error) {
	if err := r.Check(); err != nil {
		return "", &RefError{r.URL, err.Error()}
	}
	rest, ours := strings.CutPrefix(r.URL, s.base)
	if !ours {
		return "", &RefError{r.URL, "payloads are read from " + s.URL() + " alone"}
	}
	if _, ok := dated(rest); !ok {
		return "", &RefError{r.URL, "below " + s.URL() + " payloads are at tasks/DATE/NAME or delayed/DATE/NAME"}
	}
	return s.prefix + rest, nil
}

// dated returns the date of a key below the store's prefix, and whether it is
// of the form FOLDER/DATE/NAME.
func dated(key string) (time.Time, bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 3 || parts[0] != folderTasks && parts[0] != folderDelayed || len(parts[2]) > 128 || !elementForm.MatchString(parts[2]) {
		return time.Time{}, false
	}
	date, err := time.Parse(dateForm, parts[1])
	return date, err == nil
}
