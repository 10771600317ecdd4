package diskqueue

// bug is what an engine does wrong: the model must find it.
type bug struct {
	noSync   bool                // what is acknowledged is not synced
	reopened func(*Engine)       // is done to the memory after a crash
	wrap     func(*Engine) store // is between clients and engine
}
