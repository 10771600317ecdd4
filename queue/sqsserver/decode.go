package sqsserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Deepest nesting of a request; the deepest that means something is 5.
const maxDepth = 32

// decoder reads a request's JSON in one pass, straight into the arguments of an
// action. encoding/json spends several times longer on the three hot actions,
// as it scans, then reflects.
//
// The first error sticks: every method after it returns a zero value, and the
// action asks once, with done. Names that an action does not know are skipped,
// as SQS does, and null is the same as nothing.
type decoder struct {
	b     []byte
	i     int
	depth int
	err   *apiError
}

func (d *decoder) fail(message string) {
	if d.err == nil {
		d.err = &apiError{kind: serialization, message: message}
	}
}

// done returns the first error, or that something follows the value.
func (d *decoder) done() error {
	d.space()
	if d.err == nil && d.i < len(d.b) {
		d.fail("Unexpected data after the request's JSON")
	}
	if d.err != nil {
		return d.err
	}
	return nil
}

func (d *decoder) space() {
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

// peek returns the first byte of what comes next, 0 at the end.
func (d *decoder) peek() byte {
	if d.err != nil {
		return 0
	}
	d.space()
	if d.i == len(d.b) {
		d.fail("Unexpected end of the request's JSON")
		return 0
	}
	return d.b[d.i]
}

func (d *decoder) literal(word string) bool {
	if d.i+len(word) > len(d.b) || string(d.b[d.i:d.i+len(word)]) != word {
		return false
	}
	d.i += len(word)
	return true
}

// null consumes a null.
func (d *decoder) null() bool { return d.peek() == 'n' && d.literal("null") }

// object calls field for each name, which must consume the value. The name is
// valid during the call only.
func (d *decoder) object(field func(name []byte)) {
	if d.null() || !d.open('{') {
		return
	}
	if d.peek() == '}' {
		d.i++
		d.depth--
		return
	}
	for d.err == nil {
		if d.peek() != '"' {
			d.fail("A name in quotes was expected")
			return
		}
		name := d.quoted()
		if d.peek() != ':' {
			d.fail("A colon was expected")
			return
		}
		d.i++
		field(name)
		if !d.more('}') {
			return
		}
	}
}

// list calls element for each element, which must consume it.
func (d *decoder) list(element func()) {
	if d.null() || !d.open('[') {
		return
	}
	if d.peek() == ']' {
		d.i++
		d.depth--
		return
	}
	for d.err == nil {
		element()
		if !d.more(']') {
			return
		}
	}
}

func (d *decoder) open(c byte) bool {
	if d.peek() != c {
		d.mistyped("a structure or list")
		return false
	}
	d.i++
	if d.depth++; d.depth > maxDepth {
		d.fail("The request's JSON is nested too deep")
		return false
	}
	return true
}

// more consumes a comma, or the end and returns false.
func (d *decoder) more(end byte) bool {
	switch d.peek() {
	case ',':
		d.i++
		return true
	case end:
		d.i++
		d.depth--
		return false
	}
	d.fail("A comma or the end of a structure was expected")
	return false
}

// mistyped says which kind of value is where another should be.
func (d *decoder) mistyped(want string) {
	got := "UNKNOWN_VALUE"
	switch c := d.peek(); {
	case c == '"':
		got = "STRING_VALUE"
	case c == '-' || '0' <= c && c <= '9':
		got = "NUMBER_VALUE"
	case c == 't':
		got = "TRUE_VALUE"
	case c == 'f':
		got = "FALSE_VALUE"
	case c == '{':
		got = "START_OBJECT"
	case c == '[':
		got = "START_ARRAY"
	}
	d.fail(got + " can not be converted to " + want)
}

// str reads a string; null is "".
func (d *decoder) str() string {
	if d.null() {
		return ""
	}
	if d.peek() != '"' {
		d.mistyped("a String")
		return ""
	}
	return string(d.quoted())
}

// blob reads base64; null is nil.
func (d *decoder) blob() []byte {
	if d.null() {
		return nil
	}
	if d.peek() != '"' {
		d.mistyped("a Blob")
		return nil
	}
	coded := d.quoted()
	b := make([]byte, base64.StdEncoding.DecodedLen(len(coded)))
	n, err := base64.StdEncoding.Decode(b, coded)
	if err != nil {
		d.fail("A binary value is not base64")
		return nil
	}
	return b[:n]
}

// integer reads an integer of 32 bits; null is absent.
func (d *decoder) integer(absent int) int {
	if d.null() {
		return absent
	}
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		d.mistyped("an Integer")
		return absent
	}
	word := d.number()
	n, err := strconv.ParseInt(string(word), 10, 32)
	if err != nil {
		d.fail("A number is not an Integer of 32 bits")
		return absent
	}
	return int(n)
}

// number consumes the characters of a number. Whether they are one is for the
// caller to find out.
func (d *decoder) number() []byte {
	start := d.i
	for d.i < len(d.b) {
		switch c := d.b[d.i]; {
		case '0' <= c && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			d.i++
			continue
		}
		break
	}
	word := d.b[start:d.i]
	if digits := bytes.TrimPrefix(word, []byte("-")); len(digits) > 1 && digits[0] == '0' && '0' <= digits[1] && digits[1] <= '9' {
		d.fail("A number begins with 0")
	}
	return word
}

// strings reads a list of strings.
func (d *decoder) strings() (list []string) {
	d.list(func() { list = append(list, d.str()) })
	return list
}

// stringMap reads an object of strings; an empty one is not nil.
func (d *decoder) stringMap() map[string]string {
	if d.null() {
		return nil
	}
	m := map[string]string{}
	d.object(func(name []byte) {
		key := string(name)
		m[key] = d.str()
	})
	return m
}

// skip consumes any value.
func (d *decoder) skip() {
	switch c := d.peek(); {
	case c == '{':
		d.object(func([]byte) { d.skip() })
	case c == '[':
		d.list(d.skip)
	case c == '"':
		d.quoted()
	case c == 't' && d.literal("true"), c == 'f' && d.literal("false"), c == 'n' && d.literal("null"):
	case c == '-' || '0' <= c && c <= '9':
		if !json.Valid(d.number()) {
			d.fail("A number is malformed")
		}
	default:
		d.fail("A value was expected")
	}
}

// quoted consumes a string that begins here and returns its text, which is part
// of the request when nothing in it is escaped.
func (d *decoder) quoted() []byte {
	d.i++
	rest := d.b[d.i:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		d.fail("A string does not end")
		return nil
	}
	text := rest[:end]
	plain := true
	for _, c := range text {
		if c == '\\' {
			plain = false
			break
		}
		if c < ' ' {
			d.fail("A string has a control character that is not escaped")
			return nil
		}
	}
	if !plain {
		return d.escaped()
	}
	if !utf8.Valid(text) {
		d.fail("A string is not UTF-8")
		return nil
	}
	d.i += end + 1
	return text
}

// escaped is quoted for a string with escapes.
func (d *decoder) escaped() []byte {
	out := make([]byte, 0, 64)
	for d.i < len(d.b) {
		c := d.b[d.i]
		d.i++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				d.fail("A string is not UTF-8")
				return nil
			}
			return out
		case c < ' ':
			d.fail("A string has a control character that is not escaped")
			return nil
		case c == '\\':
			var ok bool
			if out, ok = d.escape(out); !ok {
				d.fail("A string has a wrong escape")
				return nil
			}
		default:
			out = append(out, c)
		}
	}
	d.fail("A string does not end")
	return nil
}

// escape consumes what follows a backslash.
func (d *decoder) escape(out []byte) ([]byte, bool) {
	if d.i == len(d.b) {
		return out, false
	}
	c := d.b[d.i]
	d.i++
	switch c {
	case '"', '\\', '/':
		return append(out, c), true
	case 'b':
		return append(out, '\b'), true
	case 'f':
		return append(out, '\f'), true
	case 'n':
		return append(out, '\n'), true
	case 'r':
		return append(out, '\r'), true
	case 't':
		return append(out, '\t'), true
	case 'u':
		r, ok := d.hex()
		if !ok {
			return out, false
		}
		if utf16.IsSurrogate(r) {
			if !d.literal(`\u`) {
				return out, false
			}
			low, ok := d.hex()
			if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
				return out, false
			}
		}
		return utf8.AppendRune(out, r), true
	}
	return out, false
}

func (d *decoder) hex() (rune, bool) {
	if d.i+4 > len(d.b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(d.b[d.i:d.i+4]), 16, 16)
	d.i += 4
	return rune(n), err == nil
}
