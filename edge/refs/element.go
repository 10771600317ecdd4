package refs

import (
	"slices"
	"strings"
)

// manner is how an attribute refers to something.
type manner int

const (
	notAtAll  manner = iota
	whole            // its value is the reference
	asSet            // a srcset
	asStyle          // CSS
	asRefresh        // of <meta http-equiv=refresh>
	asIntegrity
)

// tag is a start tag.
type tag struct {
	element string
	all     []Attribute
}

func (t *tag) get(name string) string {
	if i := t.index(name); i >= 0 {
		return t.all[i].Value
	}
	return ""
}

func (t *tag) has(name string) bool { return t.index(name) >= 0 }

func (t *tag) index(name string) int {
	return slices.IndexFunc(t.all, func(a Attribute) bool { return a.Name == name })
}

// refers says what an attribute of the tag is.
func (t *tag) refers(name string) (manner, Kind) {
	switch name {
	case "style":
		return asStyle, 0
	case "srcset":
		if t.is("img", "source") {
			return asSet, Load
		}
	case "imagesrcset":
		if t.is("link") {
			return asSet, Load
		}
	case "src":
		return whole, t.loadIf("script", "img", "source", "video", "audio", "track", "embed", "iframe", "input")
	case "poster":
		return whole, t.loadIf("video")
	case "background":
		return whole, t.loadIf("body")
	case "action", "formaction":
		return whole, Form
	case "data":
		if t.is("object") {
			return whole, Load
		}
	case "href":
		if t.is("base") {
			return whole, Base
		}
		if t.is("link") {
			return ofLink(t.get("rel"))
		}
		return whole, t.loadIf("image", "use", "feimage", "script")
	case "xlink:href":
		return whole, t.loadIf("image", "use", "feimage", "script")
	case "content":
		if t.is("meta") {
			return t.ofMeta()
		}
	case "integrity":
		if t.is("script", "link") {
			return asIntegrity, Integrity
		}
	}
	return notAtAll, 0
}

func (t *tag) is(elements ...string) bool { return slices.Contains(elements, t.element) }

func (t *tag) loadIf(elements ...string) Kind {
	if t.is(elements...) {
		return Load
	}
	return Link
}

// ofLink says what <link rel=…> refers to.
func ofLink(rel string) (manner, Kind) {
	how, kind := whole, Link
	for word := range strings.FieldsSeq(strings.ToLower(rel)) {
		switch word {
		case "stylesheet", "icon", "apple-touch-icon", "apple-touch-icon-precomposed", "mask-icon", "manifest", "preload", "modulepreload", "prefetch":
			return whole, Load // an alternate style sheet, too
		case "preconnect", "dns-prefetch", "pingback":
			how = notAtAll
		case "canonical", "alternate", "shortlink", "amphtml":
			kind = Absolute
		}
	}
	return how, kind
}

// ofMeta says what <meta content=…> refers to.
func (t *tag) ofMeta() (manner, Kind) {
	if strings.EqualFold(t.get("http-equiv"), "refresh") {
		return asRefresh, Link
	}
	switch strings.ToLower(t.get("property") + t.get("name")) {
	case "og:url", "og:image", "og:image:url", "og:image:secure_url", "og:video", "og:audio", "twitter:image", "twitter:url", "msapplication-tileimage":
		return whole, Absolute
	}
	return notAtAll, 0
}
