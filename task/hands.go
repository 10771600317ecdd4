package task

// hands are goroutines that run deliveries one after the other, since of what a
// short task costs its worker the growth of a new goroutine's stack was a seventh.
// There are as many as ran at once, and they end with over.
type hands struct {
	next chan func()
	over <-chan struct{} // closed when there is no more to do
}

func newHands(over <-chan struct{}) *hands {
	return &hands{next: make(chan func()), over: over}
}

// do runs f at once, in a goroutine that is free or else in a new one, and does
// not wait for it.
func (h *hands) do(f func()) {
	select {
	case h.next <- f:
	default:
		go h.serve(f) // ends after over is closed, or with an f that calls runtime.Goexit
	}
}

func (h *hands) serve(f func()) {
	for {
		f()
		select {
		case f = <-h.next:
		case <-h.over:
			return
		}
	}
}
