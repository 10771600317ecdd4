// Package logs gathers the lines the processes write: the newest in memory, all
// of them in rotated files, and live to those who follow.
//
// A line is at most MaxLine bytes; longer ones are cut into several. Writing
// never waits for a reader or for a disk that fails: a follower that falls
// behind loses lines, and a file that cannot be written is tried again later;
// both are counted.
package logs

import (
	"context"
	"strings"
	"sync"
	"time"
)

// MaxLine is the longest line kept whole, in bytes.
const MaxLine = 16 << 10

// keep is how many lines of each process group stay in memory.
const keep = 2000

// Line is one line of a process.
type Line struct {
	Time    time.Time `json:"time"`
	Process string    `json:"process"` // "web.1", or "dayfly"
	Stream  string    `json:"stream"`  // "out", "err", or "dayfly" for what dayfly says about the process
	Text    string    `json:"text"`
}

// Hub gathers lines. Its methods may be called from any number of goroutines.
type Hub struct {
	files *files

	mu        sync.Mutex
	groups    map[string]*ring
	followers map[*follower]struct{}
}

type follower struct {
	process string
	lines   chan Line
	lost    int
}

// Open makes a hub whose files are in dir, one a process group, rotated at
// 10 MiB, five kept. With dir "" nothing is written to files.
func Open(dir string) (*Hub, error) {
	h := &Hub{groups: map[string]*ring{}, followers: map[*follower]struct{}{}}
	if dir != "" {
		f, err := openFiles(dir)
		if err != nil {
			return nil, err
		}
		h.files = f
	}
	return h, nil
}

// Add takes one line, without its end, of a process such as "web.1".
func (h *Hub) Add(process, stream, text string) {
	line := Line{Time: time.Now(), Process: process, Stream: stream, Text: strings.TrimRight(text, "\r\n")}
	group := Group(process)
	h.mu.Lock()
	r := h.groups[group]
	if r == nil {
		r = &ring{}
		h.groups[group] = r
	}
	r.add(line)
	for f := range h.followers {
		f.offer(line)
	}
	h.mu.Unlock()
	if h.files != nil {
		h.files.write(group, line)
	}
}

// Last returns the newest n lines of a process, a group, or ("") all, oldest
// first.
func (h *Hub) Last(process string, n int) []Line {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []Line
	for group, r := range h.groups {
		if process == "" || Group(process) == group {
			for _, l := range r.ordered() {
				if matches(process, l.Process) {
					all = append(all, l)
				}
			}
		}
	}
	sortByTime(all)
	if len(all) > n {
		all = all[len(all)-n:]
	}
	return all
}

// Follow returns the newest n lines and then each line as it comes, until ctx
// ends. A reader more than 4,096 lines behind loses lines; one that says how
// many were lost takes their place.
func (h *Hub) Follow(ctx context.Context, process string, n int) <-chan Line {
	past := h.Last(process, n)
	f := &follower{process: process, lines: make(chan Line, 4096+len(past))}
	for _, l := range past {
		f.lines <- l
	}
	h.mu.Lock()
	h.followers[f] = struct{}{}
	h.mu.Unlock()
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		delete(h.followers, f)
		close(f.lines)
		h.mu.Unlock()
	})
	return f.lines
}

// Close writes out what is buffered and closes the files.
func (h *Hub) Close() error {
	if h.files == nil {
		return nil
	}
	return h.files.close()
}

func (f *follower) offer(l Line) {
	if !matches(f.process, l.Process) {
		return
	}
	if f.lost > 0 {
		notice := Line{Time: l.Time, Process: "dayfly", Stream: "dayfly", Text: lostNotice(f.lost)}
		select {
		case f.lines <- notice:
			f.lost = 0
		default:
			f.lost++
			return
		}
	}
	select {
	case f.lines <- l:
	default:
		f.lost++
	}
}

// Group is the part of a process's name before its number: "web" of "web.1".
func Group(process string) string {
	group, _, _ := strings.Cut(process, ".")
	return group
}

func matches(want, process string) bool {
	return want == "" || want == process || want == Group(process)
}
