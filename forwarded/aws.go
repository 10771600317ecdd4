package forwarded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxPublished bounds AWS's list in bytes; in 2026 it has about 2 MiB.
const MaxPublished = 16 << 20

// maxPublishedNetworks bounds how many networks it may have; it has some 20,000.
const maxPublishedNetworks = 200_000

const (
	cloudFront = "cloudfront"
	// CLOUDFRONT is where clients find CloudFront; requests to an origin come from
	// these, which are fewer.
	originFacing = "CLOUDFRONT_ORIGIN_FACING"
)

var serviceForm = regexp.MustCompile(`^aws:[a-z0-9_]{1,64}$`)

// anybodys are services at whose addresses anybody can rent a machine: to trust
// them is to trust everybody.
var anybodys = []string{"AMAZON", "EC2"}

// Published is the list of networks that AWS publishes as ip-ranges.json.
type Published struct {
	// Created is when AWS made it.
	Created  time.Time
	services map[string][]netip.Prefix
}

// UnpublishedError: a name stands for networks of AWS, and the list of them is
// not there.
type UnpublishedError struct{ Name string }

func (e *UnpublishedError) Error() string {
	return fmt.Sprintf("%q is looked up in the list of networks that AWS publishes, which is not at hand", e.Name)
}

// ParsePublished reads the list (docs.aws.amazon.com, "AWS IP address ranges
// JSON"). One that is not whole, is malformed or larger than MaxPublished is an
// error, and so is one with a network that cannot be AWS's: larger than /8, or of
// IPv6 than /16.
func ParsePublished(r io.Reader) (*Published, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxPublished+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxPublished {
		return nil, fmt.Errorf("more than %d MiB, which AWS's list of networks is far from", MaxPublished>>20)
	}
	var list struct {
		SyncToken string
		Prefixes  []struct {
			Network string `json:"ip_prefix"`
			Service string
		}
		IPv6 []struct {
			Network string `json:"ipv6_prefix"`
			Service string
		} `json:"ipv6_prefixes"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("not AWS's list of networks: %w", err)
	}
	// syncToken is the time of the publication in seconds.
	made, err := strconv.ParseInt(list.SyncToken, 10, 64)
	if err != nil || made <= 0 || made > 1<<40 {
		return nil, fmt.Errorf("not AWS's list of networks: syncToken is %.40q, not a time", list.SyncToken)
	}
	if n := len(list.Prefixes) + len(list.IPv6); n > maxPublishedNetworks {
		return nil, fmt.Errorf("AWS's list has %d networks; %d at most are looked at", n, maxPublishedNetworks)
	}
	p := &Published{Created: time.Unix(made, 0).UTC(), services: map[string][]netip.Prefix{}}
	for _, x := range list.Prefixes {
		if err := p.add(x.Network, x.Service, 32, 8); err != nil {
			return nil, err
		}
	}
	for _, x := range list.IPv6 {
		if err := p.add(x.Network, x.Service, 128, 16); err != nil {
			return nil, err
		}
	}
	if len(p.services[originFacing]) == 0 {
		return nil, errors.New("not AWS's list of networks, or not all of it: it has none of " + originFacing)
	}
	return p, nil
}

func (p *Published) add(network, service string, length, least int) error {
	n, err := netip.ParsePrefix(network)
	if err != nil || n.Addr().BitLen() != length || n.Addr().Is4In6() || n.Bits() < least || !serviceForm.MatchString("aws:"+strings.ToLower(service)) {
		return fmt.Errorf("AWS's list of networks has %.60q of %.60q, which cannot be", network, service)
	}
	p.services[service] = append(p.services[service], n.Masked())
	return nil
}

// serviceOf returns the service in AWS's list that a word stands for.
func serviceOf(word string) (service string, ok bool) {
	if word == cloudFront {
		return originFacing, true
	}
	if name, ok := strings.CutPrefix(word, "aws:"); ok {
		return strings.ToUpper(name), true
	}
	return "", false
}

func checkService(word string) error {
	service, _ := serviceOf(word)
	switch {
	case word != cloudFront && !serviceForm.MatchString(word):
		return fmt.Errorf("%q is not the name of a service such as \"aws:globalaccelerator\"", word)
	case slices.Contains(anybodys, service):
		return fmt.Errorf("%q is where anybody can rent a machine: to trust it is to trust everybody; balancers in your VPC are \"private\"", word)
	case service == "ELB" || service == "ALB" || service == "NLB":
		return fmt.Errorf("%q is not in AWS's list: balancers have addresses of your VPC; write \"private\", or the VPC's network", word)
	}
	return nil
}

// lookUp returns the networks of a service.
func (p *Published) lookUp(word, service string) ([]netip.Prefix, error) {
	if err := checkService(word); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, &UnpublishedError{Name: word}
	}
	networks := p.services[service]
	if len(networks) == 0 {
		known := slices.Sorted(maps.Keys(p.services))
		known = slices.DeleteFunc(known, func(s string) bool { return slices.Contains(anybodys, s) })
		return nil, fmt.Errorf("AWS's list of %s has no service %q; it has %s", p.Created.Format(time.DateOnly), service, strings.ToLower(strings.Join(known, ", ")))
	}
	return networks, nil
}

// UsesPublished reports whether one of the words of ParseNetworks needs AWS's
// list.
func UsesPublished(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { _, ok := serviceOf(w); return ok })
}
