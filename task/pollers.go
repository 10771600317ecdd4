package task

import (
	"context"
	"sync"
)

// fewPollers always ask for messages, so that there is a request under way
// while the reply to another is seen to.
const fewPollers = 2

// pollers are those of a worker's receivers that may ask the queue. When all
// ask all the time, messages that come one by one are received one by one,
// each by a request; when a few ask, by tens. So one more may ask when a request
// brought half of ten or more, and one fewer when it brought a fifth or less,
// be it for want of messages or of free slots. On AWS, where an empty reply is paid for, an idle worker pays
// for two at a time, however much it may do at once.
type pollers struct {
	mu     sync.Mutex
	places chan struct{} // one for each that may ask and does not
	may    int           // ask
}

// init lets a few of at most so many receivers ask.
func (p *pollers) init(most int) {
	p.places = make(chan struct{}, most)
	p.may = 0
	for range min(fewPollers, most) {
		p.add()
	}
}

func (p *pollers) add() {
	p.may++
	p.places <- struct{}{}
}

// enter waits for a place; false when ctx has ended.
func (p *pollers) enter(ctx context.Context) bool {
	select {
	case <-p.places:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave gives the place back after a request that brought so many messages.
func (p *pollers) leave(got int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case 2*got >= receiveMax && p.may < cap(p.places):
		p.add()
	case 5*got <= receiveMax && p.may > fewPollers:
		p.may--
		return
	}
	p.places <- struct{}{}
}
