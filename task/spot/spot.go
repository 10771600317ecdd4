// Package spot ends a context when EC2 says that it takes the machine away: a
// worker whose Run has that context stops receiving, gives back what it has not
// begun, and finishes what runs in the time that is left.
//
//	ctx, stop := spot.Watch(ctx, nil)
//	defer stop()
//	err := worker.Run(ctx)
//
// It asks the instance metadata service (IMDSv2) every 5 s, and only on EC2. What
// it looks at, by the EC2 and Auto Scaling user guides: spot/instance-action,
// two minutes before a spot instance is interrupted;
// autoscaling/target-lifecycle-state, Terminated when the group ends the
// instance; events/recommendations/rebalance, if Options say so. Elsewhere a
// SIGTERM does the same, which a machine's init sends at its end.
package spot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Options of Watch; nil is the default of each.
type Options struct {
	// Always watches also where the machine does not say that it is EC2's, Never
	// nowhere.
	Always, Never bool
	// Endpoint of the metadata service; default that of AWS's client, which is
	// AWS_EC2_METADATA_SERVICE_ENDPOINT, or http://169.254.169.254.
	Endpoint string
	// Every is the pause between two looks; default 5 s, as AWS recommends.
	Every time.Duration
	// Margin is what is left of the time when all must have ended; default 15 s.
	Margin time.Duration
	// Rebalance has a rebalance recommendation count as a notice; default it is
	// only logged, as the machine may stay.
	Rebalance bool
	// Log takes what happens; default nothing is logged.
	Log *slog.Logger
}

// Notice is the cause with which the context ends.
type Notice struct {
	What string    // "spot terminate", "spot stop", "spot hibernate", "rebalance", "autoscaling"
	At   time.Time // when the machine goes; zero: not said
	by   time.Time
}

func (n *Notice) Error() string {
	if n.At.IsZero() {
		return fmt.Sprintf("spot: EC2 takes the machine away (%s)", n.What)
	}
	return fmt.Sprintf("spot: EC2 takes the machine away at %s (%s)", n.At.UTC().Format(time.RFC3339), n.What)
}

// DrainBy is when all must have ended, Margin before At; false if At is not known.
// A worker lets its tasks run until then, whatever its DrainTimeout.
func (n *Notice) DrainBy() (time.Time, bool) { return n.by, !n.At.IsZero() }

// Watch returns a context that ends with a *Notice as its cause when the machine
// is about to be taken away, or when ctx ends. Not on EC2 it makes no request
// and starts nothing. stop ends the watching, and the context.
func Watch(ctx context.Context, options *Options) (watched context.Context, stop context.CancelFunc) {
	var o Options
	if options != nil {
		o = *options
	}
	if o.Every == 0 {
		o.Every = 5 * time.Second
	}
	if o.Margin == 0 {
		o.Margin = 15 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	watched, end := context.WithCancelCause(ctx)
	if o.Never || !o.Always && !OnEC2() {
		return watched, func() { end(nil) }
	}
	w := &watch{o: o, client: imds.New(imds.Options{Endpoint: o.Endpoint, Retryer: aws.NopRetryer{}, ClientEnableState: imds.ClientEnabled})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.run(watched, end)
	}()
	return watched, func() { end(nil); <-ended }
}

// OnEC2 reports whether the machine says that it is EC2's, by its DMI vendor
// (Nitro) or the hypervisor's UUID (Xen). It reads two small files at most.
func OnEC2() bool { return ec2At("/sys") }

func ec2At(sys string) bool {
	vendor, _ := os.ReadFile(sys + "/class/dmi/id/sys_vendor") // none: it is not
	if strings.TrimSpace(string(vendor)) == "Amazon EC2" {
		return true
	}
	id, _ := os.ReadFile(sys + "/hypervisor/uuid")
	return strings.HasPrefix(string(id), "ec2")
}

type watch struct {
	o           Options
	client      *imds.Client
	failing     bool // said
	recommended bool // said
}

func (w *watch) run(ctx context.Context, end context.CancelCauseFunc) {
	t := time.NewTicker(w.o.Every)
	defer t.Stop()
	for {
		n, err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case n != nil:
			n.by = n.At.Add(-w.o.Margin)
			w.o.Log.Warn("the machine is taken away: draining", "notice", n.What, "at", n.At)
			end(n)
			return
		case err != nil && !w.failing:
			w.o.Log.Warn("cannot ask the instance metadata whether the machine is taken away; asking on", "error", err)
		}
		w.failing = err != nil
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

const (
	lookTime  = 2 * time.Second // of one request
	maxAnswer = 4 << 10
)

// look asks once; a nil Notice is that there is none.
func (w *watch) look(ctx context.Context) (*Notice, error) {
	text, err := w.get(ctx, "spot/instance-action")
	if err != nil {
		return nil, err
	}
	if text != "" {
		return readAction(text), nil
	}
	if text, err = w.get(ctx, "autoscaling/target-lifecycle-state"); err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "Terminated" {
		return &Notice{What: "autoscaling"}, nil
	}
	if text, err = w.get(ctx, "events/recommendations/rebalance"); err != nil || text == "" {
		return nil, err
	}
	if w.o.Rebalance {
		return &Notice{What: "rebalance"}, nil
	}
	if !w.recommended {
		w.recommended = true
		w.o.Log.Warn("EC2 recommends to replace this spot instance: it is more likely than before to be interrupted")
	}
	return nil, nil
}

// readAction reads {"action":"terminate","time":"2026-11-21T08:22:00Z"}. What it
// cannot read is a notice all the same, whose time is not known.
func readAction(text string) *Notice {
	var a struct {
		Action string    `json:"action"`
		Time   time.Time `json:"time"`
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil || a.Action == "" {
		return &Notice{What: "spot"}
	}
	return &Notice{What: "spot " + a.Action, At: a.Time}
}

// get returns what the metadata has at a path, "" if there is nothing.
func (w *watch) get(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	out, err := w.client.GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && e.HTTPStatusCode() == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer out.Content.Close()
	text, err := io.ReadAll(io.LimitReader(out.Content, maxAnswer))
	return string(text), err
}
