package advisory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// find turns what differs into sentences, the gravest first.
func (a *Advisory) find() []Finding {
	list := []Finding{}
	add := func(level Level, format string, args ...any) {
		list = append(list, Finding{level, fmt.Sprintf(format, args...)})
	}
	a.findScripts(add)
	a.findBinaries(add)
	if l := a.Licence; l.Changed {
		add(Alarm, "The licence changed%s.", fromTo(l.From, l.To))
	} else if len(l.Files) > 0 {
		add(Info, "A licence file was added, removed or moved; the terms look the same.")
	}
	if a.API != nil {
		if n := a.API.RemovedCount + a.API.ChangedCount; n > 0 {
			add(Warning, "%s removed or changed in the exported API: code that uses them may no longer build.", plural(n, "declaration was", "declarations were"))
		} else if a.API.AddedCount > 0 {
			add(Info, "%s to the exported API; nothing was removed.", plural(a.API.AddedCount, "declaration was added", "declarations were added"))
		}
	}
	if a.Step == "major" {
		add(Warning, "This is a new major version: its authors say that something incompatible changed.")
	}
	a.findDependencies(add)
	if len(list) == 0 {
		add(Info, "Nothing that needs a second look was found.")
	}
	rank := map[Level]int{Alarm: 0, Warning: 1, Info: 2}
	slices.SortStableFunc(list, func(x, y Finding) int { return rank[x.Level] - rank[y.Level] })
	return list
}

func (a *Advisory) findScripts(add func(Level, string, ...any)) {
	for _, s := range a.Scripts {
		switch {
		case a.Ecosystem == watch.NPM && s.From == "":
			add(Alarm, "A script now runs when the package is installed: %s: %s", s.Name, watch.Clip(s.To, 120))
		case a.Ecosystem == watch.NPM && s.To != "":
			add(Alarm, "The script that runs at installation changed: %s: %s", s.Name, watch.Clip(s.To, 120))
		case a.Ecosystem == watch.PyPI && strings.HasSuffix(s.Name, ".pth") && s.To != "":
			add(Alarm, "%s is run at every start of Python and %s.", s.Name, appearedOrChanged(s))
		case a.Ecosystem == watch.PyPI && s.Name == "setup.py" && s.To != "":
			add(Warning, "setup.py, which runs at installation from source, %s.", appearedOrChanged(s))
		case a.Ecosystem == watch.PyPI && s.Name == "build-backend" && s.To != "":
			add(Info, "The build back end is now %s.", watch.Clip(s.To, 120))
		case a.Ecosystem == watch.Go && s.From == "":
			add(Warning, "There is C code to build now: %s.", s.Name)
		}
	}
}

func appearedOrChanged(c Change) string {
	if c.From == "" {
		return "appeared"
	}
	return "changed"
}

func (a *Advisory) findBinaries(add func(Level, string, ...any)) {
	var fresh, changed []string
	for _, b := range a.Binaries {
		if b.New {
			fresh = append(fresh, b.Path)
		} else {
			changed = append(changed, b.Path)
		}
	}
	if len(fresh) > 0 {
		add(Alarm, "%s that cannot be read as source appeared: %s", plural(len(fresh), "program or library", "programs or libraries"), some(fresh))
	}
	if len(changed) > 0 {
		add(Warning, "%s changed: %s", plural(len(changed), "program or library", "programs or libraries"), some(changed))
	}
}

func (a *Advisory) findDependencies(add func(Level, string, ...any)) {
	var fresh, gone []string
	raised := 0
	for _, d := range a.Dependencies {
		switch {
		case d.From == "":
			fresh = append(fresh, d.Name)
		case d.To == "":
			gone = append(gone, d.Name)
		default:
			raised++
		}
	}
	if len(fresh) > 0 {
		add(Warning, "%s: %s", plural(len(fresh), "new dependency", "new dependencies"), some(fresh))
	}
	if len(gone) > 0 {
		add(Info, "%s no longer needed: %s", plural(len(gone), "dependency is", "dependencies are"), some(gone))
	}
	if raised > 0 {
		add(Info, "%s in another version.", plural(raised, "dependency is asked for", "dependencies are asked for"))
	}
}

func some(list []string) string {
	if len(list) > 5 {
		return strings.Join(list[:5], ", ") + fmt.Sprintf(" and %d more", len(list)-5)
	}
	return strings.Join(list, ", ")
}

func fromTo(from, to string) string {
	if from == "" {
		from = "an unknown one"
	}
	if to == "" {
		to = "an unknown one"
	}
	if from == to {
		return ": the text differs, both are named " + to
	}
	return " from " + from + " to " + to
}
