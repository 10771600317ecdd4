package versions

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

// Build gives all files of a folder their addresses. before is what an earlier
// Build returned, or nil: a version is taken from it if neither its file nor what
// that refers to has changed, so that little is done where little changed.
//
// A file that refers to no other has the first 16 hex digits of its content's
// SHA-256 in its address; so has one that does, of its content with the others'
// addresses in it. Files that refer to each other in a circle cannot: the hash
// of each is of its name and of the whole circle, in which the references inside
// stand as they are on disk.
func Build(files map[string]*File, before map[string]*Version) map[string]*Version {
	b := &builder{files: files, before: before, done: make(map[string]*Version, len(files)), place: make(map[string]*mark, len(files))}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if b.place[name] == nil {
			b.visit(name)
		}
	}
	return b.done
}

type builder struct {
	files  map[string]*File
	before map[string]*Version
	done   map[string]*Version

	place map[string]*mark // of files that were visited
	stack []string
}

// A mark is what the search for circles knows of a file (Tarjan, "Depth-first
// search and linear graph algorithms", 1972).
type mark struct {
	index, low int
	onStack    bool
}

func (b *builder) visit(name string) *mark {
	m := &mark{index: len(b.place), onStack: true}
	m.low = m.index
	b.place[name] = m
	b.stack = append(b.stack, name)
	for _, ref := range b.files[name].refs {
		switch to := b.place[ref.target]; {
		case b.files[ref.target] == nil:
		case to == nil:
			m.low = min(m.low, b.visit(ref.target).low)
		case to.onStack:
			m.low = min(m.low, to.index)
		}
	}
	if m.low == m.index {
		i := len(b.stack) - 1
		for b.stack[i] != name {
			i--
		}
		circle := slices.Clone(b.stack[i:])
		b.stack = b.stack[:i]
		for _, member := range circle {
			b.place[member].onStack = false
		}
		b.finish(circle)
	}
	return m
}

// finish makes the versions of files that refer to each other, or of one. What
// they refer to outside has its version already.
func (b *builder) finish(circle []string) {
	slices.Sort(circle)
	if b.unchanged(circle) {
		for _, name := range circle {
			b.done[name] = b.before[name]
		}
		return
	}
	made := make([]*Version, len(circle))
	cyclic := len(circle) > 1
	for i, name := range circle {
		f := b.files[name]
		made[i] = &Version{Name: name, file: f}
		cyclic = cyclic || slices.ContainsFunc(f.refs, func(r reference) bool { return r.target == name })
	}
	if cyclic {
		b.hashTogether(made)
	}
	for _, v := range made {
		v.Cyclic = cyclic
		v.deps = make([]*Version, len(v.file.refs))
		for i, ref := range v.file.refs {
			v.deps[i] = b.done[ref.target]
		}
	}
	// What holds the integrity of another is written after that other.
	slices.SortStableFunc(made, func(x, y *Version) int { return integrities(x.file) - integrities(y.file) })
	for _, v := range made {
		v.Data = v.file.written(v.deps)
		if !cyclic {
			v.Hash = hashOf(v.Data)
			v.Address = Address(v.Name, v.Hash)
			b.done[v.Name] = v
		}
	}
}

func integrities(f *File) (n int) {
	for _, r := range f.refs {
		if r.integrity {
			n++
		}
	}
	return n
}

// hashTogether gives the members of a circle their addresses.
func (b *builder) hashTogether(circle []*Version) {
	all := sha256.New()
	for _, v := range circle {
		outside := make([]*Version, len(v.file.refs))
		for i, ref := range v.file.refs {
			outside[i] = b.done[ref.target] // those of the circle are not there yet
		}
		data := v.file.written(outside)
		fmt.Fprintf(all, "%d %s %d ", len(v.Name), v.Name, len(data))
		all.Write(data)
	}
	sum := all.Sum(nil)
	for _, v := range circle {
		v.Hash = hashOf(append(sum[:len(sum):len(sum)], v.Name...))
		v.Address = Address(v.Name, v.Hash)
	}
	for _, v := range circle {
		b.done[v.Name] = v
	}
}

// unchanged reports whether the files of a circle and all that they refer to are
// those of before.
func (b *builder) unchanged(circle []string) bool {
	for _, name := range circle {
		v, f := b.before[name], b.files[name]
		if v == nil || v.file != f {
			return false
		}
		for i, ref := range f.refs {
			want := b.done[ref.target]
			if _, inside := slices.BinarySearch(circle, ref.target); inside {
				want = b.before[ref.target]
			}
			if v.deps[i] != want {
				return false
			}
		}
	}
	return true
}

// written is the file with its references to these versions. A reference to none
// is left as it is.
func (f *File) written(deps []*Version) []byte {
	if !slices.ContainsFunc(deps, exists) {
		return f.Data
	}
	var out bytes.Buffer
	out.Grow(len(f.Data) + 20*len(deps))
	at := 0
	for i, ref := range f.refs {
		d := deps[i]
		if d == nil || ref.integrity && d.Data == nil {
			continue
		}
		text := ref.before + encoded(path.Base(d.Address), "") + ref.after
		switch {
		case ref.integrity:
			text = refs.RenewIntegrity(ref.text, d.file.Data, d.Data)
		case ref.whole != nil:
			text = ref.whole.Quote(text)
		}
		out.Write(f.Data[at:ref.start])
		out.WriteString(text)
		at = ref.end
	}
	out.Write(f.Data[at:])
	return bytes.Clone(out.Bytes())
}

// Problems are the references to files of the folder that are not there, and the
// files that could not be looked through, in the order of names and lines.
func Problems(files map[string]*File) []Problem {
	var (
		all     []Problem
		folders map[string]bool
	)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		if f.unread != "" {
			all = append(all, Problem{name, f.line, f.unread})
		}
		for _, ref := range f.refs {
			if ref.quiet || ref.integrity || files[ref.target] != nil {
				continue
			}
			if folders == nil {
				folders = foldersOf(files)
			}
			if !folders[ref.target] {
				line := 1 + bytes.Count(f.Data[:ref.start], []byte{'\n'})
				all = append(all, Problem{name, line, fmt.Sprintf("%.200q: there is no file %.200s", ref.text, ref.target)})
			}
		}
		for _, ref := range f.refs {
			if ref.integrity && files[ref.target] != nil && !refs.HasIntegrity(ref.text, files[ref.target].Data) {
				line := 1 + bytes.Count(f.Data[:ref.start], []byte{'\n'})
				all = append(all, Problem{name, line, fmt.Sprintf("the integrity is not that of %.200s: browsers will not load it", ref.target)})
			}
		}
	}
	return all
}

func foldersOf(files map[string]*File) map[string]bool {
	folders := map[string]bool{}
	for name := range files {
		for dir := path.Dir(name); dir != "." && !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	return folders
}

// Entry reports whether people and other sites link to a file by its name rather
// than pages of this one by its address.
func Entry(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".html" || ext == ".htm"
}

// Levels says how long the chain of references is below each file, 0 where there
// is none: in the order of levels each comes after those that it refers to, but
// for circles, in which that cannot be.
func Levels(all map[string]*Version) map[string]int {
	levels := make(map[string]int, len(all))
	var level func(v *Version) int
	level = func(v *Version) int {
		if n, ok := levels[v.Name]; ok {
			return n
		}
		levels[v.Name] = 0 // while it is looked at: of a circle
		n := 0
		for _, d := range v.deps {
			if d != nil {
				n = max(n, level(d)+1)
			}
		}
		levels[v.Name] = n
		return n
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		level(all[name])
	}
	return levels
}
