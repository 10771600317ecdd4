package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/app"
	"github.com/dayfly-dev/dayfly/app/logs"
)

// console prints prefixed lines, in colour on a terminal.
type console struct {
	colour bool
	mu     sync.Mutex
	out    io.Writer
	cancel context.CancelFunc
	done   chan struct{}
}

func newConsole(out io.Writer) *console {
	return &console{out: out, colour: isTerminal(out)}
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
		c.cancel, c.done = cancel, make(chan struct{})
		lines := hub.Follow(ctx, "", 0)
		go func() {
			defer close(c.done)
			for l := range lines {
				if !quiet || l.Process == "build" && l.Stream == "dayfly" {
					c.line(l)
				}
			}
		}()
	}
}

func (c *console) close() {
	if c.cancel != nil {
		c.cancel()
		<-c.done
	}
}

// say prints a line of dayfly's own.
func (c *console) say(text string) {
	c.line(logs.Line{Time: time.Now(), Process: "dayfly", Stream: "dayfly", Text: text})
}

// writer prints what is written to it as lines of a process.
func (c *console) writer(process string) io.Writer {
	return &lockedWriter{w: logs.Writer{Line: func(text string) {
		c.line(logs.Line{Time: time.Now(), Process: process, Stream: "err", Text: text})
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

func (c *console) line(l logs.Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	printLine(c.out, l, c.colour)
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
	c.mu.Lock()
	defer c.mu.Unlock()
	addresses := a.Addresses()
	width := 0
	for _, x := range addresses {
		width = max(width, len(x.Name))
	}
	fmt.Fprintf(c.out, "\n  %s is up (dayfly %s, %s)\n\n", a.Name(), version(), took.Round(100*time.Millisecond))
	for _, x := range addresses {
		note := ""
		if x.Note != "" {
			note = "   (" + x.Note + ")"
		}
		url := x.URL
		if c.colour && strings.HasPrefix(url, "http") {
			url = "\x1b[4m" + url + "\x1b[0m"
		}
		fmt.Fprintf(c.out, "    %-*s  %s%s\n", width, x.Name, url, note)
	}
	fmt.Fprintf(c.out, "\n  `dayfly env` prints these for a shell; Ctrl-C drains and stops.\n\n")
}
