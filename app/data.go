package app

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/smithy-go"
)

// DataFolder is the data folder's name beside the manifest.
const DataFolder = ".dayfly"

// dataVersion is the version of the data folder's layout: doc/formats/data-folder.md.
const dataVersion = 1

// data is the data folder of one application, held by a lock.
type data struct {
	dir  string
	lock *os.File
}

// openData makes the folder if need be and takes its lock. The lock lasts as
// long as the process, whatever way it ends.
func openData(dir string) (*data, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	d := &data{dir: dir, lock: f}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		return nil, &InUseError{Dir: dir, PID: holder(f)}
	}
	if err := d.checkVersion(); err != nil {
		f.Close()
		return nil, err
	}
	err = d.keepFromGit()
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s cannot be written: %w", dir, err)
	}
	return d, nil
}

// LockData takes the data folder, made if it is missing, as Start does, for a
// command that changes it while the application does not run. Errors are an
// *InUseError, a *VersionError, or those of the disk.
func LockData(dir string) (io.Closer, error) {
	d, err := openData(dir)
	if err != nil {
		return nil, err
	}
	return d.lock, nil
}

// holder reads who has the lock. One that has just taken it has not written its
// number yet, or not over that of the holder before it: so a number counts when
// it is that of a process that lives.
func holder(f *os.File) string {
	text := make([]byte, 20)
	for range 20 {
		n, _ := f.ReadAt(text, 0) // a short file ends with io.EOF
		pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
		if err == nil && pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return strconv.Itoa(pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return ""
}

// InUseError: another dayfly holds the data folder.
type InUseError struct {
	Dir string
	PID string // as the holder wrote it; may be empty
}

// Error names the holder and the next step.
func (e *InUseError) Error() string {
	who := ""
	if e.PID != "" {
		who = " (process " + e.PID + ")"
	}
	return fmt.Sprintf("%s is in use by another dayfly%s: end that one with `dayfly down`, or look at it with `dayfly ps`", e.Dir, who)
}

// VersionError: the data folder was written by a newer dayfly.
type VersionError struct {
	Dir     string
	Version int
}

// Error says what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has layout version %d, and this dayfly knows up to %d: install a newer dayfly; nothing was changed", e.Dir, e.Version, dataVersion)
}

func (d *data) checkVersion() error {
	path := filepath.Join(d.dir, "VERSION")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return writeFile(path, []byte(strconv.Itoa(dataVersion)+"\n"), 0o600)
	}
	if err != nil {
		return err
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s does not hold a version: restore it from a backup, or move %s away to begin anew", path, d.dir)
	}
	if v > dataVersion {
		return &VersionError{Dir: d.dir, Version: v}
	}
	return nil
}

// keepFromGit has version control ignore the folder: it holds keys.
func (d *data) keepFromGit() error {
	path := filepath.Join(d.dir, ".gitignore")
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte("*\n"), 0o600)
}

func (d *data) path(name ...string) string { return filepath.Join(append([]string{d.dir}, name...)...) }

func (d *data) close() error { return d.lock.Close() }

// keys sign the requests to the embedded AWS endpoint.
type keys struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

// keys returns the application's keys, made at the first start and kept, so
// that shells and tools set up with `dayfly env` go on working.
func (d *data) keys() (keys, error) {
	path := d.path("keys.json")
	text, err := os.ReadFile(path)
	var k keys
	if err == nil {
		if err := json.Unmarshal(text, &k); err != nil || k.AccessKey == "" || k.SecretKey == "" {
			return k, fmt.Errorf("%s does not hold keys: delete it to have new ones made", path)
		}
		return k, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return k, err
	}
	raw := make([]byte, 40)
	rand.Read(raw) // never fails
	k.AccessKey = "DAYFLY" + base32.StdEncoding.EncodeToString(raw[:10])[:14]
	k.SecretKey = base64.RawURLEncoding.EncodeToString(raw[10:])
	text, err = json.Marshal(k)
	if err != nil {
		return k, err
	}
	return k, writeFile(path, append(text, '\n'), 0o600)
}

// writeFile replaces a file so that after a crash it is the old or the new one.
func writeFile(path string, text []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if errClose := tmp.Close(); err == nil {
		err = errClose
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// emptyData is about what the stores take before anything is in them, in MB.
const emptyData = 50

// remedy is what to do about a data folder that cannot be written, to follow
// the error; "" for errors of another kind.
func remedy(dir string, err error) string {
	var at *os.PathError
	var stored smithy.APIError // of the object store, which is asked by its protocol
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.As(err, &stored) && stored.ErrorCode() == "InsufficientStorage":
		return fmt.Sprintf("\nthe disk of %s is full: an application without data takes %d MB there; make room and start again, nothing was lost", dir, emptyData)
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission) && errors.As(err, &at) && strings.HasPrefix(at.Path, dir):
		return "\nget the right to write there, or give another data folder with --data"
	}
	return ""
}
