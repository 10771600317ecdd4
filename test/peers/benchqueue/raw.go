package main

import (
	"bytes"
	"errors"
	"net/http"
	"sync/atomic"
	"time"
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

func (m *raw) works(aims []aim) []work {
	m.removal = map[string]*removal{}
	return []work{
		{name: "send", aims: aims, run: m.repeat(1, (*maker).send)},
		{name: "send by 10", aims: aims, run: m.repeat(10, (*maker).sendTen)},
		{name: "receive", aims: aims, run: m.receive},
		{name: "delete", aims: aims, run: m.remove}, // of what was just received
		{name: "send, query protocol", aims: aims, run: m.repeat(1, (*maker).sendByQuery)},
	}
}

// repeat sends the same request over and over to a queue of its own.
func (m *raw) repeat(messages int, prepare func(*maker) ([]byte, error)) func(string) (sample, error) {
	return func(subject string) (sample, error) {
		s := m.servers[subject]
		c := s.client(1)
		defer c.Options().HTTPClient.(*http.Client).CloseIdleConnections()
		q, err := makeQueue(c)
		if err != nil {
			return sample{}, err
		}
		defer dropQueue(c, q)
		request, err := prepare(newMaker(s, q))
		if err != nil {
			return sample{}, err
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
func (s *server) measure(clients int, lasts time.Duration, do func(*conn) (int, error)) (sample, error) {
	all := dialAll(s.host, clients)
	defer all.close()
	for _, c := range all {
		if err := c.open(); err != nil {
			return sample{}, err
		}
		c.last = false
	}
	settle([]*process{s.process})
	cpu := s.cpu()
	found, err := load(clients, lasts, func(i int) (int, error) { return do(all[i]) })
	found.Server = s.cpu() - cpu
	return found, err
}

// receive takes messages off a queue that was filled, and keeps their handles.
func (m *raw) receive(subject string) (sample, error) {
	s := m.servers[subject]
	c := s.client(1)
	defer c.Options().HTTPClient.(*http.Client).CloseIdleConnections()
	q, err := makeQueue(c)
	if err != nil {
		return sample{}, err
	}
	if err := fill(s, q, filled, 2*m.lasts); err != nil {
		return sample{}, err
	}
	found, handles, err := s.receive(q, m.lasts, filled)
	m.removal[subject] = &removal{q, handles}
	return found, err
}

// receive takes up to max messages, one a request.
func (s *server) receive(queue string, lasts time.Duration, max int) (sample, []string, error) {
	request, err := newMaker(s, queue).receive(1)
	if err != nil {
		return sample{}, nil, err
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
func (m *raw) remove(subject string) (sample, error) {
	r := m.removal[subject]
	if r == nil {
		return sample{}, errSkip
	}
	delete(m.removal, subject)
	s := m.servers[subject]
	c := s.client(1)
	defer c.Options().HTTPClient.(*http.Client).CloseIdleConnections()
	defer dropQueue(c, r.queue)
	return s.remove(r.queue, r.handles, m.lasts)
}

func (s *server) remove(queue string, handles []string, lasts time.Duration) (sample, error) {
	by := newMaker(s, queue)
	var requests [][]byte
	for _, h := range handles {
		request, err := by.remove(h)
		if err != nil {
			return sample{}, err
		}
		requests = append(requests, request)
	}
	return s.play(requests, lasts)
}

// play sends each request once.
func (s *server) play(requests [][]byte, lasts time.Duration) (sample, error) {
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
