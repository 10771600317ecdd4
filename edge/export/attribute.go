package export

import "strings"

// attribute is one of a tag, by where its value stands.
type attribute struct {
	name     string // lower case
	from, to int    // of the value, without quotes
	bare     bool   // it has none
}

// maxAttributes bounds those of one tag.
const maxAttributes = 1000

// attributes finds those that have a value in a tag, "<name …>", as HTML does
// (section 13.2.5.32 and following). Of two of one name the first counts.
func attributes(tag []byte) (all []attribute) {
	seen := map[string]bool{}
	i := 1
	for i < len(tag) && !blank(tag[i]) && tag[i] != '/' && tag[i] != '>' { // the element's name
		i++
	}
	for i < len(tag) && len(all) < maxAttributes {
		for i < len(tag) && (blank(tag[i]) || tag[i] == '/') {
			i++
		}
		if i >= len(tag) || tag[i] == '>' {
			break
		}
		begin := i
		for i++; i < len(tag) && !blank(tag[i]) && tag[i] != '=' && tag[i] != '>' && tag[i] != '/'; { // "=" may be its first
			i++
		}
		name := strings.ToLower(string(tag[begin:i]))
		for i < len(tag) && blank(tag[i]) {
			i++
		}
		if i >= len(tag) || tag[i] != '=' {
			continue
		}
		for i++; i < len(tag) && blank(tag[i]); {
			i++
		}
		a := attribute{name: name, from: i}
		if i < len(tag) && (tag[i] == '"' || tag[i] == '\'') {
			quote := tag[i]
			a.from++
			for i++; i < len(tag) && tag[i] != quote; {
				i++
			}
			a.to = i
			i++
		} else {
			for i < len(tag) && !blank(tag[i]) && tag[i] != '>' {
				i++
			}
			a.to, a.bare = i, true
		}
		if a.to > len(tag) || a.from > a.to {
			break
		}
		if !seen[name] {
			seen[name] = true
			all = append(all, a)
		}
	}
	return all
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }
