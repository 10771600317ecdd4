package taskotel

import "sync"

// other stands for names that are too many, as the semantic conventions have it.
const other = "_OTHER"

// maxNames that no worker of this program declared become labels. They come
// out of messages, or of a program's own calls, and each costs a time series
// for every measurement.
const maxNames = 200

// names of tasks that spans and measurements are named after.
type names struct {
	mu    sync.RWMutex
	known map[string]struct{}
	seen  int // of the known, those not declared
}

// declare makes a name of a definition known.
func (n *names) declare(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.add(name)
}

func (n *names) add(name string) {
	if n.known == nil {
		n.known = map[string]struct{}{}
	}
	n.known[name] = struct{}{}
}

// bounded returns the name, or other when there are too many.
func (n *names) bounded(name string) string {
	n.mu.RLock()
	_, ok := n.known[name]
	full := n.seen >= maxNames
	n.mu.RUnlock()
	if ok {
		return name
	}
	if full {
		return other
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.known[name]; !ok {
		if n.seen >= maxNames {
			return other
		}
		n.seen++
		n.add(name)
	}
	return name
}
