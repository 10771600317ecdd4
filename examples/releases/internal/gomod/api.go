package gomod

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// maxExports bounds the API of one module, in declarations.
const maxExports = 100_000

// Facts reads go.mod and the exported API.
func (r *Registry) Facts(t *archive.Tree) watch.Facts {
	var f watch.Facts
	if mod := t.Text("go.mod"); mod != nil {
		deps, note := dependencies(mod)
		f.Dependencies = deps
		if note != "" {
			f.Notes = append(f.Notes, note)
		}
	}
	f.Scripts = goScripts(t)
	var unread int
	f.Exports, unread = exports(t)
	if unread > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("%d Go files could not be parsed; their API is not compared", unread))
	}
	return f
}

// goScripts are what a build of a Go module runs or links besides Go: cgo.
func goScripts(t *archive.Tree) map[string]string {
	s := map[string]string{}
	for _, p := range sortedPaths(t) {
		if isSource(p) && !hidden(p) && bytes.Contains(t.Text(p), []byte("\nimport \"C\"")) {
			name := "cgo"
			if dir := path.Dir(p); dir != "." {
				name += " in " + dir
			}
			s[name] = "import \"C\""
		}
	}
	return s
}

// exports lists what other modules can use: exported declarations of packages
// that are neither internal nor main, over all build constraints together.
// No types are checked, so an alias of a changed type does not show.
func exports(t *archive.Tree) (map[string]string, int) {
	found := map[string][]string{}
	unread := 0
	for _, p := range sortedPaths(t) {
		if !isSource(p) || hidden(p) || t.Text(p) == nil {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, p, t.Text(p), parser.SkipObjectResolution)
		if err != nil {
			unread++
			continue
		}
		if file.Name.Name == "main" || len(found) > maxExports {
			continue
		}
		api := &apiReader{fset: fset, pkg: path.Dir(p), found: found}
		for _, d := range file.Decls {
			api.decl(d)
		}
	}
	all := make(map[string]string, len(found))
	for name, decls := range found {
		slices.Sort(decls)
		all[name] = strings.Join(slices.Compact(decls), " | ")
	}
	return all, unread
}

func sortedPaths(t *archive.Tree) []string {
	list := make([]string, 0, len(t.Files))
	for p := range t.Files {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

func isSource(p string) bool {
	return strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go")
}

// hidden: folders no other module can import from, or the go command ignores.
func hidden(p string) bool {
	for _, e := range strings.Split(path.Dir(p), "/") {
		if e == "internal" || e == "testdata" || e == "vendor" || strings.HasPrefix(e, "_") || (e != "." && strings.HasPrefix(e, ".")) {
			return true
		}
	}
	return strings.HasPrefix(path.Base(p), "_") || strings.HasPrefix(path.Base(p), ".")
}

type apiReader struct {
	fset  *token.FileSet
	pkg   string
	found map[string][]string
}

func (a *apiReader) add(name, decl string) {
	key := a.pkg + ": " + name
	if a.pkg == "." {
		key = name
	}
	a.found[key] = append(a.found[key], watch.Clip(decl, 400))
}

func (a *apiReader) decl(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		a.function(d)
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				a.typeSpec(s)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() {
						a.add(n.Name, strings.TrimSpace(d.Tok.String()+" "+n.Name+" "+a.expr(s.Type)))
					}
				}
			}
		}
	}
}

func (a *apiReader) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	if d.Recv == nil || len(d.Recv.List) == 0 {
		a.add(d.Name.Name, "func "+d.Name.Name+a.typeParams(d.Type.TypeParams)+a.signature(d.Type))
		return
	}
	recv := baseName(d.Recv.List[0].Type)
	if !ast.IsExported(recv) {
		return
	}
	star := ""
	if _, ok := d.Recv.List[0].Type.(*ast.StarExpr); ok {
		star = "*"
	}
	a.add(recv+"."+d.Name.Name, "func ("+star+recv+") "+d.Name.Name+a.signature(d.Type))
}

// typeSpec lists a type, the exported fields of a struct and the methods of an
// interface each as a declaration of its own.
func (a *apiReader) typeSpec(s *ast.TypeSpec) {
	if !s.Name.IsExported() {
		return
	}
	name := s.Name.Name
	head := "type " + name + a.typeParams(s.TypeParams)
	if s.Assign.IsValid() {
		a.add(name, head+" = "+a.expr(s.Type))
		return
	}
	switch t := s.Type.(type) {
	case *ast.StructType:
		a.add(name, head+" struct")
		a.members(name, "field", t.Fields)
	case *ast.InterfaceType:
		a.add(name, head+" interface")
		a.members(name, "method", t.Methods)
	default:
		a.add(name, head+" "+a.expr(t))
	}
}

func (a *apiReader) members(owner, kind string, list *ast.FieldList) {
	for _, f := range list.List {
		if len(f.Names) == 0 {
			text := a.expr(f.Type)
			if base := baseName(f.Type); kind == "method" || ast.IsExported(base) {
				a.add(owner+"."+text, "embedded "+text+" in "+owner)
			}
			continue
		}
		for _, n := range f.Names {
			if !n.IsExported() {
				continue
			}
			if ft, ok := f.Type.(*ast.FuncType); ok && kind == "method" {
				a.add(owner+"."+n.Name, "method "+owner+"."+n.Name+a.signature(ft))
				continue
			}
			a.add(owner+"."+n.Name, kind+" "+owner+"."+n.Name+" "+a.expr(f.Type))
		}
	}
}

// signature prints the types of a function without the names of parameters,
// which may change without harm.
func (a *apiReader) signature(t *ast.FuncType) string {
	in, out := a.types(t.Params), a.types(t.Results)
	s := "(" + strings.Join(in, ", ") + ")"
	switch len(out) {
	case 0:
		return s
	case 1:
		return s + " " + out[0]
	}
	return s + " (" + strings.Join(out, ", ") + ")"
}

func (a *apiReader) types(list *ast.FieldList) []string {
	if list == nil {
		return nil
	}
	var out []string
	for _, f := range list.List {
		for range max(1, len(f.Names)) {
			out = append(out, a.expr(f.Type))
		}
	}
	return out
}

func (a *apiReader) typeParams(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	return "[" + strings.Join(a.types(list), ", ") + "]"
}

func (a *apiReader) expr(e ast.Expr) string {
	if e == nil {
		return ""
	}
	if ft, ok := e.(*ast.FuncType); ok {
		return "func" + a.signature(ft)
	}
	e = modern(e)
	var b bytes.Buffer
	if printer.Fprint(&b, a.fset, e) != nil {
		return "?"
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// modern writes interface{} as any, which is the same type.
func modern(e ast.Expr) ast.Expr {
	alias := func(e ast.Expr) ast.Expr {
		if it, ok := e.(*ast.InterfaceType); ok && it.Methods.NumFields() == 0 {
			return ast.NewIdent("any")
		}
		return e
	}
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StarExpr:
			n.X = alias(n.X)
		case *ast.ArrayType:
			n.Elt = alias(n.Elt)
		case *ast.MapType:
			n.Key, n.Value = alias(n.Key), alias(n.Value)
		case *ast.ChanType:
			n.Value = alias(n.Value)
		case *ast.Ellipsis:
			n.Elt = alias(n.Elt)
		case *ast.Field:
			n.Type = alias(n.Type)
		case *ast.IndexExpr:
			n.Index = alias(n.Index)
		}
		return true
	})
	return alias(e)
}

// baseName is the type's name in *T, T[P] and pkg.T.
func baseName(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.StarExpr:
		return baseName(t.X)
	case *ast.IndexExpr:
		return baseName(t.X)
	case *ast.IndexListExpr:
		return baseName(t.X)
	case *ast.SelectorExpr:
		return t.Sel.Name
	case *ast.ParenExpr:
		return baseName(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}
