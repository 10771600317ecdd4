package task

import (
	"context"
	"sync"
)

// fewPollers ask for messages as long as some come, so that there is a request
// under way while the reply to another is seen to.
const fewPollers = 2

// pollers are those of a queue's receivers that may ask it. When all
// ask all the time, messages that come one by one are received one by one,
// each by a request; when a few ask, by tens. So one more may ask when a request
// brought half of ten or more, and one fewer when it brought a fifth or less,
// be it for want of messages or of free slots; and one alone when it brought
// nothing. On AWS, where an empty reply is paid for, an idle worker pays for one
// at a time of each queue, however much it may do at once.
type pollers struct {
	mu     sync.Mutex
	places chan struct{} // one for each that may ask and does not
	may    int           // ask
}

// init lets one of at most so many receivers ask.
func (p *pollers) init(most int) {
	p.places = make(chan struct{}, most)
	p.may = 0
	p.add()
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
	few := fewPollers
	if got == 0 {
		few = 1
	}
	switch {
	case p.may < min(few, cap(p.places)), 2*got >= receiveMax && p.may < cap(p.places):
		p.add()
	case 5*got <= receiveMax && p.may > few:
		p.may--
		return
	}
	p.places <- struct{}{}
}
