package s3server

import (
	"hash/maphash"
	"sync"
)

// keyLocks makes looking at an object and changing it one step. The engine has
// such a lock of its own, but only for writes: a DELETE that asks for a state of
// the object looks, and then removes whatever is there. So every change of an
// object here holds its key's lock while it is decided and made.
//
// The bodies of puts are not sent while a lock is held: it is taken when the
// content is complete and synced. A lock is shared by the keys of one hash,
// which only makes them wait for each other.
type keyLocks struct {
	seed  maphash.Seed
	locks [256]sync.Mutex
}

func newKeyLocks() *keyLocks { return &keyLocks{seed: maphash.MakeSeed()} }

// lock waits until no one else changes the key, and returns what ends that. It
// may be called once more after that, and does nothing then.
func (k *keyLocks) lock(bucket, key string) (unlock func()) {
	m := &k.locks[maphash.String(k.seed, bucket+"/"+key)%uint64(len(k.locks))]
	m.Lock()
	return sync.OnceFunc(m.Unlock)
}
