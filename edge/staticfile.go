package edge

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/dayfly-dev/dayfly/internal/nonblock"
)

const (
	// Files of this size, bytes, and larger are sent from the system's memory,
	// which takes a call more and copies nothing.
	fromSystem = 48 << 10
	// maxInSystem bounds what is kept there a second time, bytes: what is asked for
	// later is sent from our own. It bounds descriptors, too.
	maxInSystem = 64 << 20
)

// inSystem is how much is there.
var inSystem atomic.Int64

// A systemFile is a variant in the system's memory: from when it is first sent,
// until nothing refers to the variant.
type systemFile struct {
	once sync.Once
	file *nonblock.File // nil: it is not there
}

// of returns the file with that data, or nil.
func (s *systemFile) of(data []byte) *nonblock.File {
	s.once.Do(func() {
		n := int64(len(data))
		if inSystem.Add(n) > maxInSystem {
			inSystem.Add(-n)
			return
		}
		f, err := nonblock.NewFile(data)
		if err != nil { // no descriptor left, or the system has none such
			inSystem.Add(-n)
			return
		}
		runtime.AddCleanup(f, func(n int64) { inSystem.Add(-n) }, n)
		s.file = f
	})
	return s.file
}

// write sends the variant as an answer's body.
func (v *variant) write(x *exchange) {
	if len(v.data) >= fromSystem {
		if w, ok := x.w.(interface {
			WriteFile(f *nonblock.File) (can bool, err error)
		}); ok {
			if f := v.system.of(v.data); f != nil {
				if can, err := w.WriteFile(f); can {
					if err == nil {
						x.bytes += f.Size()
					}
					return
				}
			}
		}
	}
	x.Write(v.data)
}
