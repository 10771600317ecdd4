package warm

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxList      = 64 << 20  // bytes of a list
	maxAddresses = 1_000_000 // in it
)

// Read reads addresses: one a line, empty lines and those that begin with # left
// out; or a sitemap, or an index of sitemaps, whose addresses are those of the
// sitemaps (sitemaps.org). index reports which it was.
func Read(r io.Reader) (addresses []string, index bool, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return nil, false, err
	}
	if len(text) > maxList {
		return nil, false, fmt.Errorf("warm: the list is larger than %d MiB; split it", maxList>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("<")) {
		return readSitemap(text)
	}
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, 64<<10)
	for scan.Scan() {
		line := strings.TrimSpace(scan.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if addresses = append(addresses, line); len(addresses) > maxAddresses {
			return nil, false, fmt.Errorf("warm: the list has more than %d addresses; split it", maxAddresses)
		}
	}
	return addresses, false, scan.Err()
}

func readSitemap(text []byte) (addresses []string, index bool, err error) {
	type entry struct {
		Loc string `xml:"loc"`
	}
	var doc struct {
		XMLName xml.Name
		URLs    []entry `xml:"url"`
		Maps    []entry `xml:"sitemap"`
	}
	if err := xml.Unmarshal(text, &doc); err != nil {
		return nil, false, fmt.Errorf("warm: the sitemap is not well-formed: %w", err)
	}
	list := doc.URLs
	switch doc.XMLName.Local {
	case "urlset":
	case "sitemapindex":
		list, index = doc.Maps, true
	default:
		return nil, false, errors.New("warm: neither a list of addresses nor a sitemap")
	}
	for _, e := range list {
		if loc := strings.TrimSpace(e.Loc); loc != "" {
			addresses = append(addresses, loc)
		}
	}
	return addresses, index, nil
}
