package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/task/ledger"
	"github.com/dayfly-dev/dayfly/task/push"
)

// pushed reports whether tasks of any queue are pushed.
func (a *App) pushed() bool {
	for _, q := range a.manifest.Queue {
		if q.Push != "" {
			return true
		}
	}
	return false
}

// pushToken is what the application knows dayfly's pushes by: PUSH_TOKEN of
// dayfly's environment, or one that follows from the application's keys.
func (a *App) pushToken() string {
	if v := a.environ["PUSH_TOKEN"]; v != "" {
		return v
	}
	mac := hmac.New(sha256.New, []byte(a.keys.SecretKey))
	mac.Write([]byte("push token"))
	return hex.EncodeToString(mac.Sum(nil))
}

// tokenFor is the token sent to a queue's endpoint. One that dayfly made does
// not leave the machine.
func (a *App) tokenFor(q *manifest.Queue) string {
	if q.PushProcess() != "" || a.environ["PUSH_TOKEN"] != "" {
		return a.pushToken()
	}
	u, err := url.Parse(q.Push)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return a.pushToken()
	}
	return ""
}

// tellPushToken checks the token and has the processes told of it.
func (a *App) tellPushToken() error {
	if !a.pushed() {
		return nil
	}
	if err := push.CheckToken(a.pushToken()); err != nil {
		return fmt.Errorf("PUSH_TOKEN: %w", err)
	}
	a.variables.set("PUSH_TOKEN", a.pushToken())
	return nil
}

// startPush pushes the tasks of the queues that say so.
func (a *App) startPush(context.Context) error {
	run, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	a.onStop("push", func(ctx context.Context) error {
		cancel()
		ended := make(chan struct{})
		go func() { running.Wait(); close(ended) }()
		select {
		case <-ended:
			return nil
		case <-ctx.Done(): // the processes are killed next, which ends what they are at
			return ctx.Err()
		}
	})
	var once *ledger.Ledger
	if a.records != nil {
		var err error
		if once, err = ledger.New(a.records, &ledger.Options{Log: a.log}); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(a.manifest.Queue) {
		q := a.manifest.Queue[name]
		if q.Push == "" {
			continue
		}
		o := a.pushOptions(name, q)
		o.Ledger = once
		p, err := push.New(o)
		if err != nil {
			return fmt.Errorf("queue %s: %w", name, err)
		}
		a.pushers.add(a.names[name], q.Push, p)
		running.Go(func() { a.keepPushing(run, name, p) })
	}
	return nil
}

func (a *App) pushOptions(name string, q *manifest.Queue) push.Options {
	o := push.Options{
		Queue: a.queues.Queue(a.names[name]), URL: q.Push, Token: a.tokenFor(q), Payloads: a.payloads, Records: a.records,
		Concurrency: q.PushConcurrency, Timeout: time.Duration(q.PushTimeout), Log: a.log,
		Once: ledger.Policy(q.Once), OnResult: a.outcomes.observe, Limits: q.Limit.Limits(a.names[name]),
	}
	switch {
	case q.PushProcess() != "":
		o.Transport = a.edge.Transport()
	case o.Token == "":
		a.log.Warn("tasks are pushed to another machine without a token: set PUSH_TOKEN for dayfly and there, so that the endpoint can tell who asks", "queue", name)
	}
	return o
}

// keepPushing pushes until ctx ends, also through a time without the queue, such
// as an SQS that cannot be reached at the start.
func (a *App) keepPushing(ctx context.Context, name string, p *push.Pusher) {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		a.pushers.halt(a.names[name], nil)
		err := p.Run(ctx)
		if ctx.Err() != nil {
			if err != nil {
				a.log.Warn("pushing ended", "queue", name, "error", err)
			}
			return
		}
		a.log.Error("tasks are not pushed at the moment", "queue", name, "error", err, "pause", pause)
		a.pushers.halt(a.names[name], err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}
