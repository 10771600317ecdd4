//go:build unix && !linux

package vfs

// Datasync is Sync where there is no fdatasync; on macOS Go's Sync asks the
// drive too (F_FULLFSYNC).
func (f osFile) Datasync() error { return f.Sync() }
