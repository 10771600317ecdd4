package manifest

// EdgeLog is the access log, logs/access.jsonl or logs/access.log in the data
// folder.
type EdgeLog struct {
	// Format of its lines: "json" (default), or "combined" as Apache and nginx
	// write them.
	Format string `toml:"format"`
}

func (c *checker) edgeLog() {
	switch c.m.Edge.Log.Format {
	case "json", "combined":
	default:
		c.fail("edge.log.format", "edge.log.format is %q; it must be \"json\" or \"combined\"", c.m.Edge.Log.Format)
	}
}
