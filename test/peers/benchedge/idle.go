package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// held is what a round of the part idle found of a subject.
type held struct {
	each   float64 // KiB of resident memory for each connection
	sample turns.Sample
	p99    time.Duration
}

// runIdle measures what connections cost that do nothing, and what is left of
// the speed while they are there. Each round starts each server afresh.
func runIdle(o *options, out io.Writer) error {
	b, address, err := o.startBackend()
	if err != nil {
		return err
	}
	defer b.Kill()
	subjects := o.wanted(nginx, caddy)
	for _, kind := range []string{"plain", "tls"} {
		found := map[string][]held{}
		for round := range o.rounds {
			for i := range subjects {
				subject := subjects[(i+round)%len(subjects)]
				h, err := o.hold(subject, setup{kind: kind, backend: address})
				if err != nil {
					return fmt.Errorf("%s, %s: %w", subject, kind, err)
				}
				log.Printf("idle, %s, round %d: %s: %.1f KiB a connection, %s/s, p99 %s", kind, round+1, subject, h.each, turns.Short(h.sample.Rate()), h.p99)
				found[subject] = append(found[subject], h)
			}
		}
		o.writeIdle(out, kind, subjects, found)
	}
	return nil
}

// hold starts a subject, warms it, opens connections and asks once on each, and
// then has wrk work beside them.
func (o *options) hold(subject string, s setup) (h held, err error) {
	r, err := o.start(subject, s)
	if err != nil {
		return h, err
	}
	defer r.p.Stop(syscall.SIGTERM)
	url := r.url + "/static/" + smallFile
	if _, _, err := o.load(r, url); err != nil {
		return h, err
	}
	process.Settle([]*process.Process{r.p})
	before := r.p.ResidentAll(r.without...)
	conns, err := open(r.url, o.idle)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	if err != nil {
		return h, err
	}
	process.Settle([]*process.Process{r.p})
	h.each = float64(r.p.ResidentAll(r.without...)-before) / 1024 / float64(o.idle)
	if h.sample, h.p99, err = o.load(r, url); err != nil {
		return h, err
	}
	// Those that waited are still there: each tenth is asked again.
	for i := 0; i < len(conns); i += 10 {
		if err := ask(conns[i]); err != nil {
			return h, fmt.Errorf("a connection that waited: %w", err)
		}
	}
	return h, nil
}

// open makes connections and asks for a file on each.
func open(url string, n int) ([]net.Conn, error) {
	scheme, address, _ := strings.Cut(url, "://")
	var (
		mu     sync.Mutex
		conns  []net.Conn
		failed error
		all    sync.WaitGroup
	)
	const atOnce = 16
	for i := range atOnce {
		all.Go(func() {
			for range (n + atOnce - 1 - i) / atOnce {
				c, err := net.DialTimeout("tcp", address, 10*time.Second)
				if err == nil && scheme == "https" {
					c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
				}
				if err == nil {
					err = ask(c)
				}
				mu.Lock()
				if c != nil {
					conns = append(conns, c)
				}
				if err != nil && failed == nil {
					failed = err
				}
				stop := failed != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	all.Wait()
	return conns, failed
}

// ask sends one request on a connection that stays open, and reads the answer.
func ask(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "GET /static/"+smallFile+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(c, 2048), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n != int64(len(kilobyte))) {
		err = fmt.Errorf("%s and %d bytes", res.Status, n)
	}
	return err
}

func (o *options) writeIdle(out io.Writer, kind string, subjects []string, found map[string][]held) {
	how := map[string]string{"plain": "http", "tls": "https"}[kind]
	fmt.Fprintf(out, "\n### %d connections of %s that wait, and %d that work\n\n", o.idle, how, o.connections)
	turns.Row(out, append([]string{""}, subjects...)...)
	turns.Rule(out, len(subjects)+1)
	row := func(name string, of func(held) float64) {
		cells := []string{name}
		for _, s := range subjects {
			var v []float64
			for _, h := range found[s] {
				v = append(v, of(h))
			}
			cells = append(cells, turns.SpreadOf(v).String())
		}
		turns.Row(out, cells...)
	}
	row("memory a waiting connection, KiB", func(h held) float64 { return h.each })
	row("files of 1 KiB a second beside them", func(h held) float64 { return h.sample.Rate() })
	row("99 % within, ms", func(h held) float64 { return float64(h.p99.Microseconds()) / 1000 })
	row("cpu-µs/request of the server", func(h held) float64 { return h.sample.Each(h.sample.Server) })
}
