package edge

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// Bodies bounds what a slow client can hold. No instance waits for one: what it
// sends, up to a size, is taken to a file before an instance is asked, and of
// what it is sent the rest is taken from the instance, into a file, as soon as
// the client is slow in taking it. Beyond that, and where the length of what is
// sent is not known, it has to keep up a rate.
type Bodies struct {
	// Rate is how many bytes a second a client has to send of a body, on average
	// after Grace; the time it waits for an instance does not count. It holds
	// until the application begins its answer: from then on the two converse.
	// Default 1 KiB; below zero none.
	Rate int64
	// Grace is how long a body may take whatever its size. Default 10 s.
	Grace time.Duration
	// Stall is how long a client may send nothing. Default 60 s.
	Stall time.Duration

	// Dir is where the files are, without names. Default os.TempDir.
	Dir string
	// Request bounds the body of a request that is taken to a file, Answer what is
	// taken of one answer ahead of its client, in bytes. Larger requests stream to
	// the instance; a larger answer waits for its client. Defaults 32 MiB and
	// 64 MiB; below zero none.
	Request, Answer int64
	// Total bounds all files together, in bytes; what does not fit streams.
	// Default 1 GiB.
	Total int64
}

func (b *Bodies) normalize() error {
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{{"Grace", &b.Grace, 10 * time.Second}, {"Stall", &b.Stall, time.Minute}} {
		if *d.v == 0 {
			*d.v = d.def
		}
		if *d.v < time.Millisecond {
			return fmt.Errorf("edge: Bodies.%s is %v; it must be at least 1ms", d.name, *d.v)
		}
	}
	for v, def := range map[*int64]int64{&b.Rate: 1 << 10, &b.Request: 32 << 20, &b.Answer: 64 << 20, &b.Total: 1 << 30} {
		if *v == 0 {
			*v = def
		}
	}
	if b.Dir == "" {
		b.Dir = os.TempDir()
	}
	return nil
}

// A tooSlow is the error of reading from a client that does not keep up.
type tooSlow struct{ got int64 }

func (e *tooSlow) Error() string { return fmt.Sprintf("client too slow: %d bytes of a body", e.got) }

func isTooSlow(err error) bool {
	var slow *tooSlow
	return errors.As(err, &slow)
}

var pageTooSlow = pageText{"Too slow",
	"What you sent did not arrive in time. Nothing of it was processed: please send it again."}

// A clientBody is a request's body with a bound to the time it takes. A client
// is not held to it while it is not read from: time is only what reads wait.
type clientBody struct {
	r      io.Reader
	rc     *http.ResponseController
	o      *Bodies
	got    int64
	waited time.Duration

	mu     sync.Mutex // guards what follows and the connection's deadline
	free   bool       // the application answers: no bound any more
	ending bool       // nobody wants the rest
}

func (x *exchange) clientBody(r io.Reader) *clientBody {
	return &clientBody{r: r, rc: http.NewResponseController(x.w), o: &x.setup.Bodies}
}

// Read implements io.Reader.
func (b *clientBody) Read(p []byte) (int, error) {
	start := time.Now()
	b.mu.Lock()
	if !b.free && !b.ending {
		_ = b.rc.SetReadDeadline(start.Add(b.patience())) // not every server can
	}
	b.mu.Unlock()
	n, err := b.r.Read(p)
	b.got += int64(n)
	b.waited += time.Since(start)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = &tooSlow{b.got}
	default:
		b.unbound()
	}
	return n, err
}

// patience is how long the next bytes may be in coming.
func (b *clientBody) patience() time.Duration {
	if b.o.Rate <= 0 {
		return b.o.Stall
	}
	earned := time.Duration(float64(b.got) / float64(b.o.Rate) * float64(time.Second))
	return max(0, min(b.o.Stall, b.o.Grace+earned-b.waited))
}

func (b *clientBody) unbound() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ending {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
}

// release ends the bounds: the application has begun its answer.
func (b *clientBody) release() {
	b.mu.Lock()
	b.free = true
	b.mu.Unlock()
	b.unbound()
}

// end has a read under way, and those to come, end within the grace.
func (b *clientBody) end(grace time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ending = true
	_ = b.rc.SetReadDeadline(time.Now().Add(grace))
}
