package dash

// EdgeCache is what the response cache in front of the application has done.
type EdgeCache struct {
	Answers int64   `json:"answers"` // since start, of requests that went through it
	Cached  int64   `json:"cached"`  // of these, from the cache
	Share   float64 `json:"share"`   // Cached of Answers, 0–1
	Objects int     `json:"objects"` // kept now
	Memory  int64   `json:"memory"`  // bytes they take of MemoryMax
	// MemoryMax, and Disk of DiskMax, are bytes; DiskMax is 0 without a disk.
	MemoryMax int64 `json:"memory_max"`
	Disk      int64 `json:"disk"`
	DiskMax   int64 `json:"disk_max"`
}
