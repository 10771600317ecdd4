package driver

// Remote is implemented by drivers that make a request to another process for
// each call: there ten messages of one call cost little more than one, and
// callers do well to put theirs together.
type Remote interface{ Remote() }
