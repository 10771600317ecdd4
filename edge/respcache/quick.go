package respcache

import (
	"net/http"
	"time"
)

// maxLessons bounds the ways of one answer that are remembered: browsers send
// three or four forms of Accept-Encoding, and each may get other bytes.
const maxLessons = 8

// A lesson is how one hit was answered, whole: the next of the same kind is
// answered with these bytes.
type lesson struct {
	under    any // what it was learnt under; compared, no more
	encoding string
	asked    bool   // for an encoding
	head     []byte // without what changes: Age, Cache-Status
	body     []byte
	note     any
}

// A Kept is a stored answer that is about to be sent whole as a hit.
type Kept struct {
	c *Cache
	o *object
	m *meta
}

// A Learner is an http.ResponseWriter, or one that another unwraps to, that is
// told when a fresh stored answer is about to be written with status 200 and all
// of its body. It may then have the cache remember how that looked.
type Learner interface {
	Learn(k Kept)
}

// tellLearner looks for a Learner among the writers that are around each other.
func tellLearner(w http.ResponseWriter, k Kept) {
	for w != nil {
		if l, ok := w.(Learner); ok {
			l.Learn(k)
			return
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = u.Unwrap()
	}
}

// Own reports whether a field's values are those the cache gave this answer for
// what it says of itself, and returns how many values before them are others'.
func (k Kept) Own(name string, values []string) (others int, own bool) {
	switch name {
	case "Age":
		return 0, len(values) == 1
	case "Cache-Status":
		others = len(k.m.header["Cache-Status"])
		return others, len(values) == others+1
	}
	return 0, false
}

// Remember has later requests of the same kind answered with these bytes by Quick:
// a head, to which only Age, Cache-Status and what belongs to a request are to be
// added, and the body, which has to be the stored one or a form of it that the
// cache keeps. under is what else the answer depends on; note, of a few hundred
// bytes at most, is given back with it.
func (k Kept) Remember(under any, encoding string, asked bool, head, body []byte, note any) {
	c, o := k.c, k.o
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.queue == nil || o.meta.Load() != k.m || !o.holds(body) {
		return
	}
	var list []lesson
	if old := k.m.lessons.Load(); old != nil {
		for _, l := range *old {
			if l.under == under && !(l.encoding == encoding && l.asked == asked) && len(list) < maxLessons-1 {
				list = append(list, l)
			}
		}
	}
	list = append([]lesson{{under, encoding, asked, head, body, note}}, list...)
	k.m.lessons.Store(&list)
	c.recount(o)
}

// forgetLessons is for what is no more as it was when they were learnt. c.mu is
// held.
func (o *object) forgetLessons() { o.meta.Load().lessons.Store(nil) }

// A Question is a GET without a body, precondition, range or credentials.
type Question struct {
	Scheme, Host, Target string // as Options.Site has them
	// Field is as Options.Field is, for the fields the answer may vary by.
	Field func(name string) []string
	// Encoding is its Accept-Encoding, if Asked.
	Encoding string
	Asked    bool
	// Under is what was given to Remember.
	Under any
}

// An Answer is a fresh stored answer as it is to be sent: the head, its changing
// fields, each line ended, and the body; and what was noted.
type Answer struct {
	Head, Changing, Body []byte
	Note                 any
}

// Quick returns what is remembered for such a request, and counts a hit; false
// if there is nothing fresh, and nothing has happened then.
func (c *Cache) Quick(q *Question, now time.Time) (a Answer, ok bool) {
	var room [512]byte
	key, ok := joinKey(room[:0], q.Scheme, q.Host, q.Target)
	if !ok {
		return a, false
	}
	o := c.findFor(c.shardOf(c.hash(key)), key, q.Field)
	if o == nil {
		return a, false
	}
	m := o.meta.Load()
	lessons := m.lessons.Load()
	if lessons == nil || !m.fresh(now) {
		return a, false
	}
	for i := range *lessons {
		l := &(*lessons)[i]
		if l.asked == q.Asked && l.encoding == q.Encoding && l.under == q.Under {
			o.used()
			c.meter.count(Hit)
			c.meter.bodyBytes.Add(uint64(len(l.body)))
			return Answer{l.head, m.ages(c, o.key, now).lines, l.body, l.note}, true
		}
	}
	return a, false
}
