package manifest

// PublishBucket is the bucket that an application with [publish] has besides its
// own: for the contents of releases.
const PublishBucket = "dayfly-publish"

// Publish has pages be staged, looked at and made live; an empty table is enough.
type Publish struct {
	Keep   int  `toml:"keep"`   // releases that stay, besides the live one and the one before it, 1–100, default 10
	Memory Size `toml:"memory"` // for releases that are not live, so that previews and switches wait for nothing, 1MiB–1TiB, default 512MiB
}

func (m *Manifest) publishDefaults() {
	if m.Publish == nil {
		return
	}
	if !m.has("publish.keep") {
		m.Publish.Keep = 10
	}
	if !m.has("publish.memory") {
		m.Publish.Memory = 512 << 20
	}
}

func (c *checker) publish() {
	p := c.m.Publish
	if p == nil {
		return
	}
	c.whole("publish.keep", p.Keep, 1, 100)
	c.size("publish.memory", p.Memory, 1<<20, 1<<40)
	if len(c.m.HTTP()) == 0 && c.m.Static.Dir == "" {
		c.fail("publish", "there is no site to publish on: give a process http = true")
	}
	if c.m.Bucket[PublishBucket] != nil {
		c.fail("bucket."+PublishBucket, "the bucket %s is dayfly's own, for releases; choose another name", PublishBucket)
	}
}
