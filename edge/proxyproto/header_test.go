package proxyproto_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"net/netip"
	"strings"
	"testing"

	other "github.com/pires/go-proxyproto"

	"github.com/dayfly-dev/dayfly/edge/proxyproto"
)

// two is a header of version 2.
func two(command, family byte, rest ...[]byte) []byte {
	all := bytes.Join(rest, nil)
	return append(binary.BigEndian.AppendUint16(append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x20|command, family), uint16(len(all))), all...)
}

func extension(kind byte, value []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value))), value...)
}

// summed has the checksum, which ends the header, filled in.
func summed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

var (
	ipv4   = []byte{192, 0, 2, 7, 198, 51, 100, 1, 3, 232, 1, 187}
	ipv6   = append(append(netip.MustParseAddr("2001:db8::7").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice()...), 3, 232, 1, 187)
	mapped = append(append(netip.MustParseAddr("::ffff:192.0.2.7").AsSlice(), netip.MustParseAddr("::ffff:198.51.100.1").AsSlice()...), 3, 232, 1, 187)
)

const (
	is4 = "192.0.2.7:1000 198.51.100.1:443"
	is6 = "[2001:db8::7]:1000 [2001:db8::1]:443"
)

var headers = []struct {
	name, text, want string // "own", two addresses, or part of an error
}{
	{"1", "PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n", is4},
	{"1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 1000 443\r\n", is6},
	{"1, mapped", "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 1000 443\r\n", is4},
	{"1, unknown", "PROXY UNKNOWN\r\n", "own"},
	{"1, unknown, with what it is", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "own"},
	{"1, the longest", "PROXY UNKNOWN " + strings.Repeat("f", 91) + "\r\n", "own"},
	{"1, too long", "PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n", "does not end within 107"},
	{"1, bare LF", "PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\n" + strings.Repeat("x", 100), "does not end within 107"},
	{"1, in small", "proxy TCP4 192.0.2.7 198.51.100.1 1000 443\r\n", "no PROXY header"},
	{"1, UDP", "PROXY UDP4 192.0.2.7 198.51.100.1 1000 443\r\n", "not of TCP"},
	{"1, two spaces", "PROXY TCP4  192.0.2.7 198.51.100.1 1000 443\r\n", "not of TCP"},
	{"1, too few", "PROXY TCP4 192.0.2.7 198.51.100.1 1000\r\n", "not of TCP"},
	{"1, nothing", "PROXY \r\n", "not of TCP"},
	{"1, families mixed", "PROXY TCP4 2001:db8::7 198.51.100.1 1000 443\r\n", "no address of its family"},
	{"1, a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::1 1000 443\r\n", "no address of its family"},
	{"1, zeros before", "PROXY TCP4 192.0.2.007 198.51.100.1 1000 443\r\n", "no address of its family"},
	{"1, a name", "PROXY TCP4 localhost 198.51.100.1 1000 443\r\n", "no address of its family"},
	{"1, a large port", "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n", "no port"},
	{"1, a port with zeros", "PROXY TCP4 192.0.2.7 198.51.100.1 01000 443\r\n", "no port"},
	{"1, a port with a sign", "PROXY TCP4 192.0.2.7 198.51.100.1 +1000 443\r\n", "no port"},
	{"2", string(two(1, 0x11, ipv4)), is4},
	{"2, IPv6", string(two(1, 0x21, ipv6)), is6},
	{"2, mapped", string(two(1, 0x21, mapped)), is4},
	{"2, local", string(two(0, 0x11, ipv4)), "own"},
	{"2, local, no addresses", string(two(0, 0)), "own"},
	{"2, local, of a family that is none", string(two(0, 0xff, []byte("x"))), "own"},
	{"2, unspecified", string(two(1, 0, []byte("whatever"))), "own"},
	{"2, UDP", string(two(1, 0x12, ipv4)), "not TCP"},
	{"2, unix", string(two(1, 0x31, make([]byte, 216))), "not TCP"},
	{"2, too short", string(two(1, 0x21, ipv4)), "too short"},
	{"2, version 3", strings.Replace(string(two(1, 0x11, ipv4)), "\x21\x11", "\x31\x11", 1), "version 3"},
	{"2, a command", string(two(2, 0x11, ipv4)), "command 2"},
	{"2, extensions", string(two(1, 0x11, ipv4, extension(4, make([]byte, 100)), extension(0xea, []byte("vpce-1")))), is4},
	{"2, the longest", string(two(1, 0x11, ipv4, extension(4, make([]byte, proxyproto.MaxLen-16-12-3)))), is4},
	{"2, too long", string(two(1, 0x11, ipv4, extension(4, make([]byte, proxyproto.MaxLen-16-12-2)))), "at most 4096"},
	{"2, as long as can be", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff", "at most 4096"},
	{"2, half an extension", string(two(1, 0x11, ipv4, []byte{4, 0})), "ends within"},
	{"2, an extension too long", string(two(1, 0x11, ipv4, []byte{4, 0, 9, 1})), "longer than the header"},
	{"2, checksum", string(summed(two(1, 0x11, ipv4, extension(4, []byte("x")), extension(3, make([]byte, 4))))), is4},
	{"2, wrong checksum", string(two(1, 0x11, ipv4, extension(3, []byte{1, 2, 3, 4}))), "checksum is wrong"},
	{"2, two checksums", string(two(1, 0x11, ipv4, extension(3, make([]byte, 4)), extension(3, make([]byte, 4)))), "checksum"},
	{"2, a short checksum", string(two(1, 0x11, ipv4, extension(3, make([]byte, 3)))), "not one of 4 bytes"},
	{"a request", "GET / HTTP/1.1\r\n", "no PROXY header"},
	{"TLS", "\x16\x03\x01\x02\x00", "no PROXY header"},
	{"a line", "\r\n\r\nGET /", "no PROXY header"},
}

// TestParse: each header is understood with whatever follows, and none of its
// beginnings is taken for a whole one.
func TestParse(t *testing.T) {
	for _, tt := range headers {
		t.Run(tt.name, func(t *testing.T) {
			h, n, err := proxyproto.Parse([]byte(tt.text + "GET /"))
			got := h.Source.String() + " " + h.Destination.String()
			switch {
			case err != nil:
				if !strings.Contains(err.Error(), tt.want) || n != 0 || h != (proxyproto.Header{}) {
					t.Errorf("%d bytes, %+v, %v; want %q", n, h, err, tt.want)
				}
				return
			case h.Own:
				got = "own"
			}
			if got != tt.want || n != len(tt.text) {
				t.Errorf("%q, %d bytes of %d", got, n, len(tt.text))
			}
			for i := range n {
				if _, _, err := proxyproto.Parse([]byte(tt.text[:i])); !errors.Is(err, proxyproto.ErrMore) {
					t.Fatalf("its first %d bytes: %v", i, err)
				}
			}
		})
	}
}

// FuzzParse: what is taken, another implementation reads as the same. A header
// is whole or not whatever follows it.
func FuzzParse(f *testing.F) {
	for _, h := range headers {
		f.Add([]byte(h.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := proxyproto.Parse(b)
		if err != nil {
			if n != 0 || h != (proxyproto.Header{}) {
				t.Errorf("%v, and %+v of %d bytes", err, h, n)
			}
			return
		}
		if n < 1 || n > min(len(b), proxyproto.MaxLen) {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		if again, m, err := proxyproto.Parse(b[:n]); again != h || m != n || err != nil {
			t.Errorf("alone it is %+v, %d bytes, %v", again, m, err)
		}
		in := bytes.NewReader(b[:n])
		theirs, err := other.Read(bufio.NewReaderSize(in, 8<<10))
		if h.Own {
			return // they look at what has no meaning
		}
		if err != nil {
			t.Fatalf("we read %+v, another %v", h, err)
		}
		for ours, addr := range map[netip.AddrPort]net.Addr{h.Source: theirs.SourceAddr, h.Destination: theirs.DestinationAddr} {
			a := addr.(*net.TCPAddr).AddrPort()
			if netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) != ours {
				t.Errorf("we read %s, another %s", ours, a)
			}
		}
	})
}
