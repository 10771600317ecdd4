package supervise

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Usage is what a process and everything below it uses.
type Usage struct {
	CPU    float64 // cores, averaged since the sample before; -1 unknown yet
	Memory int64   // resident bytes; -1 unknown
}

// Meter measures processes by pid, from /proc. Sample at an even pace.
type Meter struct {
	mu     sync.Mutex
	before map[int]sample
	latest map[int]Usage
}

type sample struct {
	at    time.Time
	ticks int64
}

// clockTicks a second in /proc/PID/stat: USER_HZ is 100 on every Linux
// architecture Go runs on (proc(5)).
const clockTicks = 100

// Sample measures the processes of pids and forgets all others.
func (m *Meter) Sample(pids []int) {
	now := time.Now()
	before, latest := map[int]sample{}, map[int]Usage{}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, pid := range pids {
		ticks, memory := tree(pid, 0)
		u := Usage{CPU: -1, Memory: memory}
		if old, ok := m.before[pid]; ok && now.After(old.at) {
			u.CPU = max(0, float64(ticks-old.ticks)/clockTicks/now.Sub(old.at).Seconds())
		}
		before[pid], latest[pid] = sample{now, ticks}, u
	}
	m.before, m.latest = before, latest
}

// Usage of a process at the last sample.
func (m *Meter) Usage(pid int) Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u, ok := m.latest[pid]; ok {
		return u
	}
	return Usage{CPU: -1, Memory: -1}
}

// tree sums a process and its descendants, to a bounded depth.
func tree(pid, depth int) (ticks, memory int64) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0, 0
	}
	// Fields after the command's name, which may hold spaces and brackets.
	if i := bytes.LastIndexByte(stat, ')'); i >= 0 {
		f := strings.Fields(string(stat[i+1:]))
		if len(f) > 21 {
			utime, _ := strconv.ParseInt(f[11], 10, 64)
			stime, _ := strconv.ParseInt(f[12], 10, 64)
			pages, _ := strconv.ParseInt(f[21], 10, 64)
			ticks, memory = utime+stime, pages*int64(os.Getpagesize())
		}
	}
	if depth > 8 {
		return ticks, memory
	}
	children, err := os.ReadFile(dir + "/task/" + strconv.Itoa(pid) + "/children")
	if err != nil {
		return ticks, memory
	}
	for _, c := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(c); err == nil {
			t, m := tree(n, depth+1)
			ticks, memory = ticks+t, memory+m
		}
	}
	return ticks, memory
}
