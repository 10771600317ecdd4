package edge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	clickFormat   = `{"format":"dayfly-clicks","version":2}` + "\n"
	clickFormat1  = `{"format":"dayfly-clicks","version":1}` + "\n" // had neither visitors nor salts; written anew as 2
	maxClickLinks = 50_000                                          // distinct campaign, path and day
	// maxPathsPerDay bounds one campaign's day, so that one day of nonsense
	// does not take the room of the next.
	maxPathsPerDay = 5_000
	clickDays      = 400             // older days are forgotten
	clickRewrite   = 8 << 20         // bytes of file before it is written anew
	maxClickPath   = 512             // bytes; longer ones count under OtherLinks
	clickPatience  = 2 * time.Second // how long a redirect waits for the disk
	clickLineMax   = maxClickTarget*2 + 512
)

type clickKey struct{ campaign, path, day string }

type clickLine struct {
	Day      string `json:"day"`
	Campaign string `json:"campaign"`
	Path     string `json:"path"`
	People   int64  `json:"people,omitempty"`
	Visitors int64  `json:"visitors,omitempty"`
	Bots     int64  `json:"bots,omitempty"`

	Salt string   `json:"salt,omitempty"` // of the day, in hex; such a line has no campaign
	Seen []string `json:"seen,omitempty"` // hashes of who followed a link that day, in hex
}

// A clickStore counts clicks in memory and in a file of lines: each adds to
// the count of its key. Clicks that arrive while the disk is syncing share the
// next sync. The file is written anew, and replaced at once, when it has grown.
type clickStore struct {
	name string
	log  *slog.Logger

	mu     sync.Mutex
	links  map[clickKey]*ClickCount
	perDay map[clickKey]int // path empty: distinct paths but OtherLinks
	total  int              // of perDay
	batch  *clickBatch      // gathers
	people visitors
	anew   bool // the file is to be written anew: a day has ended
	closed bool
	some   chan struct{} // holds one: batch has lines

	file  *os.File // the writer's
	size  int64
	least int64 // size after the last rewrite
	bad   bool  // the writer failed and has said so
	stop  chan struct{}
	done  chan struct{}
}

// A clickBatch is what one sync makes durable.
type clickBatch struct {
	lines []byte
	done  chan struct{} // closed after the sync
}

func newClickBatch() *clickBatch { return &clickBatch{done: make(chan struct{})} }

// openClicks reads the file, or begins it. A last line that was not written
// whole belongs to a click that was never acknowledged, and is cut off.
func openClicks(name string, log *slog.Logger) (*clickStore, error) {
	s := &clickStore{name: name, log: log, links: map[clickKey]*ClickCount{}, perDay: map[clickKey]int{}, batch: newClickBatch(),
		some: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	data, err := os.Open(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = s.rewrite(s.snapshot(time.Now()))
	case err == nil:
		var whole int64
		whole, err = s.read(data, time.Now())
		data.Close()
		if err == nil {
			err = s.reopen(whole)
		}
		if err == nil && s.anew {
			err = s.rewrite(s.snapshot(time.Now()))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("edge: click file %s: %w", name, err)
	}
	go s.run()
	return s, nil
}

// read adds the file's lines up and returns how many bytes are whole lines.
func (s *clickStore) read(r io.Reader, now time.Time) (whole int64, err error) {
	b := bufio.NewReaderSize(r, clickLineMax)
	oldest := dayOf(now.AddDate(0, 0, -clickDays))
	for n := 0; ; n++ {
		line, err := b.ReadSlice('\n')
		switch {
		case err == io.EOF && n == 0:
			return 0, errors.New("it is empty; remove it to begin anew")
		case err == io.EOF:
			return whole, nil
		case err != nil:
			return 0, fmt.Errorf("line %d: %w", n+1, err)
		case n == 0:
			if string(line) != clickFormat && string(line) != clickFormat1 {
				return 0, fmt.Errorf("its first line is %.80q; this version reads %q", line, clickFormat)
			}
			s.anew = string(line) != clickFormat
		default:
			var c clickLine
			if err := json.Unmarshal(line, &c); err != nil {
				return 0, fmt.Errorf("line %d is damaged: %w", n+1, err)
			}
			if c.Salt != "" || len(c.Seen) > 0 {
				s.anew = s.anew || c.Day != dayOf(now)
				if err := s.people.recall(c, dayOf(now)); err != nil {
					return 0, fmt.Errorf("line %d is damaged: %w", n+1, err)
				}
			}
			if c.Day >= oldest && c.Campaign != "" {
				s.add(c)
			}
		}
		whole += int64(len(line))
	}
}

// reopen continues a file after its whole lines.
func (s *clickStore) reopen(whole int64) error {
	f, err := os.OpenFile(s.name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err = f.Truncate(whole); err == nil {
		_, err = f.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.file, s.size = f, whole
	return nil
}

// count adds one click and returns when it is on disk. A disk that is slow or
// broken does not keep the reader from the page: the log says so.
func (s *clickStore) count(campaign, path string, now time.Time, by clicker) {
	c := clickLine{Day: dayOf(now), Campaign: campaign, Path: path, Bots: 1}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.turn(c.Day)
	if by.person && !s.people.hurries(by, now) {
		c.People, c.Bots = 1, 0
	}
	c = s.add(c)
	if c.People > 0 && s.people.day == c.Day {
		if visit, first := s.people.first(by, campaign, c.Path); first {
			s.put(clickLine{Day: c.Day, Campaign: campaign, Path: c.Path, Visitors: 1})
			c.Visitors, c.Seen = 1, []string{visitText(visit)}
		}
	}
	line, _ := json.Marshal(c) // strings and numbers: it cannot fail
	b := s.batch
	b.lines = append(append(b.lines, line...), '\n')
	s.mu.Unlock()
	nudge(s.some)
	patience := time.NewTimer(clickPatience)
	defer patience.Stop()
	select {
	case <-b.done:
	case <-patience.C:
		s.log.Warn("click redirected before it was on disk", "file", s.name, "waited", clickPatience)
	}
}

// turn begins the salt of a day; mu is held. The file is written anew, as it must
// not keep the last one.
func (s *clickStore) turn(day string) {
	if s.people.day < day { // a clock that is set back stays with the later day
		s.people.begin(day)
		s.anew = true
	}
}

// run is the writer.
func (s *clickStore) run() {
	defer close(s.done)
	hour := time.NewTicker(time.Hour)
	defer hour.Stop()
	for {
		select {
		case now := <-hour.C:
			s.mu.Lock()
			if s.people.day != "" {
				s.turn(dayOf(now))
			}
			s.mu.Unlock()
			s.commit()
		case <-s.some:
			s.commit()
		case <-s.stop:
			s.commit()
			return
		}
	}
}

// commit makes a batch durable. After a failure the file is written anew from
// memory, which has everything.
func (s *clickStore) commit() {
	s.mu.Lock()
	b := s.batch
	if len(b.lines) == 0 && !s.bad && !s.anew {
		s.mu.Unlock()
		return
	}
	s.batch = newClickBatch()
	var snapshot []byte
	if s.bad || s.anew || s.size > max(clickRewrite, 4*s.least) {
		// Under the lock that begins the next batch: what is in the snapshot is in
		// no later batch.
		snapshot = s.snapshot(time.Now())
		s.anew = false
	}
	s.mu.Unlock()
	defer close(b.done)
	err := error(nil)
	if snapshot != nil {
		err = s.rewrite(snapshot)
	} else {
		var n int
		n, err = s.file.Write(b.lines)
		s.size += int64(n)
		if err == nil {
			err = s.file.Sync()
		}
	}
	if err != nil && !s.bad {
		s.log.Error("clicks are counted but not on disk", "file", s.name, "error", err)
	} else if err == nil && s.bad {
		s.log.Info("clicks are on disk again", "file", s.name)
	}
	s.bad = err != nil
}

// snapshot returns a file with a line a link, and forgets old days. The caller
// holds mu, or is alone.
func (s *clickStore) snapshot(now time.Time) []byte {
	oldest := dayOf(now.AddDate(0, 0, -clickDays))
	var out bytes.Buffer
	out.WriteString(clickFormat)
	write := func(c clickLine) {
		line, _ := json.Marshal(c) // strings and numbers: it cannot fail
		out.Write(append(line, '\n'))
	}
	for k, c := range s.links {
		if k.day < oldest {
			s.forget(k)
			continue
		}
		write(clickLine{Day: c.Day, Campaign: c.Campaign, Path: c.Path, People: c.People, Visitors: c.Visitors, Bots: c.Bots})
	}
	for _, c := range s.people.lines() {
		write(c)
	}
	return out.Bytes()
}

// rewrite replaces the file.
func (s *clickStore) rewrite(data []byte) error {
	if err := replaceFile(s.name, data, true); err != nil {
		return err
	}
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	s.least = int64(len(data))
	return s.reopen(s.least)
}

func (s *clickStore) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.stop)
	<-s.done
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }
