package forwarded

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// published is a list as AWS writes it.
const published = `{"syncToken": "1790000000", "createDate": "2026-09-21-14-13-20",
 "prefixes": [
  {"ip_prefix": "130.176.0.0/18", "region": "GLOBAL", "service": "AMAZON", "network_border_group": "GLOBAL"},
  {"ip_prefix": "130.176.0.0/18", "region": "GLOBAL", "service": "CLOUDFRONT_ORIGIN_FACING", "network_border_group": "GLOBAL"},
  {"ip_prefix": "99.82.128.0/20", "region": "us-west-2", "service": "GLOBALACCELERATOR", "network_border_group": "us-west-2"}],
 "ipv6_prefixes": [
  {"ipv6_prefix": "2600:9000:f000::/40", "region": "GLOBAL", "service": "CLOUDFRONT_ORIGIN_FACING", "network_border_group": "GLOBAL"}]}`

func list(t *testing.T) *Published {
	t.Helper()
	p, err := ParsePublished(strings.NewReader(published))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPublished(t *testing.T) {
	p := list(t)
	if got := p.Created.Format("2006-01-02"); got != "2026-09-21" {
		t.Errorf("made %s", got)
	}
	n, err := ParseNetworks([]string{"cloudfront", "loopback"}, p)
	if err != nil {
		t.Fatal(err)
	}
	for address, in := range map[string]bool{"130.176.63.255": true, "2600:9000:f0ff::1": true, "127.0.0.1": true, "99.82.128.1": false} {
		if n.Contains(netip.MustParseAddr(address)) != in {
			t.Errorf("%s: %t", address, !in)
		}
	}
	if n.isCloudFront(netip.MustParseAddr("127.0.0.1")) || !n.isCloudFront(netip.MustParseAddr("130.176.0.1")) {
		t.Error("CloudFront is not told from the rest")
	}
	if n, err := ParseNetworks([]string{"aws:globalaccelerator"}, p); err != nil || !n.Contains(netip.MustParseAddr("99.82.128.1")) {
		t.Errorf("%v, %v", n, err)
	}
	if _, err := ParseNetworks([]string{"aws:cloudfornt"}, p); err == nil || !strings.HasSuffix(err.Error(), `no service "CLOUDFORNT"; it has cloudfront_origin_facing, globalaccelerator`) {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the line is cut") }

func TestWrongLists(t *testing.T) {
	change := func(from, to string) string { return strings.Replace(published, from, to, 1) }
	for name, text := range map[string]string{
		"nothing":           "",
		"a page":            "<html>log in to the hotel's network</html>",
		"cut off":           published[:len(published)-40],
		"without a time":    change(`"1790000000"`, `"soon"`),
		"a negative time":   change(`"1790000000"`, `"-1"`),
		"no CloudFront":     strings.ReplaceAll(published, "CLOUDFRONT_ORIGIN_FACING", "S3"),
		"everybody":         change("130.176.0.0/18", "0.0.0.0/0"),
		"everybody of IPv6": change("2600:9000:f000::/40", "::/0"),
		"the wrong family":  change("130.176.0.0/18", "2600::/32"),
		"no network":        change("130.176.0.0/18", "130.176.0.0"),
		"no service":        change("GLOBALACCELERATOR", "a b"),
		"too large":         strings.Repeat(" ", MaxPublished) + published,
		"too many":          change(`"prefixes": [`, `"prefixes": [`+strings.Repeat(`{"ip_prefix":"99.82.128.0/20","service":"S3"},`, maxPublishedNetworks)),
	} {
		if _, err := ParsePublished(strings.NewReader(text)); err == nil || len(err.Error()) > 300 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParsePublished(failing{}); err == nil {
		t.Error("a broken read is no error")
	}
}

func FuzzParsePublished(f *testing.F) {
	f.Add(published)
	f.Add(`{"syncToken":"1","prefixes":[{"ip_prefix":"1.0.0.0/8","service":"CLOUDFRONT_ORIGIN_FACING"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePublished(strings.NewReader(text))
		if err != nil {
			return
		}
		n, err := ParseNetworks([]string{"cloudfront"}, p)
		if err != nil || n.empty() {
			t.Fatalf("a list that was taken has no CloudFront: %v", err)
		}
		for _, s := range n.all {
			if s.last.Less(s.first) || s.first.BitLen() != s.last.BitLen() {
				t.Fatalf("span %v", s)
			}
		}
		// A list can never make more than a 256th of IPv4 trusted by one entry.
		if n.Contains(netip.MustParseAddr("0.0.0.1")) && n.Contains(netip.MustParseAddr("255.255.255.255")) && len(n.all) == 1 {
			t.Fatal("everybody is trusted")
		}
	})
}
