package traffic

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// giveWay is how long a route that was not declared keeps its place without a
// request when others want one.
const giveWay = 10 * time.Minute

// found is the routes that were not declared. It never changes; what changes it
// makes another, which with a few hundred of them takes microseconds and is rare.
type found struct {
	routes []*Route          // oldest first
	named  map[string]*Route // by the application
	groups []group           // oldest first; several may lead to one named route
	root   *node             // of groups
}

// A group is addresses that belong to one route.
type group struct {
	template
	route *Route
}

// A node has the groups that begin alike.
type node struct {
	below map[string]*node
	route *Route // nil: none ends here
}

// find returns the route of a path, nil if it is not known. It allocates nothing.
func (f *found) find(path string) *Route {
	if f.root == nil {
		return nil
	}
	t, ok := templateOf(path)
	if !ok {
		return nil
	}
	return f.root.find(&t)
}

func (n *node) find(t *template) *Route {
	for _, s := range t.segments[:t.n] {
		next := n.below[s]
		if next == nil && s != anyID && s != deeper {
			next = n.below[anyName]
		}
		if next == nil {
			return nil
		}
		n = next
	}
	return n.route
}

func (f *found) grow() {
	f.root = &node{}
	for _, g := range f.groups {
		n := f.root
		for _, s := range g.segments[:g.n] {
			if n.below == nil {
				n.below = map[string]*node{}
			}
			if n.below[s] == nil {
				n.below[s] = &node{}
			}
			n = n.below[s]
		}
		n.route = g.route
	}
}

// learn makes a route of a path's group, or has the group lead to a route of
// the application's naming. It returns Other's if there is no room.
func (m *Meter) learn(path string, as *Route) *Route {
	t, ok := templateOf(path)
	if !ok || m.sealed.Load() {
		return m.other
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.found.Load()
	if f.root != nil {
		if r := f.root.find(&t); r != nil {
			return r // by another request meanwhile
		}
	}
	next := &found{routes: slices.Clone(f.routes), named: f.named, groups: slices.Clone(f.groups)}
	t = t.clone()
	next.fold(&t)
	r := as
	if r == nil {
		r = m.called(next, t.name()) // two of one name could not be told apart
	}
	if r == nil {
		if !m.room(next) {
			return m.other
		}
		r = m.route(t.name(), Grouped)
		next.routes = append(next.routes, r)
	}
	if len(next.groups) < 2*m.max {
		next.groups = append(next.groups, group{t, r})
	}
	next.grow()
	m.found.Store(next)
	return r
}

// fold makes way for a template below an address that has maxNames names
// already: they become one, and their own routes end, but for those at the
// root, where names are a site's parts more often than values.
func (f *found) fold(t *template) {
	for depth := range t.n {
		if s := t.segments[depth]; s == anyID || s == deeper {
			continue
		}
		names := map[string]bool{}
		for _, g := range f.groups {
			if g.n > depth && slices.Equal(g.segments[:depth], t.segments[:depth]) && g.segments[depth] != anyID && g.segments[depth] != deeper {
				names[g.segments[depth]] = true
			}
		}
		if names[t.segments[depth]] || !names[anyName] && len(names) < maxNames {
			continue
		}
		if depth > 0 && !names[anyName] {
			f.drop(func(g *group) bool {
				return g.n > depth && slices.Equal(g.segments[:depth], t.segments[:depth]) && names[g.segments[depth]]
			})
		}
		t.segments[depth] = anyName
	}
}

// drop removes groups, and the routes that only they led to.
func (f *found) drop(which func(*group) bool) {
	f.groups = slices.DeleteFunc(f.groups, func(g group) bool { return which(&g) })
	f.routes = slices.DeleteFunc(f.routes, func(r *Route) bool {
		return r.source == Grouped && f.named[r.name] != r && !slices.ContainsFunc(f.groups, func(g group) bool { return g.route == r })
	})
}

// room reports whether there is place for another route. The one that has been
// without a request for the longest, giveWay at least, gives its place; its
// counts are gone.
func (m *Meter) room(f *found) bool {
	if len(f.routes) < m.max {
		return true
	}
	idle := slices.MinFunc(f.routes, func(a, b *Route) int { return int(a.seen) - int(b.seen) })
	if idle.seen+uint64(giveWay/Step) > m.ticks {
		m.sealed.Store(true) // until the next tick: looking each time would cost whoever asks
		return false
	}
	f.routes = slices.DeleteFunc(f.routes, func(r *Route) bool { return r == idle })
	f.groups = slices.DeleteFunc(f.groups, func(g group) bool { return g.route == idle })
	if f.named[idle.name] == idle {
		f.named = maps.Clone(f.named)
		delete(f.named, idle.name)
	}
	return true
}

// named returns the route that the application named. Its address belongs to it
// from then on if it was nobody's: so what the application never sees of it,
// such as refusals, counts there too.
func (m *Meter) named(at *Route, q *Request) *Route {
	f := m.found.Load()
	r := f.named[q.Name]
	if r == nil {
		if r = m.name(q.Name); r == nil {
			return at
		}
	}
	if at == m.other && q.learnable() {
		m.learn(q.Path, r)
	}
	return r
}

// called returns the declared or found route of a name, nil if there is none.
func (m *Meter) called(f *found, name string) *Route {
	is := func(r *Route) bool { return r.name == name }
	if i := slices.IndexFunc(f.routes, is); i >= 0 {
		return f.routes[i]
	}
	if p := m.declared.Load(); p != nil {
		if i := slices.IndexFunc(p.routes, is); i >= 0 {
			return p.routes[i]
		}
	}
	return nil
}

func (m *Meter) name(name string) *Route {
	if m.sealed.Load() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.found.Load()
	if r := f.named[name]; r != nil {
		return r
	}
	next := &found{routes: slices.Clone(f.routes), named: f.named, groups: slices.Clone(f.groups)}
	r := m.called(next, name)
	if r == nil {
		if !m.room(next) {
			return nil
		}
		r = m.route(strings.Clone(name), Named)
		next.routes = append(next.routes, r)
	}
	next.named = maps.Clone(next.named)
	if next.named == nil {
		next.named = map[string]*Route{}
	}
	next.named[r.name] = r
	next.grow()
	m.found.Store(next)
	return r
}

// forget drops what was found under the names of routes that are declared now.
func (m *Meter) forget(declared []*Route) {
	f := m.found.Load()
	next := &found{named: maps.Clone(f.named), groups: slices.Clone(f.groups)}
	for _, r := range f.routes {
		if slices.ContainsFunc(declared, func(d *Route) bool { return d.name == r.name }) {
			next.groups = slices.DeleteFunc(next.groups, func(g group) bool { return g.route == r })
			delete(next.named, r.name)
		} else {
			next.routes = append(next.routes, r)
		}
	}
	// A route that is declared no more may have been named, or have addresses.
	alive := func(r *Route) bool { return slices.Contains(next.routes, r) || slices.Contains(declared, r) }
	next.groups = slices.DeleteFunc(next.groups, func(g group) bool { return !alive(g.route) })
	maps.DeleteFunc(next.named, func(_ string, r *Route) bool { return !alive(r) })
	next.grow()
	m.found.Store(next)
}
