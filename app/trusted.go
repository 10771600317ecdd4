package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/forwarded"
)

const (
	awsRangesURL     = "https://ip-ranges.amazonaws.com/ip-ranges.json"
	awsRangesEvery   = 24 * time.Hour
	awsRangesAgain   = time.Minute // after a failure; the pause doubles up to an hour
	awsRangesTimeout = 20 * time.Second
)

// trust has the edge believe the manifest's trusted networks. Where some are
// named by AWS's list, that is read, kept in the data folder and renewed.
func (a *App) trust(e *edge.Edge) error {
	words := a.manifest.Edge.Trusted
	if !forwarded.UsesPublished(words) {
		networks, err := forwarded.ParseNetworks(words, nil)
		if err == nil {
			e.Trust(networks)
		}
		return err
	}
	l := &awsList{words: words, edge: e, source: a.manifest.Edge.AWSRanges, copy: a.data.path("aws-ip-ranges.json"), log: a.log.Warn}
	if l.source == "" {
		l.source = awsRangesURL
	}
	if !l.remote() && !filepath.IsAbs(l.source) {
		l.source = filepath.Join(a.manifest.Dir, l.source)
	}
	if err := l.start(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.keep(ctx)
	}()
	a.onStop("AWS's list of networks", func(context.Context) error { stop(); <-ended; return nil })
	return nil
}

// An awsList is the list of networks that AWS publishes.
type awsList struct {
	words  []string // of edge.trusted
	edge   *edge.Edge
	source string // an address, or a file's path
	copy   string // the file with the last good one
	log    func(text string, args ...any)
	now    *forwarded.Published // nil: not at hand
	tag    string               // ETag of now
}

func (l *awsList) remote() bool {
	return strings.HasPrefix(l.source, "https://") || strings.HasPrefix(l.source, "http://")
}

// start uses the file, or the copy of an earlier run. Without either those
// networks are not believed until the list is there, and the log says so.
func (l *awsList) start() error {
	path := l.copy
	if !l.remote() {
		path = l.source
	}
	p, err := readPublished(path)
	switch {
	case err == nil:
		l.now = p
	case !l.remote():
		return fmt.Errorf("[edge] aws_ranges: %w", err)
	case !errors.Is(err, os.ErrNotExist):
		l.log("the copy of AWS's list of networks cannot be used; it is fetched anew", "error", err)
	}
	networks, err := l.networks()
	if err == nil {
		l.edge.Trust(networks)
	}
	return err
}

// networks are those of the words; while the list is not at hand, those that
// need none.
func (l *awsList) networks() (*forwarded.Networks, error) {
	words := l.words
	if l.now == nil {
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return forwarded.UsesPublished([]string{w}) })
	}
	networks, err := forwarded.ParseNetworks(words, l.now)
	if err != nil {
		return nil, fmt.Errorf("[edge] trusted: %w", err)
	}
	return networks, nil
}

func readPublished(path string) (*forwarded.Published, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := forwarded.ParsePublished(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// keep renews the list at once and then each day.
func (l *awsList) keep(ctx context.Context) {
	again := awsRangesAgain
	for {
		pause := awsRangesEvery
		if err := l.renew(ctx); err != nil && ctx.Err() == nil {
			text := "AWS's list of networks cannot be renewed; the one before stays in use"
			if l.now == nil {
				text = "AWS's list of networks cannot be had, so that headers from those in [edge] trusted are NOT believed yet; give a copy of it with aws_ranges"
			}
			l.log(text, "from", l.source, "error", err, "again in", again)
			pause, again = again, min(2*again, time.Hour)
		} else {
			again = awsRangesAgain
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// renew gets the list and, if it is newer than what there is, uses and keeps it.
func (l *awsList) renew(ctx context.Context) error {
	if !l.remote() {
		p, err := readPublished(l.source)
		if err != nil || !p.Created.After(l.now.Created) {
			return err
		}
		return l.use(p)
	}
	ctx, cancel := context.WithTimeout(ctx, awsRangesTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.source, nil)
	if err != nil {
		return err
	}
	if l.tag != "" {
		r.Header.Set("If-None-Match", l.tag)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotModified {
		return nil
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, forwarded.MaxPublished+1))
	if err != nil {
		return err
	}
	p, err := forwarded.ParsePublished(bytes.NewReader(text))
	if err != nil {
		return err
	}
	if l.now != nil && p.Created.Before(l.now.Created) {
		return fmt.Errorf("it is of %s, older than what there is", p.Created.Format(time.DateOnly))
	}
	if l.now == nil || p.Created.After(l.now.Created) {
		if err := l.use(p); err != nil {
			return err
		}
		if err := writeFile(l.copy, text, 0o600); err != nil {
			return err
		}
	}
	l.tag = answer.Header.Get("ETag")
	return nil
}

// use has the edge believe what a list says, if all names are in it.
func (l *awsList) use(p *forwarded.Published) error {
	before := l.now
	l.now = p
	networks, err := l.networks()
	if err != nil {
		l.now = before
		return err
	}
	l.edge.Trust(networks)
	return nil
}
