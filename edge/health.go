package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// watch checks a target's health until it is removed. One check brings a new
// target in, and one that refused a connection back; one that failed its checks
// needs Options.HealthRise of them.
func (e *Edge) watch(t *target) {
	defer e.wg.Done()
	need, passed, failed := 1, 0, 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-t.kick:
		case <-timer.C:
		}
		err := t.check()
		if t.ctx.Err() != nil {
			return
		}
		now := time.Now()
		t.reapIdle(now)
		up := e.isUp(t)
		switch {
		case err == nil && !up:
			if passed++; passed >= need {
				e.setHealth(t, nil)
				need, passed, failed = 1, 0, 0
			}
		case err == nil:
			failed = 0
			e.readmit(t, now)
			e.judge(t, now)
		case up:
			if failed++; failed >= e.setup().HealthFall {
				e.setHealth(t, err)
				need, passed, failed = e.setup().HealthRise, 0, 0
				if silent(err) {
					t.recall()
				}
			}
		default:
			passed = 0
			e.noteReason(t, err)
		}
		timer.Reset(e.untilCheck(t))
	}
}

// check asks the target once, on a connection of its own.
func (t *target) check() error {
	ctx, cancel := context.WithTimeout(t.ctx, t.opt.Load().HealthTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if t.opt.Load().HealthPath == "" {
		return nil
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	host := t.opt.Load().Host
	if host == "" {
		host = t.addr
	}
	if t.h2c != nil {
		return t.checkH2C(ctx, host)
	}
	if _, err := io.WriteString(c, "GET "+t.opt.Load().HealthPath+" HTTP/1.1\r\nHost: "+host+"\r\nUser-Agent: dayfly-edge\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, maxResponseHead)), nil)
	if err != nil {
		if ctx.Err() != nil {
			return &silentError{fmt.Sprintf("no answer to GET %s within %v", t.opt.Load().HealthPath, t.opt.Load().HealthTimeout)}
		}
		return err
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 399 {
		return fmt.Errorf("GET %s answered %d", t.opt.Load().HealthPath, res.StatusCode)
	}
	// The body is read so that the instance does not see its answer refused.
	io.CopyN(io.Discard, res.Body, 64<<10) //nolint:errcheck // the status has told
	return nil
}

// untilCheck is the time to a target's next check.
func (e *Edge) untilCheck(t *target) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	wait := e.setup().HealthInterval
	if !t.up {
		wait = min(wait, recheckInterval)
	}
	if t.record.out {
		wait = min(wait, max(0, time.Until(t.record.until)))
	}
	return wait
}

func (e *Edge) isUp(t *target) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return t.up
}

func (e *Edge) noteReason(t *target, err error) {
	e.mu.Lock()
	t.reason = err.Error()
	e.mu.Unlock()
}

// setHealth takes a target in (err nil) or out.
func (e *Edge) setHealth(t *target, err error) {
	e.mu.Lock()
	changed := t.up != (err == nil)
	t.up = err == nil
	switch now := time.Now(); {
	case err != nil:
		t.reason = err.Error()
		if changed {
			t.down = now
			e.left()
		}
	case t.record.out: // it comes back when that time is over
	default:
		t.reason = ""
		if changed {
			e.begin(t, now)
		}
		e.wakeHeld()
	}
	quiet := t.draining || t.gone
	e.mu.Unlock()
	switch {
	case !changed || quiet:
	case err == nil:
		e.log.Info("target healthy", "target", t.name, "url", t.url)
	default:
		e.log.Warn("target out", "target", t.name, "url", t.url, "reason", err)
	}
}

// suspect takes a target out at once because a request met err there, until a
// check passes.
func (e *Edge) suspect(t *target, err error) {
	e.setHealth(t, err)
	t.dropIdle()
	t.checkSoon()
}

// checkSoon asks for a check without waiting for the interval.
func (t *target) checkSoon() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}
