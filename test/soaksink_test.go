package test

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink is a mail server that counts what it accepted, by recipient. To some of
// the first mails to one it says no, of some it takes the mail and drops the answer.
type sink struct {
	address string
	seed    uint64

	mu      sync.Mutex
	accepts map[string]int
	offered map[string]int
	dropped map[string]bool
}

func newSink(t *testing.T, seed uint64) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{address: "smtp://" + l.Addr().String(), seed: seed, accepts: map[string]int{}, offered: map[string]int{}, dropped: map[string]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return s
}

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 soak\r\n")
	key, inMail := "", false
	for in := bufio.NewScanner(c); in.Scan(); {
		c.SetDeadline(time.Now().Add(patience))
		line := in.Text()
		answer := "250 fine"
		switch {
		case inMail && line != ".":
			continue
		case inMail:
			inMail = false
			if answer = s.take(key); answer == "" {
				return
			}
		case strings.HasPrefix(strings.ToUpper(line), "RCPT TO:<"):
			key, _, _ = strings.Cut(line[len("RCPT TO:<"):], "@")
		case strings.EqualFold(line, "DATA"):
			answer, inMail = "354 go ahead", true
		case strings.EqualFold(line, "QUIT"):
			answer = "221 bye"
		}
		fmt.Fprintf(c, "%s\r\n", answer)
	}
}

// take decides about a mail that arrived whole; "" breaks the connection off.
func (s *sink) take(key string) string {
	h := fnv.New64a()
	fmt.Fprint(h, s.seed, key)
	chance := h.Sum64() % 100
	time.Sleep(time.Duration(chance) * time.Millisecond) // a server's time, in which faults fall
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offered[key]++
	first := s.offered[key] == 1
	if first && chance < 5 {
		return "451 later"
	}
	s.accepts[key]++
	if first && chance >= 95 {
		s.dropped[key] = true
		return ""
	}
	return "250 accepted"
}

// accepted is how many mails to key were taken, and whether an answer was dropped.
func (s *sink) accepted(key string) (n int, dropped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepts[key], s.dropped[key]
}
