package forwarded

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Networks is a set of networks. It does not change; nil is the empty set. All
// methods may be called at once.
type Networks struct {
	all        []span // sorted by their first address, apart from each other
	cloudfront []span // those of them that are CloudFront's
}

// A span is a range of addresses, both ends included.
type span struct{ first, last netip.Addr }

// named are the networks that need no list.
var named = map[string][]string{
	"loopback": {"127.0.0.0/8", "::1/128"},
	// RFC 1918, RFC 6598 (which AWS lends to VPCs too) and RFC 4193: where the balancers of a VPC have their addresses.
	"private": {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"},
}

// ParseNetworks makes a set of what the words say: networks such as
// "10.0.0.0/8" or "2001:db8::/32", single addresses, and the names
//
//	loopback     127.0.0.0/8 and ::1
//	private      10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7: balancers in a VPC
//	cloudfront   the addresses from which CloudFront asks origins
//	aws:SERVICE  those of another service of AWS's list, such as aws:globalaccelerator
//
// The last two are looked up in what AWS published; if that is nil they are an
// error, an *UnpublishedError.
func ParseNetworks(words []string, aws *Published) (*Networks, error) {
	n := &Networks{}
	for _, word := range words {
		prefixes, err := lookUp(word, aws)
		if err != nil {
			return nil, err
		}
		for _, p := range prefixes {
			s := span{p.Addr(), lastAddr(p)}
			n.all = append(n.all, s)
			if word == cloudFront {
				n.cloudfront = append(n.cloudfront, s)
			}
		}
	}
	n.all, n.cloudfront = merge(n.all), merge(n.cloudfront)
	return n, nil
}

// CheckNetwork returns what is wrong with a word of ParseNetworks, as far as
// that can be said without AWS's list.
func CheckNetwork(word string) error {
	if _, ok := serviceOf(word); ok {
		return checkService(word)
	}
	_, err := lookUp(word, nil)
	return err
}

// Of is the set of the networks given.
func Of(prefixes ...netip.Prefix) *Networks {
	n := &Networks{}
	for _, p := range prefixes {
		n.all = append(n.all, span{p.Masked().Addr(), lastAddr(p.Masked())})
	}
	n.all = merge(n.all)
	return n
}

func lookUp(word string, aws *Published) ([]netip.Prefix, error) {
	if list, ok := named[word]; ok {
		var prefixes []netip.Prefix
		for _, s := range list {
			prefixes = append(prefixes, netip.MustParsePrefix(s))
		}
		return prefixes, nil
	}
	if service, ok := serviceOf(word); ok {
		return aws.lookUp(word, service)
	}
	p, err := netip.ParsePrefix(word)
	if err != nil {
		a, errAddr := netip.ParseAddr(word)
		if errAddr != nil || a.Zone() != "" {
			return nil, fmt.Errorf("%q is neither a network such as \"10.0.0.0/8\" nor one of loopback, private, cloudfront and aws:SERVICE", word)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is4In6() {
		return nil, fmt.Errorf("%q is an IPv4 network in IPv6's form; write it as IPv4", word)
	}
	return []netip.Prefix{p.Masked()}, nil
}

// lastAddr is the last address of a network.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b) // as long as it was
	return a
}

// merge sorts spans and joins those that overlap. IPv4 sorts before IPv6.
func merge(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(a.first.Compare(b.first), a.last.Compare(b.last)) })
	var apart []span
	for _, s := range all {
		if n := len(apart); n > 0 && apart[n-1].last.BitLen() == s.first.BitLen() && s.first.Compare(apart[n-1].last) <= 0 {
			if s.last.Compare(apart[n-1].last) > 0 {
				apart[n-1].last = s.last
			}
			continue
		}
		apart = append(apart, s)
	}
	return apart
}

// Contains reports whether a is in one of the networks; an IPv4 address in
// IPv6's form counts as IPv4, and a zone is left out of account.
func (n *Networks) Contains(a netip.Addr) bool { return n != nil && within(n.all, a) }

func (n *Networks) empty() bool { return n == nil || len(n.all) == 0 }

func (n *Networks) isCloudFront(a netip.Addr) bool {
	return len(n.cloudfront) > 0 && within(n.cloudfront, a)
}

func within(all []span, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	i, found := slices.BinarySearchFunc(all, a, func(s span, a netip.Addr) int { return s.first.Compare(a) })
	return found || i > 0 && all[i-1].last.BitLen() == a.BitLen() && a.Compare(all[i-1].last) <= 0
}

// String lists the ranges, for logs.
func (n *Networks) String() string {
	if n.empty() {
		return "none"
	}
	var words []string
	for _, s := range n.all {
		words = append(words, s.first.String()+"–"+s.last.String())
	}
	return strings.Join(words, ", ")
}
