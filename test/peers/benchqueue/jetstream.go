package main

import (
	"context"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// stream is NATS JetStream embedded, spoken to through memory: a stream on
// disk with work-queue retention for each queue, and one durable consumer.
type stream struct {
	s  *natsserver.Server
	nc *nats.Conn
	js jetstream.JetStream

	mu        sync.Mutex
	consumers map[string]jetstream.Consumer
}

func openStream(dir string, always bool) (broker, error) {
	s, err := natsserver.NewServer(&natsserver.Options{DontListen: true, JetStream: true, StoreDir: dir,
		SyncAlways: always, NoLog: true, NoSigs: true})
	if err != nil {
		return nil, err
	}
	go s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return nil, context.DeadlineExceeded
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1<<16))
	return &stream{s: s, nc: nc, js: js, consumers: map[string]jetstream.Consumer{}}, err
}

func (b *stream) create(q string) error {
	ctx := context.Background()
	s, err := b.js.CreateStream(ctx, jetstream.StreamConfig{Name: q, Subjects: []string{q + ".x"},
		Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		return err
	}
	c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: time.Hour, MaxAckPending: 120_000})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.consumers[q] = c
	return err
}

func (b *stream) drop(q string) error { return b.js.DeleteStream(context.Background(), q) }

func (b *stream) consumer(q string) jetstream.Consumer {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.consumers[q]
}

// payload is the body; publishers must not change it.
var payload = []byte(body)

// send publishes one message and waits, or several at once and waits for all.
func (b *stream) send(q string, n int) error {
	if n == 1 {
		_, err := b.js.Publish(context.Background(), q+".x", payload)
		return err
	}
	sent := make([]jetstream.PubAckFuture, n)
	for i := range sent {
		var err error
		if sent[i], err = b.js.PublishAsync(q+".x", payload); err != nil {
			return err
		}
	}
	for _, f := range sent {
		if err := wait(f); err != nil {
			return err
		}
	}
	return nil
}

func wait(f jetstream.PubAckFuture) error {
	select {
	case <-f.Ok():
		return nil
	case err := <-f.Err():
		return err
	}
}

func (b *stream) pipeline(q string, window int, stop func() bool) (n int, err error) {
	ring := make([]jetstream.PubAckFuture, window)
	for ; !stop(); n++ {
		if n >= window {
			if err := wait(ring[n%window]); err != nil {
				return n, err
			}
		}
		if ring[n%window], err = b.js.PublishAsync(q+".x", payload); err != nil {
			return n, err
		}
	}
	for _, f := range ring[:min(n, window)] {
		if err := wait(f); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (b *stream) receive(q string, max int) (got []any, err error) {
	batch, err := b.consumer(q).Fetch(max, jetstream.FetchMaxWait(2*time.Second))
	if err != nil {
		return nil, err
	}
	for m := range batch.Messages() {
		got = append(got, m)
	}
	return got, batch.Error()
}

// acknowledge waits for the answer to the last one: those of a connection are
// taken in their order.
func (b *stream) acknowledge(_ string, received []any) error {
	for _, m := range received[:len(received)-1] {
		if err := m.(jetstream.Msg).Ack(); err != nil {
			return err
		}
	}
	return received[len(received)-1].(jetstream.Msg).DoubleAck(context.Background())
}

func (b *stream) close() error {
	b.nc.Close()
	b.s.Shutdown()
	b.s.WaitForShutdown()
	return nil
}
