package edge

import (
	"slices"
	"sync"
)

// pastContent is how many bytes of content stay served from memory that is in the
// folder no longer, or came out of the archive.
const pastContent = 64 << 20

// pastFiles are versions that are not in the folder, by address. When they are
// too large together, those that came first go.
type pastFiles struct {
	mu        sync.RWMutex
	byAddress map[string]*staticFile
	order     []*staticFile
	size      int64
}

func (p *pastFiles) add(f *staticFile) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byAddress == nil {
		p.byAddress = map[string]*staticFile{}
	}
	if p.byAddress[f.address] != nil {
		return
	}
	p.byAddress[f.address] = f
	p.order = append(p.order, f)
	p.size += f.size
	for p.size > pastContent {
		delete(p.byAddress, p.order[0].address)
		p.size -= p.order[0].size
		p.order[0] = nil
		p.order = p.order[1:]
	}
}

func (p *pastFiles) get(address string) *staticFile {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.byAddress[address]
}

func (p *pastFiles) all() []*staticFile {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Clone(p.order)
}
