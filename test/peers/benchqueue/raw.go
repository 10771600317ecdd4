package main

import (
	"bytes"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

const rawClients = 64

// raw measures servers with requests that were signed beforehand.
type raw struct {
	servers map[string]*server
	lasts   time.Duration
	removal map[string]*removal // by subject: what was received and is to be deleted
}

// removal is a queue with messages in flight.
type removal struct {
	queue   string
	handles []string
}

func (m *raw) works(aims []turns.Aim) []turns.Work {
	m.removal = map[string]*removal{}
	return []turns.Work{
		{Name: "send", Aims: aims, Run: m.repeat(1, (*maker).send)},
		{Name: "send by 10", Aims: aims, Run: m.repeat(10, (*maker).sendTen)},
		{Name: "receive", Aims: aims, Run: m.receive},
		{Name: "delete", Aims: aims, Run: m.remove}, // of what was just received
		{Name: "send, query protocol", Aims: aims, Run: m.repeat(1, (*maker).sendByQuery)},
	}
}

// repeat sends the same request over and over to a queue of its own.
func (m *raw) repeat(messages int, prepare func(*maker) ([]byte, error)) func(string) (turns.Sample, error) {
	return func(subject string) (turns.Sample, error) {
		s := m.servers[subject]
		c := s.client(1)
		defer c.Options().HTTPClient.(*http.Client).CloseIdleConnections()
		q, err := makeQueue(c)
		if err != nil {
			return turns.Sample{}, err
		}
		defer dropQueue(c, q)
		request, err := prepare(newMaker(s, q))
		if err != nil {
			return turns.Sample{}, err
		}
		return s.measure(rawClients, m.lasts, func(conn *conn) (int, error) {
			reply, err := conn.do(request)
			if err == nil && messages > 1 && bytes.Contains(reply, []byte(`"SenderFault"`)) {
				return 0, errPartly
			}
			return messages, err
		})
	}
}

// measure runs a load on so many connections, which are open before it starts.
func (s *server) measure(clients int, lasts time.Duration, do func(*conn) (int, error)) (turns.Sample, error) {
	all := dialAll(s.host, clients)
	defer all.close()
	for _, c := range all {
		if err := c.open(); err != nil {
			return turns.Sample{}, err
		}
		c.last = false
	}
	process.Settle([]*process.Process{s.Process})
	cpu := s.CPU()
	found, err := turns.Load(clients, lasts, func(i int) (int, error) { return do(all[i]) })
	found.Server = s.CPU() - cpu
	return found, err
}

// receive takes messages off a queue that was filled, and keeps their handles.
func (m *raw) receive(subject string) (turns.Sample, error) {
	s := m.servers[subject]
	c := s.client(1)
	defer c.Options().HTTPClient.(*http.Client).CloseIdleConnections()
	q, err := makeQueue(c)
	if err != nil {
		return turns.Sample{}, err
	}
	if err := fill(s, q, filled, 2*m.lasts); err != nil {
		return turns.Sample{}, err
	}
	found, handles, err := s.receive(q, m.lasts, filled)
	m.removal[subject] = &removal{q, handles}
	return found, err
}

// receive takes up to max messages, one a request.
func (s *server) receive(queue string, lasts time.Duration, max int) (turns.Sample, []string, error) {
	request, err := newMaker(s, queue).receive(1)
	if err != nil {
		return turns.Sample{}, nil, err
	}
	got := make([]string, max+rawClients)
	var n, asked atomic.Int64
	found, err := s.measure(rawClients, lasts, func(conn *conn) (int, error) {
		if asked.Add(1) > int64(max) {
			return 0, nil
		}
		reply, err := conn.do(request)
		if err != nil {
			return 0, err
		}
		list := handles(reply)
		for _, h := range list {
			got[n.Add(1)-1] = h
		}
		return len(list), nil
	})
	return found, got[:n.Load()], err
}

// remove deletes what receive took, by requests signed before the clock starts.
func (m *raw) remove(subject string) (turns.Sample, error) {
	r := m.removal[subject]
	if r == nil {
		return turns.Sample{}, turns.ErrSkip
	}
	delete(m.removal, subject)
	s := m.servers[subject]
	c := s.client(1)
	defer c.Options().HTTPClient.(*http.Client).CloseIdleConnections()
	defer dropQueue(c, r.queue)
	return s.remove(r.queue, r.handles, m.lasts)
}

func (s *server) remove(queue string, handles []string, lasts time.Duration) (turns.Sample, error) {
	by := newMaker(s, queue)
	var requests [][]byte
	for _, h := range handles {
		request, err := by.remove(h)
		if err != nil {
			return turns.Sample{}, err
		}
		requests = append(requests, request)
	}
	return s.play(requests, lasts)
}

// play sends each request once.
func (s *server) play(requests [][]byte, lasts time.Duration) (turns.Sample, error) {
	var next atomic.Int64
	return s.measure(rawClients, lasts, func(conn *conn) (int, error) {
		i := int(next.Add(1)) - 1
		if i >= len(requests) {
			return 0, nil
		}
		_, err := conn.do(requests[i])
		return 1, err
	})
}

var errPartly = errors.New("not all messages of a batch were taken")
