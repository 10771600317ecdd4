package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// heard is what wrk printed.
type heard struct {
	requests int
	elapsed  time.Duration
	p99      time.Duration
	failed   string // what it says of errors; "": none
}

var (
	inAll    = regexp.MustCompile(`(?m)^\s*(\d+) requests in ([0-9.]+(?:us|ms|s|m|h)),`)
	slowest  = regexp.MustCompile(`(?m)^\s*99%\s+([0-9.]+(?:us|ms|s|m|h))`)
	troubles = regexp.MustCompile(`(?m)^\s*(Socket errors: .*|Non-2xx or 3xx responses: .*)$`)
)

// parseWrk reads the summary of wrk 4 with --latency.
func parseWrk(text []byte) (h heard, err error) {
	all, last := inAll.FindSubmatch(text), slowest.FindSubmatch(text)
	if all == nil || last == nil {
		return h, fmt.Errorf("wrk printed what is not understood:\n%s", text)
	}
	if h.requests, err = strconv.Atoi(string(all[1])); err != nil {
		return h, err
	}
	if h.elapsed, err = time.ParseDuration(string(all[2])); err != nil {
		return h, err
	}
	if h.p99, err = time.ParseDuration(string(last[1])); err != nil {
		return h, err
	}
	if m := troubles.FindSubmatch(text); m != nil {
		h.failed = string(m[1])
	}
	return h, nil
}

// load has wrk ask a site for an address as long as options say. A request that
// fails fails the measurement.
func (o *options) load(s *site, url string, header ...string) (turns.Sample, time.Duration, error) {
	args := []string{"-t2", "-c" + strconv.Itoa(o.connections), "-d" + strconv.Itoa(max(int(o.lasts.Seconds()), 1)), "--latency"}
	for _, h := range header {
		args = append(args, "-H", h)
	}
	cmd := exec.Command("wrk", append(args, url)...)
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	cpu := s.cpu()
	if err := cmd.Run(); err != nil {
		return turns.Sample{}, 0, fmt.Errorf("wrk: %w\n%s", err, printed.Bytes())
	}
	cpu = s.cpu() - cpu
	h, err := parseWrk(printed.Bytes())
	if err == nil && h.failed != "" {
		err = fmt.Errorf("%s: %s", url, h.failed)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return turns.Sample{Messages: h.requests, Elapsed: h.elapsed, Client: used, Server: cpu}, h.p99, err
}
