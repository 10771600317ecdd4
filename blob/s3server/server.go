// Package s3server is an S3 endpoint over a folder: versitygw, embedded.
//
// Its protocol half (signatures, aws-chunked bodies, checksums, policies,
// CORS, multipart, conditional requests) is used as it is; its file-system half
// is wrapped, in rooted.go, to bring two things an embedding needs. Paths are
// absolute, since the original works relative to the process's working
// directory and changes it for everybody. And what is acknowledged is on disk:
// an object, its metadata and the folders that lead to it are synced before the
// reply, and so are deletes and what is set on a bucket.
//
// Limits that come from keeping objects as files (doc/objects.md has them all):
// "a" and "a/b" cannot both be objects; an element of a key between slashes has
// at most 255 bytes; keys with empty, "." or ".." elements are refused; headers,
// metadata and tags of one object share about 4 KB of extended attributes on
// ext4; there are no versions.
package s3server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

// Options say where the objects are and who may come in.
type Options struct {
	// Dir holds one folder for each bucket. It is created when missing, and
	// its file system must keep extended attributes. Required.
	Dir string
	// AccessKey and SecretKey are the one pair of credentials that may do
	// everything. Required.
	AccessKey, SecretKey string
	// Region is the region that signatures must name. Default "us-east-1".
	Region string
	// MaxRequests bounds the requests under way at once; one more is answered
	// 503 SlowDown, which S3 clients try again. Default 1024, at least 1.
	MaxRequests int
	// Log receives what goes wrong. Default: nothing is logged.
	Log *slog.Logger
}

// multipartParts is S3's own bound on the parts of one upload.
const multipartParts = 10_000

// copyLimit is S3's own bound on the source of CopyObject: 5 GiB.
const copyLimit = 5 << 30

// Server answers S3 requests. Its methods may be called at once from several
// goroutines.
type Server struct {
	opts   Options
	engine *rooted
	api    *s3api.S3ApiServer
	link   *link
	client *s3.Client

	served   chan error // what the engine's listener ended with
	requests sync.WaitGroup
	proving  sync.Mutex

	mu     sync.RWMutex // held for reading while a request is counted in
	closed bool
}

// Open starts a server over opts.Dir. It fails when an option is missing or bad,
// or when the folder cannot be written or keeps no extended attributes; the
// error then says what to do. Several servers may run in one process.
func Open(opts Options) (*Server, error) {
	opts, err := opts.checked()
	if err != nil {
		return nil, err
	}
	if err := prepareDir(opts.Dir); err != nil {
		return nil, fmt.Errorf("s3server: %w", err)
	}
	engine, err := newRooted(opts.Dir, opts.Log)
	if err != nil {
		return nil, fmt.Errorf("s3server: open %s: %w", opts.Dir, err)
	}
	s := &Server{opts: opts, engine: engine, served: make(chan error, 1)}
	if err := s.start(); err != nil {
		engine.Shutdown()
		return nil, fmt.Errorf("s3server: %w", err)
	}
	return s, nil
}

func (o Options) checked() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("s3server: Options.Dir is empty")
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return o, errors.New("s3server: Options.AccessKey and SecretKey are both needed")
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.MaxRequests < 0 {
		return o, fmt.Errorf("s3server: Options.MaxRequests is %d, not at least 1", o.MaxRequests)
	}
	if o.MaxRequests == 0 {
		o.MaxRequests = 1024
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("s3server: folder %s: %w", o.Dir, err)
	}
	o.Dir = dir
	return o, nil
}

func (s *Server) start() error {
	link, err := newLink()
	if err != nil {
		return err
	}
	root := auth.Account{Access: s.opts.AccessKey, Secret: s.opts.SecretKey, Role: auth.RoleAdmin}
	listening := make(chan struct{})
	s.api, err = s3api.New(s.engine,
		middlewares.RootUserConfig{Access: root.Access, Secret: root.Secret},
		s.opts.Region, auth.NewIAMServiceSingle(root), nil, nil, nil, nil,
		s3api.WithQuiet(),
		s3api.WithKeepAlive(),
		// Connections idle between requests count too, hence twice as many.
		s3api.WithConcurrencyLimiter(2*s.opts.MaxRequests, s.opts.MaxRequests),
		s3api.WithMpMaxParts(multipartParts),
		s3api.WithSocketPerm(0o600),
		s3api.WithOnListen(func() { close(listening) }),
	)
	if err != nil {
		link.close()
		return fmt.Errorf("start the engine: %w", err)
	}
	go func() { s.served <- s.api.ServeMultiPort([]string{link.addr}) }()
	select {
	case <-listening:
	case err := <-s.served:
		link.close()
		return fmt.Errorf("the engine's listener: %w", err)
	}
	s.link = link
	s.link.handler = s.link.proxy(s.opts.Log)
	s.client = s.newClient()
	return nil
}

// ServeHTTP answers one S3 request. The request must arrive as the client signed
// it: method, Host, path, query and headers unchanged.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		writeError(w, http.StatusServiceUnavailable, "ServiceUnavailable", "The object store is shutting down.")
		return
	}
	defer s.requests.Done()
	s.link.handler.ServeHTTP(s3Headers{w}, r)
}

func (s *Server) enter() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return false
	}
	s.requests.Add(1)
	return true
}

// Shutdown lets requests under way finish until ctx ends, then stops. Requests
// that come later are answered 503. A second call does nothing.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()

	drained := make(chan struct{})
	go func() { s.requests.Wait(); close(drained) }()
	var late error
	select {
	case <-drained:
	case <-ctx.Done():
		late = fmt.Errorf("s3server: requests were cut off: %w", ctx.Err())
	}
	s.link.close()
	if err := s.api.ShutDown(); err != nil {
		late = errors.Join(late, fmt.Errorf("s3server: stop the engine: %w", err))
	}
	<-s.served //nolint:errcheck // its error says only that the listener was closed
	s.engine.Shutdown()
	return late
}

// prepareDir makes the folder and writes an extended attribute into it, since
// that is where the engine keeps an object's headers, tag and checksum.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	f, err := os.CreateTemp(dir, ".check-*")
	if err != nil {
		return fmt.Errorf("write into the folder: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const name, value = "dayfly-check", "kept"
	var store meta.XattrMeta
	err = store.StoreAttribute(f, "", "", name, []byte(value))
	if err == nil {
		var got []byte
		got, err = store.RetrieveAttribute(f, "", "", name)
		if err == nil && string(got) != value {
			err = fmt.Errorf("wrote %q, read back %q", value, got)
		}
	}
	if err != nil {
		return fmt.Errorf("the file system of %s does not keep extended attributes (%w): "+
			"put the data folder on one that does, such as ext4, xfs, btrfs or apfs", dir, err)
	}
	return nil
}

// newPosix opens versitygw's file engine, which changes the working directory
// while it opens: inDir keeps that from the rest of the process.
func newPosix(dir string) (*posix.Posix, error) {
	var p *posix.Posix
	err := inDir(dir, func() (err error) {
		p, err = posix.New(dir, attributes{}, posix.PosixOpts{CopyObjectThreshold: copyLimit})
		return err
	})
	return p, err
}
