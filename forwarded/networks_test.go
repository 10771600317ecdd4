package forwarded

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func parse(t *testing.T, words ...string) *Networks {
	t.Helper()
	n, err := ParseNetworks(words, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestParseNetworks(t *testing.T) {
	n := parse(t, "loopback", "private", "192.0.2.7", "2001:db8::/32", "198.51.100.9/24")
	for address, in := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.255.0.1": true, "172.31.1.1": true, "100.64.0.1": true, "fd00::1": true, "192.0.2.7": true,
		"2001:db8:ffff::": true, "198.51.100.255": true, "::ffff:10.0.0.1": true, "fd00::1%eth0": true,
		"172.32.0.1": false, "192.0.2.8": false, "192.0.2.6": false, "198.51.101.0": false, "2001:db9::": false, "::": false, "0.0.0.0": false, "fe80::1": false,
	} {
		if got := n.Contains(netip.MustParseAddr(address)); got != in {
			t.Errorf("%s: %t", address, got)
		}
	}
	for _, none := range []*Networks{nil, {}, parse(t)} {
		if none.Contains(netip.MustParseAddr("127.0.0.1")) || none.String() != "none" {
			t.Error("the empty set has something in it")
		}
	}
	if n.Contains(netip.Addr{}) {
		t.Error("no address is in a network")
	}
}

func TestWrongNetworks(t *testing.T) {
	for word, want := range map[string]string{
		"":                    "neither a network",
		"10.0.0.0/33":         "neither a network",
		"vpc":                 "one of loopback, private, cloudfront and aws:SERVICE",
		"Loopback":            "neither a network",
		"fe80::1%eth0":        "neither a network",
		"::ffff:10.0.0.0/104": "write it as IPv4",
		"aws:":                "not the name of a service",
		"aws:a b":             "not the name of a service",
		"aws:ec2":             "anybody can rent a machine",
		"aws:amazon":          "anybody can rent a machine",
		"aws:elb":             "balancers have addresses of your VPC",
	} {
		err := CheckNetwork(word)
		_, errParse := ParseNetworks([]string{"loopback", word}, nil)
		if err == nil || errParse == nil || !strings.Contains(err.Error(), want) || err.Error() != errParse.Error() {
			t.Errorf("%q: %v; %v", word, err, errParse)
		}
	}
	for _, word := range []string{"cloudfront", "aws:api_gateway"} {
		_, err := ParseNetworks([]string{word}, nil)
		var missing *UnpublishedError
		if CheckNetwork(word) != nil || !errors.As(err, &missing) || missing.Name != word {
			t.Errorf("%s without a list: %v", word, err)
		}
	}
}

// TestContains holds the search among merged spans against each network asked.
func TestContains(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	address := func() netip.Addr { // few bits, so that networks overlap
		if random.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{byte(random.IntN(3)), byte(random.IntN(256)), 0, byte(random.IntN(4))})
		}
		return netip.AddrFrom16([16]byte{byte(random.IntN(3)), byte(random.IntN(256)), 15: byte(random.IntN(4))})
	}
	for range 200 {
		var prefixes []netip.Prefix
		for range random.IntN(30) {
			a := address()
			prefixes = append(prefixes, netip.PrefixFrom(a, random.IntN(a.BitLen()+1)))
		}
		n := Of(prefixes...)
		for range 200 {
			a, want := address(), false
			for _, p := range prefixes {
				want = want || p.Contains(a)
			}
			if n.Contains(a) != want {
				t.Fatalf("%s in %v: %t", a, prefixes, !want)
			}
		}
	}
}
