package export

import (
	"bytes"
	"html"
	"strings"

	nethtml "golang.org/x/net/html"
)

// maxTag bounds one tag, in bytes; a body that has a longer one is looked
// through no further.
const maxTag = 1 << 20

// walkHTML visits the references of a page. What is not one stays byte for byte.
func walkHTML(data []byte, v visit) []byte {
	p := patch{data: data}
	z := nethtml.NewTokenizer(bytes.NewReader(data))
	z.SetMaxBuf(maxTag + len(data)) // a text may be long, a tag may not
	style := false
	for at := 0; ; {
		t := z.Next()
		raw := z.Raw()
		from := at
		at += len(raw)
		switch {
		case t == nethtml.ErrorToken:
			return p.end()
		case t == nethtml.TextToken && style:
			css := bytes.Clone(data[from:at])
			if out := walkCSS(css, v); !bytes.Equal(out, css) {
				p.put(from, at, string(out))
			}
		case t == nethtml.StartTagToken || t == nethtml.SelfClosingTagToken:
			if len(raw) > maxTag {
				return p.end()
			}
			name, _ := z.TagName()
			style = t == nethtml.StartTagToken && string(name) == "style"
			walkTag(&p, from, data[from:at], string(name), v)
			continue
		}
		style = false
	}
}

// walkTag visits the references of a tag that begins at from.
func walkTag(p *patch, from int, raw []byte, element string, v visit) {
	all := attributes(raw)
	get := func(name string) string {
		for _, a := range all {
			if a.name == name {
				return unescape(string(raw[a.from:a.to]))
			}
		}
		return ""
	}
	for _, a := range all {
		old := unescape(string(raw[a.from:a.to]))
		value := old
		switch how, u := refers(element, a.name, get); how {
		case notAtAll:
			continue
		case whole:
			value = v(old, u)
		case asSet:
			value = walkSrcset(old, v)
		case asStyle:
			value = string(walkCSS([]byte(old), v))
		case asRefresh:
			value = walkRefresh(old, v)
		}
		if value == old {
			continue
		}
		if value = escape(value); a.bare {
			value = `"` + value + `"`
		}
		p.put(from+a.from, from+a.to, value)
	}
}

// manner is how an attribute refers to something.
type manner int

const (
	notAtAll  manner = iota
	whole            // its value is a URL
	asSet            // a srcset
	asStyle          // CSS
	asRefresh        // of <meta http-equiv=refresh>
)

// refers says what an attribute of an element is. get returns its others.
func refers(element, name string, get func(string) string) (manner, use) {
	switch name {
	case "style":
		return asStyle, 0
	case "srcset", "imagesrcset":
		return asSet, 0
	case "src", "poster", "background":
		return whole, useLink
	case "action", "formaction":
		return whole, useForm
	case "data":
		if element == "object" {
			return whole, useLink
		}
	case "href", "xlink:href":
		switch element {
		case "base":
			return whole, useBase
		case "link":
			return ofLink(get("rel"))
		}
		return whole, useLink
	case "content":
		if element == "meta" {
			return ofMeta(get)
		}
	}
	return notAtAll, 0
}

// ofLink says what <link rel=…> refers to.
func ofLink(rel string) (manner, use) {
	m, u := whole, useLink
	for word := range strings.FieldsSeq(strings.ToLower(rel)) {
		switch word {
		case "preconnect", "dns-prefetch", "pingback":
			m = notAtAll
		case "canonical", "alternate", "shortlink", "amphtml":
			u = useAbsolute
		case "stylesheet":
			return whole, useLink // an alternate stylesheet, too
		}
	}
	return m, u
}

// ofMeta says what <meta content=…> refers to.
func ofMeta(get func(string) string) (manner, use) {
	if strings.EqualFold(get("http-equiv"), "refresh") {
		return asRefresh, 0
	}
	switch strings.ToLower(get("property") + get("name")) {
	case "og:url", "og:image", "og:image:url", "og:image:secure_url", "og:video", "og:audio", "twitter:image", "twitter:url", "msapplication-tileimage":
		return whole, useAbsolute
	}
	return notAtAll, 0
}

// walkSrcset visits the candidates of a srcset (HTML, section 4.8.4.2.1).
func walkSrcset(set string, v visit) string {
	var b strings.Builder
	for rest := set; rest != ""; {
		n := len(rest) - len(strings.TrimLeft(rest, " \t\r\n\f,"))
		b.WriteString(rest[:n])
		rest = rest[n:]
		n = strings.IndexAny(rest, " \t\r\n\f")
		if n < 0 {
			n = len(rest)
		}
		text := strings.TrimRight(rest[:n], ",")
		if text != "" {
			b.WriteString(v(text, useLink))
		}
		b.WriteString(rest[len(text):n])
		ended := len(text) < n
		rest = rest[n:]
		if ended {
			continue
		}
		if n = strings.IndexByte(rest, ','); n < 0 { // the descriptors
			n = len(rest)
		}
		b.WriteString(rest[:n])
		rest = rest[n:]
	}
	return b.String()
}

// walkRefresh visits the address in "5; url=…".
func walkRefresh(text string, v visit) string {
	i := strings.IndexAny(text, ";,")
	if i < 0 {
		return text
	}
	head, rest := text[:i+1], text[i+1:]
	trimmed := strings.TrimLeft(rest, " \t\r\n\f")
	if len(trimmed) < 4 || !strings.EqualFold(trimmed[:3], "url") {
		return text
	}
	after := strings.TrimLeft(trimmed[3:], " \t")
	if !strings.HasPrefix(after, "=") {
		return text
	}
	to := strings.Trim(after[1:], " \t\r\n\f'\"")
	if new := v(to, useLink); new != to {
		return head + " url=" + new
	}
	return text
}

// unescape and escape are of attributes' values and of texts.
func unescape(raw string) string { return html.UnescapeString(raw) }

var escaper = strings.NewReplacer("&", "&amp;", `"`, "&#34;", "'", "&#39;", "<", "&lt;", ">", "&gt;")

func escape(text string) string { return escaper.Replace(text) }
