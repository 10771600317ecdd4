package archive

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"
)

// magics are the first bytes of files that a machine runs.
// Sources: the ELF, PE/COFF, Mach-O, WebAssembly, Java class and ar formats.
var magics = []struct {
	magic string
	kind  string
}{
	{"\x7fELF", "ELF"},
	{"MZ", "PE"},
	{"\xfe\xed\xfa\xce", "Mach-O"},
	{"\xfe\xed\xfa\xcf", "Mach-O"},
	{"\xce\xfa\xed\xfe", "Mach-O"},
	{"\xcf\xfa\xed\xfe", "Mach-O"},
	{"\xca\xfe\xba\xbe", "Mach-O or Java class"},
	{"\x00asm", "WebAssembly"},
	{"!<arch>\n", "library archive"},
}

// extensions name what is run or loaded but has no magic of its own.
var extensions = map[string]string{
	".syso": "object file", ".o": "object file", ".obj": "object file", ".lib": "library archive",
	".pyc": "Python bytecode", ".jar": "Java archive", ".exe": "PE", ".dll": "PE", ".node": "Node.js add-on",
}

// kindOf tells what an executable or library is, or "".
func kindOf(head []byte, name string) string {
	for _, m := range magics {
		if !bytes.HasPrefix(head, []byte(m.magic)) {
			continue
		}
		// Two letters alone would take a text that begins with "MZ" for a program.
		if m.kind == "PE" && !looksBinary(head) {
			continue
		}
		return m.kind
	}
	if kind := extensions[strings.ToLower(path.Ext(name))]; kind != "" && looksBinary(head) {
		return kind
	}
	return ""
}

// looksBinary judges by the first 8,000 bytes, as git does, and by UTF-8.
func looksBinary(head []byte) bool {
	cut := len(head) > 8000
	if cut {
		head = head[:8000]
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return true
	}
	if utf8.Valid(head) {
		return false
	}
	// A character may have been cut, and Latin-1 texts exist: a few bytes that
	// are not UTF-8 do not make a binary.
	bad := 0
	for i := 0; i < len(head); {
		r, n := utf8.DecodeRune(head[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		i += n
	}
	return bad*10 > len(head)
}
