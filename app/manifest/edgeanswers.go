package manifest

import (
	"time"

	"github.com/dayfly-dev/dayfly/edge/compress"
	"github.com/dayfly-dev/dayfly/edge/cors"
	"github.com/dayfly-dev/dayfly/edge/jsonp"
	"github.com/dayfly-dev/dayfly/edge/stamp"
)

// EdgeAnswers is what becomes of the application's answers at the edge, and what
// slow clients may hold. The tables by path are for what is at and below it; the
// longest path decides.
type EdgeAnswers struct {
	Compress EdgeCompress          `toml:"compress"`
	CORS     map[string]*EdgeCORS  `toml:"cors"`  // by path
	JSONP    map[string]*EdgeJSONP `toml:"jsonp"` // by path
	Stamp    map[string]*EdgeStamp `toml:"stamp"` // by path
	Bodies   EdgeBodies            `toml:"bodies"`
}

// EdgeCompress compresses the application's answers.
type EdgeCompress struct {
	Enabled bool     `toml:"enabled"`  // default true
	Types   []string `toml:"types"`    // media types, "text/*"; default text, JSON, XML, scripts, fonts and the like
	MinSize Size     `toml:"min_size"` // 1B–64KiB, default 1KiB
	Off     []string `toml:"off"`      // paths at and below which nothing is compressed; default none
}

// EdgeCORS says whose pages may read.
type EdgeCORS struct {
	Origins     []string `toml:"origins"`     // required
	Methods     []string `toml:"methods"`     // default GET, HEAD and POST
	Headers     []string `toml:"headers"`     // that a request may carry; default those every page may send
	Expose      []string `toml:"expose"`      // that a page may read of an answer; default those every page may
	Credentials bool     `toml:"credentials"` // requests with cookies too
	MaxAge      Duration `toml:"max_age"`     // of a preflight's answer, 0s–24h, default 2h
}

// EdgeJSONP has answers loaded as scripts.
type EdgeJSONP struct {
	Parameter string `toml:"parameter"` // of the query, default "callback"
	MaxSize   Size   `toml:"max_size"`  // of an answer, 1KiB–64MiB, default 1MiB
}

// EdgeStamp has answers to stamped addresses kept.
type EdgeStamp struct {
	Parameter string   `toml:"parameter"` // of the query, default "t"
	MaxAge    Duration `toml:"max_age"`   // 1s–365d, default 365d
}

// EdgeBodies bounds what slow clients hold.
type EdgeBodies struct {
	Rate    Size     `toml:"rate"`    // bytes a second that a client has to send, 0B none, default 1KiB
	Grace   Duration `toml:"grace"`   // how long a body may take whatever its size, 1s–10m, default 10s
	Stall   Duration `toml:"stall"`   // how long a client may send nothing, 1s–10m, default 60s
	Request Size     `toml:"request"` // bodies up to it are taken to a file first, 0B none, default 32MiB
	Answer  Size     `toml:"answer"`  // what is taken of an answer ahead of a slow client, 0B none, default 64MiB
	Total   Size     `toml:"total"`   // of all files, 1MiB–1TiB, default 1GiB
}

// Options are those of package compress; nil if nothing is compressed.
func (e *EdgeCompress) Options() *compress.Options {
	if !e.Enabled {
		return nil
	}
	return &compress.Options{Types: e.Types, MinSize: int(e.MinSize), Off: e.Off}
}

// Rule is that of package cors for a path.
func (e *EdgeCORS) Rule(path string) cors.Rule {
	return cors.Rule{Path: path, Origins: e.Origins, Methods: e.Methods, Headers: e.Headers, Expose: e.Expose,
		Credentials: e.Credentials, MaxAge: time.Duration(e.MaxAge)}
}

// Rule is that of package jsonp for a path.
func (e *EdgeJSONP) Rule(path string) jsonp.Rule {
	return jsonp.Rule{Path: path, Parameter: e.Parameter, MaxSize: int64(e.MaxSize)}
}

// Rule is that of package stamp for a path.
func (e *EdgeStamp) Rule(path string) stamp.Rule {
	return stamp.Rule{Path: path, Parameter: e.Parameter, MaxAge: time.Duration(e.MaxAge)}
}

func (e *EdgeAnswers) setDefaults(has func(string) bool) {
	if !has("edge.compress.enabled") {
		e.Compress.Enabled = true
	}
	if !has("edge.compress.min_size") {
		e.Compress.MinSize = 1 << 10
	}
	for path, r := range e.CORS {
		if !has("edge.cors." + path + ".max_age") {
			r.MaxAge = Duration(cors.DefaultMaxAge)
		}
	}
	for path, r := range e.JSONP {
		setDefault(&r.Parameter, "callback")
		if !has("edge.jsonp." + path + ".max_size") {
			r.MaxSize = 1 << 20
		}
	}
	for path, r := range e.Stamp {
		setDefault(&r.Parameter, "t")
		if !has("edge.stamp." + path + ".max_age") {
			r.MaxAge = Duration(stamp.Year)
		}
	}
	for _, d := range []struct {
		key   string
		field *Size
		size  Size
	}{{"rate", &e.Bodies.Rate, 1 << 10}, {"request", &e.Bodies.Request, 32 << 20}, {"answer", &e.Bodies.Answer, 64 << 20}, {"total", &e.Bodies.Total, 1 << 30}} {
		if !has("edge.bodies." + d.key) {
			*d.field = d.size
		}
	}
	if !has("edge.bodies.grace") {
		e.Bodies.Grace = Duration(10 * time.Second)
	}
	if !has("edge.bodies.stall") {
		e.Bodies.Stall = Duration(time.Minute)
	}
}

func (c *checker) edgeAnswers() {
	e := &c.m.Edge.EdgeAnswers
	c.size("edge.compress.min_size", e.Compress.MinSize, 1, 64<<10)
	o := compress.Options{Types: e.Compress.Types}
	if err := o.Check(); err != nil {
		c.fail("edge.compress.types", "edge.compress.types: %v", err)
	}
	o = compress.Options{Off: e.Compress.Off}
	if err := o.Check(); err != nil {
		c.fail("edge.compress.off", "edge.compress.off: %v", err)
	}
	for _, path := range sorted(e.CORS) {
		r := e.CORS[path].Rule(path)
		if err := r.Check(); err != nil {
			c.fail("edge.cors."+path, "edge.cors: %v", err)
		}
	}
	for _, path := range sorted(e.JSONP) {
		r, key := e.JSONP[path].Rule(path), "edge.jsonp."+path
		c.size(key+".max_size", e.JSONP[path].MaxSize, 1<<10, 64<<20)
		r.MaxSize = 0 // checked
		if err := r.Check(); err != nil {
			c.fail(key, "edge.jsonp: %v", err)
		}
	}
	for _, path := range sorted(e.Stamp) {
		r, key := e.Stamp[path].Rule(path), "edge.stamp."+path
		c.duration(key+".max_age", e.Stamp[path].MaxAge, time.Second, stamp.Year)
		r.MaxAge = 0 // checked
		if err := r.Check(); err != nil {
			c.fail(key, "edge.stamp: %v", err)
		}
	}
	c.duration("edge.bodies.grace", e.Bodies.Grace, time.Second, 10*time.Minute)
	c.duration("edge.bodies.stall", e.Bodies.Stall, time.Second, 10*time.Minute)
	c.size("edge.bodies.rate", e.Bodies.Rate, 0, 1<<30)
	c.size("edge.bodies.request", e.Bodies.Request, 0, e.Bodies.Total)
	c.size("edge.bodies.answer", e.Bodies.Answer, 0, e.Bodies.Total)
	c.size("edge.bodies.total", e.Bodies.Total, 1<<20, 1<<40)
}
