package versions

import (
	"bytes"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

// Read looks a file through. Its name is below the folder, with slashes; prefix
// is the path under which the folder is served, such as "/static/". data must
// not change afterwards.
func Read(name, prefix string, data []byte) *File {
	f := &File{Name: name, Data: data}
	var find func([]byte) iter.Seq[refs.Ref]
	switch strings.ToLower(path.Ext(name)) {
	case ".css":
		find = refs.CSS
	case ".js", ".mjs":
		find = refs.JavaScript
	case ".html", ".htm":
		find = refs.HTML
	case ".map":
		find = refs.SourceMap
	default:
		return f
	}
	if len(data) > MaxRead {
		f.unread, f.line = "larger than 16 MiB: references in it are left as they are", 1
		return f
	}
	r := &reader{file: f, base: resolver{dir: prefix + dirOf(name), prefix: prefix}, guarded: refs.Guarded(data)}
	for ref := range find(data) {
		if r.take(ref); len(f.refs) == MaxReferences {
			break
		}
	}
	r.order()
	return f
}

// A reader collects the references of one file that are to files of the folder.
type reader struct {
	file    *File
	base    resolver
	based   bool // the first base was there
	guarded bool
}

// take looks at what was found. Links that a person follows stay.
func (r *reader) take(ref refs.Ref) {
	if ref.Inline && r.guarded {
		return
	}
	switch ref.Kind {
	case refs.Load:
		r.add(ref, false)
	case refs.Debug:
		r.add(ref, true)
	case refs.Module:
		// What ends with a slash stands for a folder, in an import map.
		if strings.HasPrefix(ref.Text, "./") || strings.HasPrefix(ref.Text, "../") || strings.HasPrefix(ref.Text, "/") {
			r.add(ref, false)
		}
	case refs.Base:
		if !r.based {
			r.base, r.based = r.base.moved(ref.Text), true
		}
	case refs.Integrity:
		if target, _, _, ok := r.base.within(ref.Of); ok && ref.Exact {
			r.file.refs = append(r.file.refs, reference{start: ref.Start, end: ref.End, target: target, text: ref.Text, integrity: true})
		}
	case refs.Unread:
		r.file.unread = "not understood as JavaScript: references in it are left as they are"
		r.file.line = 1 + bytes.Count(r.file.Data[:ref.Start], []byte{'\n'})
	}
}

// add notes a reference if it is to the folder. Of one that stands there as it
// is, only the last part is replaced. quiet: that the file is not there is no problem.
func (r *reader) add(ref refs.Ref, quiet bool) {
	name, from, to, ok := r.base.within(ref.Text)
	if !ok {
		return
	}
	found := reference{target: name, text: ref.Text, quiet: quiet, start: ref.Start + from, end: ref.Start + to}
	if !ref.Exact {
		found.start, found.end, found.whole = ref.Start, ref.End, &ref
		found.before, found.after = encoded(ref.Text[:from], "/%"), encoded(strings.TrimSpace(ref.Text[to:]), "/%?#=&:;,+@")
	}
	r.file.refs = append(r.file.refs, found)
}

// order sorts the references. Of two that overlap the first counts.
func (r *reader) order() {
	f := r.file
	slices.SortStableFunc(f.refs, func(a, b reference) int { return a.start - b.start })
	end := 0
	f.refs = slices.DeleteFunc(f.refs, func(x reference) bool {
		if x.start < end {
			return true
		}
		end = x.end
		return false
	})
}
