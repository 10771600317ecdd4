package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/app"
	"github.com/dayfly-dev/dayfly/app/logs"
)

// console prints prefixed lines, in colour on a terminal. One goroutine writes
// them, so that a reader that does not read (a terminal that was halted, a full
// pipe) stops nothing but what is shown.
type console struct {
	colour bool
	out    io.Writer
	lines  chan string  // to be written, with their ends
	lost   atomic.Int64 // lines of dayfly's own that found no room
	ending chan struct{}
	stuck  chan struct{} // closed when close has waited long enough
	done   chan struct{}

	cancel   context.CancelFunc // of following the processes' lines
	followed chan struct{}
}

const (
	consoleRoom  = 1024        // lines that wait to be written
	consoleClose = time.Second // how long close waits for a reader
)

func newConsole(out io.Writer) *console {
	c := &console{out: out, colour: isTerminal(out), lines: make(chan string, consoleRoom),
		ending: make(chan struct{}), stuck: make(chan struct{}), done: make(chan struct{})}
	go c.write()
	return c
}

func (c *console) write() {
	defer close(c.done)
	for {
		select {
		case text := <-c.lines:
			c.print(text)
		case <-c.ending:
			for {
				select {
				case text := <-c.lines:
					c.print(text)
				default:
					return
				}
			}
		}
	}
}

func (c *console) print(text string) {
	if n := c.lost.Swap(0); n > 0 {
		text += c.format(logs.Line{Time: time.Now(), Process: "dayfly", Stream: "dayfly", Text: fmt.Sprintf("… %d lines could not be shown", n)})
	}
	io.WriteString(c.out, text) //nolint:errcheck // whoever read it is gone; the application goes on
}

// isTerminal also honours NO_COLOR (no-color.org).
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0
}

// follow returns what prints the application's lines as they come; nil when quiet.
func (c *console) follow(quiet bool) func(*logs.Hub) {
	return func(hub *logs.Hub) {
		ctx, cancel := context.WithCancel(context.Background())
		c.cancel, c.followed = cancel, make(chan struct{})
		lines := hub.Follow(ctx, "", 0)
		go func() {
			defer close(c.followed)
			for l := range lines {
				if quiet && (l.Process != "build" || l.Stream != "dayfly") {
					continue
				}
				select { // the hub counts what is lost meanwhile
				case c.lines <- c.format(l):
				case <-c.stuck:
				}
			}
		}()
	}
}

// close writes what is still to be written, if somebody reads it.
func (c *console) close() {
	patience := time.AfterFunc(consoleClose, func() { close(c.stuck) })
	defer patience.Stop()
	if c.cancel != nil {
		c.cancel()
		<-c.followed
	}
	close(c.ending)
	select {
	case <-c.done:
	case <-c.stuck:
	}
}

// say prints a line of dayfly's own.
func (c *console) say(text string) {
	c.offer(c.format(logs.Line{Time: time.Now(), Process: "dayfly", Stream: "dayfly", Text: text}))
}

func (c *console) offer(text string) {
	select {
	case c.lines <- text:
	default:
		c.lost.Add(1)
	}
}

// writer prints what is written to it as lines of a process.
func (c *console) writer(process string) io.Writer {
	return &lockedWriter{w: logs.Writer{Line: func(text string) {
		c.offer(c.format(logs.Line{Time: time.Now(), Process: process, Stream: "err", Text: text}))
	}}}
}

type lockedWriter struct {
	mu sync.Mutex
	w  logs.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (c *console) format(l logs.Line) string {
	var b strings.Builder
	printLine(&b, l, c.colour)
	return b.String()
}

// printLine writes a line as `up` and `logs` show it.
func printLine(out io.Writer, l logs.Line, colour bool) {
	prefix := fmt.Sprintf("%s %-9s", l.Time.Local().Format(time.TimeOnly), l.Process)
	text := l.Text
	if colour {
		prefix = colourOf(logs.Group(l.Process)) + prefix + "\x1b[0m"
		if l.Stream == "dayfly" {
			text = "\x1b[1m" + text + "\x1b[0m"
		}
	} else {
		text = plainText(text)
	}
	mark := "|"
	if l.Stream == "dayfly" {
		mark = "*"
	}
	fmt.Fprintf(out, "%s %s %s\n", prefix, mark, text)
}

// colours that are read on dark and on light backgrounds.
var colours = []string{"\x1b[36m", "\x1b[32m", "\x1b[35m", "\x1b[34m", "\x1b[33m"}

func colourOf(group string) string {
	if group == "dayfly" {
		return "\x1b[2m"
	}
	h := fnv.New32a()
	io.WriteString(h, group)
	return colours[h.Sum32()%uint32(len(colours))]
}

// plainText drops control characters, which a file or another program would
// not understand.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

// welcome says where everything is.
func (c *console) welcome(a *app.App, took time.Duration) {
	var b strings.Builder
	addresses := a.Addresses()
	width := 0
	for _, x := range addresses {
		width = max(width, len(x.Name))
	}
	fmt.Fprintf(&b, "\n  %s is up (dayfly %s, %s)\n\n", a.Name(), version(), took.Round(100*time.Millisecond))
	for _, x := range addresses {
		note := ""
		if x.Note != "" {
			note = "   (" + x.Note + ")"
		}
		url := x.URL
		if c.colour && strings.HasPrefix(url, "http") {
			url = "\x1b[4m" + url + "\x1b[0m"
		}
		fmt.Fprintf(&b, "    %-*s  %s%s\n", width, x.Name, url, note)
	}
	b.WriteString("\n  `dayfly env` prints these for a shell; Ctrl-C drains and stops.\n\n")
	c.offer(b.String())
}
