package cert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxFile bounds a file of certificates or of a key, bytes.
const maxFile = 1 << 20

// warnBefore is how long before a certificate ends the log says so.
const warnBefore = 14 * 24 * time.Hour

// Files are a certificate, with those that lead to its root, and its key, in PEM.
type Files struct {
	Cert, Key string
	// Every is the time between looks at the files. Default 5 s.
	Every time.Duration
	Log   *slog.Logger // default discards
}

// files serves what it read last. Connections that are open keep what they
// began with.
type files struct {
	opt  Files
	now  atomic.Pointer[tls.Certificate]
	read [2][]byte // the files as they were when they were last used
	said string    // the error that was last logged
	warn time.Time // when the end was last spoken of

	stop context.CancelFunc
	wg   sync.WaitGroup
}

// OpenFiles reads the files and looks at them from then on. Files that do not
// go together, as in the middle of being replaced, leave in use what was there,
// and the log says so. At the start they are an error.
func OpenFiles(o Files) (Source, error) {
	if o.Every == 0 {
		o.Every = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &files{opt: o}
	if _, err := f.load(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.wg.Go(func() { f.watch(ctx) })
	return f, nil
}

func (f *files) watch(ctx context.Context) {
	t := time.NewTicker(f.opt.Every)
	defer t.Stop()
	for {
		f.mention()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		changed, err := f.load()
		switch {
		case err != nil && err.Error() != f.said:
			f.said = err.Error()
			f.opt.Log.Error("the certificate's files cannot be used; the one before stays in use", "error", err)
		case err == nil:
			f.said = ""
			if changed {
				f.warn = time.Time{}
				f.opt.Log.Info("the certificate was replaced", "file", f.opt.Cert, "until", f.now.Load().Leaf.NotAfter)
			}
		}
	}
}

// mention says once a day that the certificate ends soon, or has ended.
func (f *files) mention() {
	leaf, now := f.now.Load().Leaf, time.Now()
	if leaf.NotAfter.Sub(now) > warnBefore || now.Sub(f.warn) < 24*time.Hour {
		return
	}
	f.warn = now
	f.opt.Log.Warn("the certificate ends soon, or has ended: replace the files", "file", f.opt.Cert, "until", leaf.NotAfter)
}

// load reads the files and, if they changed and are good, uses them.
func (f *files) load() (changed bool, err error) {
	var text [2][]byte
	for i, path := range []string{f.opt.Cert, f.opt.Key} {
		if text[i], err = readBounded(path); err != nil {
			return false, err
		}
	}
	if bytes.Equal(text[0], f.read[0]) && bytes.Equal(text[1], f.read[1]) {
		return false, nil
	}
	pair, err := tls.X509KeyPair(text[0], text[1])
	if err != nil {
		return false, fmt.Errorf("%s and %s: %w", f.opt.Cert, f.opt.Key, err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return false, fmt.Errorf("%s: %w", f.opt.Cert, err)
		}
	}
	f.read = text
	f.now.Store(&pair)
	return true, nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d MiB: is it the right file?", path, maxFile>>20)
	}
	return text, err
}

// Config implements Source.
func (f *files) Config() *tls.Config {
	return config(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.now.Load(), nil })
}

// Ready implements Source.
func (f *files) Ready() bool { return true }

// Close implements Source.
func (f *files) Close() error {
	f.stop()
	f.wg.Wait()
	return nil
}
