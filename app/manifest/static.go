package manifest

import "time"

// StaticBucket is the bucket that an application with static files has besides
// its own: for versions of them that are no longer in the folder, or not yet in
// that of another node.
const StaticBucket = "dayfly-static"

// Static is a folder the edge serves under content-hashed addresses.
type Static struct {
	Dir    string   `toml:"dir"`    // below the manifest's folder; "" serves nothing
	Prefix string   `toml:"prefix"` // default "/static/"
	Keep   Duration `toml:"keep"`   // how long a version stays served after nothing has it any more, 1h–3650d, default 30d; 0s: while the process runs
}

func (m *Manifest) staticDefaults() {
	setDefault(&m.Static.Prefix, "/static/")
	if !m.has("static.keep") {
		m.Static.Keep = Duration(30 * 24 * time.Hour)
	}
}

func (c *checker) static() {
	if keep := c.m.Static.Keep; keep != 0 {
		c.duration("static.keep", keep, time.Hour, 3650*24*time.Hour)
	}
	if c.m.Static.Dir != "" && c.m.Bucket[StaticBucket] != nil {
		c.fail("bucket."+StaticBucket, "the bucket %s is dayfly's own, for old versions of static files; choose another name", StaticBucket)
	}
}
