package publish

import "slices"

// Diff is what one release has otherwise than another, each sorted.
type Diff struct {
	Added   []string `json:"added"`
	Changed []string `json:"changed"`
	Removed []string `json:"removed"`
}

// Compare says what becomes of old's pages in new, by their keys.
func Compare(old, new []Page) Diff {
	d := Diff{Added: []string{}, Changed: []string{}, Removed: []string{}}
	before := make(map[string]string, len(old))
	for i := range old {
		before[old[i].Key()] = old[i].Tag()
	}
	for i := range new {
		key := new[i].Key()
		tag, was := before[key]
		switch {
		case !was:
			d.Added = append(d.Added, key)
		case tag != new[i].Tag():
			d.Changed = append(d.Changed, key)
		}
		delete(before, key)
	}
	for key := range before {
		d.Removed = append(d.Removed, key)
	}
	for _, list := range [][]string{d.Added, d.Changed, d.Removed} {
		slices.Sort(list)
	}
	return d
}

// Purge is what caches may have that is not so any more.
func (d *Diff) Purge() []string {
	all := slices.Concat(d.Added, d.Changed, d.Removed)
	slices.Sort(all)
	return all
}

// Same is true if nothing differs.
func (d *Diff) Same() bool { return len(d.Added)+len(d.Changed)+len(d.Removed) == 0 }
