package ledger_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// mailServer takes mail and counts what it took, by the key in the recipient's
// address. It does to the first mail of a key what its plan says.
type mailServer struct {
	address string
	plans   map[string]plan

	mu      sync.Mutex
	accepts map[string]int
	done    map[string]bool // faults that were
}

func newMailServer(t *testing.T, all []plan) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{address: "smtp://" + l.Addr().String(), plans: map[string]plan{}, accepts: map[string]int{}, done: map[string]bool{}}
	for _, p := range all {
		s.plans[p.Key] = p
	}
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

func (s *mailServer) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 fault test\r\n")
	key, inMail := "", false
	for in := bufio.NewScanner(c); in.Scan(); {
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
		case strings.HasPrefix(line, "RCPT TO:<"):
			key, _, _ = strings.Cut(strings.TrimPrefix(line, "RCPT TO:<"), "@")
		case line == "DATA":
			answer, inMail = "354 go ahead", true
		case line == "QUIT":
			answer = "221 bye"
		}
		fmt.Fprintf(c, "%s\r\n", answer)
	}
}

// take decides about a mail that arrived whole; "" breaks the connection off.
func (s *mailServer) take(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := s.plans[key].Mail
	if s.done[key] {
		fault = ""
	}
	s.done[key] = true
	switch fault {
	case "refuse":
		return "451 later"
	case "drop":
		s.accepts[key]++
		return ""
	}
	s.accepts[key]++
	return "250 accepted"
}

func (s *mailServer) accepted(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepts[key]
}
