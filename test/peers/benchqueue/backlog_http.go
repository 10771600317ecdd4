package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"path/filepath"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// backlogHTTP is the part over HTTP: servers with messages waiting beside the
// same servers without.
type backlogHTTP struct {
	servers map[string]*server
	queues  map[string]map[string]string // URL by subject and name
	filled  map[string]bool              // subjects with a backlog
	lasts   time.Duration
	held    map[string]*removal
	sent    int // numbers what goes into FIFO queues
}

const (
	elasticFull = "ElasticMQ, with a backlog"
	heldHTTP    = 30_000 // messages received at a time
	elasticNone = "ElasticMQ, none waiting"
	fillTime    = time.Minute
)

func backlogOverHTTP(o *options, full string, out io.Writer) (facts []fact, err error) {
	waiting, none := "Dayfly, "+count(o.backlog)+" waiting", "Dayfly, none waiting"
	m := &backlogHTTP{servers: map[string]*server{}, queues: map[string]map[string]string{}, lasts: o.lasts, held: map[string]*removal{},
		filled: map[string]bool{waiting: true, elasticFull: true},
		sent:   int(time.Now().UnixNano() / groups * groups)}
	defer func() { killAll(m.servers) }()
	begun := time.Now()
	at := func(name string) string { return filepath.Join(o.dir, name) }
	for _, start := range []struct {
		name string
		run  func() (*server, error)
	}{
		{waiting, func() (*server, error) { return startDayfly(o.dayfly, full) }},
		{none, func() (*server, error) { return startDayfly(o.dayfly, at("dayfly-none-http")) }},
		{elasticFull, func() (*server, error) { return startElastic(o.jars, at("elasticmq-full"), o.heap, false) }},
		{elasticNone, func() (*server, error) { return startElastic(o.jars, at("elasticmq-none"), o.heap, false) }},
	} {
		s, err := start.run()
		if err != nil {
			return nil, err
		}
		m.servers[start.name] = s
		if start.name == waiting {
			took := time.Since(begun)
			facts = append(facts, fact{"`dayfly up` after SIGKILL, until it answers", fmt.Sprintf("%.2f s", took.Seconds()), verdict("< 5 s", took < 5*time.Second)})
		}
	}
	subjects := []string{waiting, none, elasticFull, elasticNone}
	for _, name := range subjects {
		if err := m.prepare(name, name == elasticFull || name == elasticNone, o); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	before := m.servers[waiting].Resident() - m.servers[none].Resident()
	elastics, err := m.fillElastic(o)
	if err != nil {
		return nil, err
	}
	facts = append(facts, elastics...)
	b := turns.NewBoard("Backlog over HTTP, requests signed beforehand, 64 connections", "message", subjects, m.works(none))
	b.Measure(o.rounds, m.settle)
	b.Write(out)
	after := m.servers[waiting].Resident() - m.servers[none].Resident()
	per := func(n int64) string {
		return fmt.Sprintf("%.0f bytes (%d MiB)", float64(n)/float64(o.backlog+fifoBacklog), n>>20)
	}
	facts = append(facts,
		fact{"resident memory of `dayfly up` a waiting message, after the start, over that with none", per(before), "–"},
		fact{"the same after the measurements", per(after), "–"},
		fact{"disk a waiting message (200 B)", fmt.Sprintf("%.0f bytes", float64(bytesOf(filepath.Join(full, "data", "queue")))/float64(o.backlog+fifoBacklog)), "–"})
	return facts, b.Failed()
}

func (m *backlogHTTP) settle() {
	var all []*process.Process
	for _, s := range m.servers {
		all = append(all, s.Process)
	}
	process.Settle(all)
}

// prepare makes the queues of a server, or finds those that were filled in process.
func (m *backlogHTTP) prepare(subject string, warm bool, o *options) error {
	if warm {
		if err := m.servers[subject].warm(o.warm); err != nil {
			return err
		}
	}
	m.queues[subject] = map[string]string{}
	for _, name := range []string{standing, standingOne} {
		if err := m.make(subject, name, name); err != nil {
			return err
		}
	}
	return nil
}

func (m *backlogHTTP) make(subject, name, as string) (err error) {
	c := m.servers[subject].client(1)
	defer c.Options().HTTPClient.(*http.Client).CloseIdleConnections()
	if old := m.queues[subject][name]; old != "" {
		dropQueue(c, old)
	}
	m.queues[subject][name], err = makeNamedQueue(c, as)
	return err
}

// queue is the URL of the queue with a backlog, or of one that nobody has sent to.
func (m *backlogHTTP) queue(subject, name string) (string, error) {
	if !m.filled[subject] {
		if err := m.make(subject, name, fmt.Sprintf("empty-%d-%s", queues.Add(1), name)); err != nil {
			return "", err
		}
	}
	return m.queues[subject][name], nil
}

// fillElastic gives ElasticMQ as many messages as it takes in a minute, or as
// its heap has room for at 2 KiB each.
func (m *backlogHTTP) fillElastic(o *options) ([]fact, error) {
	s, q := m.servers[elasticFull], m.queues[elasticFull]
	var heap int
	if _, err := fmt.Sscanf(o.heap, "%dg", &heap); err != nil {
		return nil, fmt.Errorf("-heap %q must be in gigabytes, as 4g: %w", o.heap, err)
	}
	before := s.Resident()
	found, err := fillUp(s, q[standing], min(o.backlog, heap<<30/2048), fillTime)
	if err != nil {
		return nil, err
	}
	n := found.Messages
	facts := []fact{{"ElasticMQ's backlog: what it took in 60 s", turns.Short(float64(n)), "–"},
		{"resident memory of ElasticMQ a waiting message, garbage included", fmt.Sprintf("%.0f bytes", float64(s.Resident()-before)/float64(max(n, 1))), "–"}}
	one, err := m.fillFIFO(elasticFull, fifoBacklog, fillTime)
	if err != nil {
		return nil, err
	}
	log.Printf("ElasticMQ has %d messages and %d in one FIFO queue", n, one.Messages)
	return append(facts, fact{"ElasticMQ's backlog in one FIFO queue, likewise", turns.Short(float64(one.Messages)), "–"}), nil
}

// fillFIFO sends messages by tens, each of a group of its own.
func (m *backlogHTTP) fillFIFO(subject string, messages int, lasts time.Duration) (turns.Sample, error) {
	s := m.servers[subject]
	by := newMaker(s, m.queues[subject][standingOne])
	var requests [][]byte
	for range messages / 10 {
		var entries []entry
		for i := range 10 {
			m.sent++
			entries = append(entries, entry{Id: fmt.Sprint(i), MessageBody: body,
				MessageGroupId: fmt.Sprintf("group-%d", m.sent%groups), MessageDeduplicationId: fmt.Sprintf("message-%d", m.sent)})
		}
		r, err := by.json("SendMessageBatch", map[string]any{"Entries": entries})
		if err != nil {
			return turns.Sample{}, err
		}
		requests = append(requests, r)
	}
	found, err := s.play(requests, lasts)
	found.Messages *= 10
	return found, err
}

func (m *backlogHTTP) works(none string) []turns.Work {
	aims := []turns.Aim{turns.AtLeast(0.8, none), {Of: elasticFull, Against: []string{elasticNone}}}
	return []turns.Work{
		{Name: "send", Aims: aims, Run: m.send},
		{Name: "receive", Aims: aims, Run: m.receive(standing, heldHTTP)},
		{Name: "delete", Aims: aims, Run: m.remove(standing)},
		{Name: "send, one FIFO queue", Aims: aims, Run: m.sendFIFO},
		{Name: "receive, one FIFO queue", Aims: aims, Run: m.receive(standingOne, heldFIFO)},
		{Name: "delete, one FIFO queue", Aims: aims, Run: m.remove(standingOne)},
	}
}

func (m *backlogHTTP) send(subject string) (turns.Sample, error) {
	q, err := m.queue(subject, standing)
	if err != nil {
		return turns.Sample{}, err
	}
	s := m.servers[subject]
	request, err := newMaker(s, q).send()
	if err != nil {
		return turns.Sample{}, err
	}
	return s.measure(rawClients, m.lasts, func(c *conn) (int, error) { _, err := c.do(request); return 1, err })
}

// sendFIFO sends messages that differ.
func (m *backlogHTTP) sendFIFO(subject string) (turns.Sample, error) {
	q, err := m.queue(subject, standingOne)
	if err != nil {
		return turns.Sample{}, err
	}
	s := m.servers[subject]
	by := newMaker(s, q)
	var requests [][]byte
	for range heldHTTP {
		m.sent++
		r, err := by.sendFIFO(fmt.Sprintf("group-%d", m.sent%groups), fmt.Sprintf("message-%d", m.sent))
		if err != nil {
			return turns.Sample{}, err
		}
		requests = append(requests, r)
	}
	return s.play(requests, m.lasts)
}

// receive takes up to max messages and keeps their handles for remove. What is
// to be taken is sent just before.
func (m *backlogHTTP) receive(name string, max int) func(string) (turns.Sample, error) {
	return func(subject string) (turns.Sample, error) {
		q, err := m.queue(subject, name)
		if err != nil {
			return turns.Sample{}, err
		}
		s := m.servers[subject]
		if name == standing {
			err = fill(s, q, max, 2*m.lasts)
		} else {
			_, err = m.fillFIFO(subject, max, 2*m.lasts)
		}
		if err != nil {
			return turns.Sample{}, err
		}
		found, handles, err := s.receive(q, m.lasts, max)
		m.held[subject+name] = &removal{q, handles}
		return found, err
	}
}

func (m *backlogHTTP) remove(name string) func(string) (turns.Sample, error) {
	return func(subject string) (turns.Sample, error) {
		r := m.held[subject+name]
		if r == nil {
			return turns.Sample{}, turns.ErrSkip
		}
		delete(m.held, subject+name)
		// Whole, so that nothing stays in flight.
		return m.servers[subject].remove(r.queue, r.handles, time.Minute)
	}
}
