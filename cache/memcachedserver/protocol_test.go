package memcachedserver_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
	"github.com/dayfly-dev/dayfly/cache/memcachedtest"
)

var (
	long   = strings.Repeat("k", 251)
	most   = strings.Repeat("k", 250)
	format = "CLIENT_ERROR bad command line format\r\n"
	nan    = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
)

// exchanges are scripts and their answers. They run against this server and
// against memcached; theirs is memcached's answer where ours differs on
// purpose, which the package comment lists. In answers # stands for a CAS token.
var exchanges = []struct {
	name, send, want, theirs string
}{
	{name: "empty line", send: "\r\n", want: "ERROR\r\n"},
	{name: "unknown", send: "bogus\r\n", want: "ERROR\r\n"},
	{name: "upper case", send: "GET a\r\n", want: "ERROR\r\n"},
	{name: "many words", send: "x a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3\r\n", want: "ERROR\r\n"},
	{name: "line ends without cr", send: "set a 0 0 1\nx\r\nget a\n", want: "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"},
	{name: "spaces", send: "set  a  0  0  1 \r\nx\r\n get   a \r\n", want: "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"},

	{name: "get nothing", send: "get\r\nget \r\ngets\r\n", want: "ERROR\r\nERROR\r\nERROR\r\n"},
	{name: "get missing", send: "get a\r\ngets a b c\r\n", want: "END\r\nEND\r\n"},
	{name: "get long key", send: "get " + long + "\r\n", want: format},
	{name: "get longest key", send: "set " + most + " 0 0 1\r\nx\r\nget " + most + "\r\n", want: "STORED\r\nVALUE " + most + " 0 1\r\nx\r\nEND\r\n"},
	{name: "get long key after another", send: "set a 0 0 1\r\nx\r\nget a " + long + "\r\nget a\r\n", want: "STORED\r\n" + format + "VALUE a 0 1\r\nx\r\nEND\r\n",
		theirs: format + "VALUE a 0 1\r\nx\r\nEND\r\n"}, // it forgets the reply before
	{name: "get several", send: "set a 1 0 1\r\nx\r\nset b 2 0 0\r\n\r\nget a c b a\r\n",
		want: "STORED\r\nSTORED\r\nVALUE a 1 1\r\nx\r\nVALUE b 2 0\r\n\r\nVALUE a 1 1\r\nx\r\nEND\r\n"},
	{name: "gets", send: "set a 4294967295 0 2\r\nxy\r\ngets a\r\n", want: "STORED\r\nVALUE a 4294967295 2 #\r\nxy\r\nEND\r\n"},

	{name: "gat", send: "set a 5 0 1\r\nx\r\ngat 100 a b\r\ngats 0 a\r\n", want: "STORED\r\nVALUE a 5 1\r\nx\r\nEND\r\nVALUE a 5 1 #\r\nx\r\nEND\r\n"},
	{name: "gat at once", send: "set a 0 0 1\r\nx\r\ngat -1 a\r\nget a\r\n", want: "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\nEND\r\n"},
	{name: "gat nothing", send: "gat\r\ngats\r\n", want: "ERROR\r\nERROR\r\n"},
	{name: "gat no key", send: "gat 1\r\n", want: "ERROR\r\n", theirs: "END\r\n"},
	{name: "gat no time", send: "gat x a\r\n", want: "CLIENT_ERROR invalid exptime argument\r\n"},
	{name: "gat long key", send: "gat 0 " + long + "\r\n", want: format},

	{name: "set", send: "set a 0 0 3\r\nabc\r\nget a\r\n", want: "STORED\r\nVALUE a 0 3\r\nabc\r\nEND\r\n"},
	{name: "set quiet", send: "set a 0 0 3 noreply\r\nabc\r\nget a\r\n", want: "VALUE a 0 3\r\nabc\r\nEND\r\n"},
	{name: "set other word for noreply", send: "set a 0 0 1 loud\r\nx\r\n", want: "STORED\r\n"},
	{name: "set too few words", send: "set a 0 0\r\n", want: "ERROR\r\n"},
	{name: "set too many words", send: "set a 0 0 1 noreply x\r\n", want: "ERROR\r\n"},
	{name: "set long key", send: "set " + long + " 0 0 5\r\nget a\r\n", want: format, theirs: format + "END\r\n"},
	{name: "set flags no number", send: "set a x 0 1\r\ny\r\n", want: format, theirs: format + "ERROR\r\n"},
	{name: "set flags negative", send: "set a -1 0 1\r\ny\r\n", want: format, theirs: format + "ERROR\r\n"},
	{name: "set flags beyond 32 bits", send: "set a 4294967296 0 1\r\ny\r\n", want: format, theirs: "STORED\r\n"},
	{name: "set time no number", send: "set a 0 x 1\r\ny\r\n", want: format, theirs: format + "ERROR\r\n"},
	{name: "set bad line quiet", send: "set a 0 x 1 noreply\r\ny\r\n", want: "", theirs: "ERROR\r\n"},
	{name: "set no length", send: "set a 0 0 x\r\n", want: format},
	{name: "set negative length", send: "set a 0 0 -1\r\n", want: format},
	{name: "set absurd length", send: "set a 0 0 2147483647\r\n", want: format},
	{name: "set data too long", send: "set a 0 0 3\r\nabcdef\r\n", want: "CLIENT_ERROR bad data chunk\r\nERROR\r\n"},
	{name: "set data too short", send: "set a 0 0 3\r\na\r\nget a\r\n", want: "CLIENT_ERROR bad data chunk\r\nERROR\r\n"},
	{name: "set at once", send: "set a 0 -1 1\r\nx\r\nget a\r\n", want: "STORED\r\nEND\r\n"},
	{name: "set time of the past", send: "set a 0 2592001 1\r\nx\r\nget a\r\n", want: "STORED\r\nEND\r\n"},
	{name: "set time of the future", send: "set a 0 2147483647 1\r\nx\r\nget a\r\n", want: "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"},
	{name: "set 30 days", send: "set a 0 2592000 1\r\nx\r\nget a\r\n", want: "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"},
	{name: "set too large", send: "set a 0 0 1\r\nx\r\nset a 0 0 1048577\r\n" + strings.Repeat("x", 1<<20+1) + "\r\nget a\r\n",
		want: "STORED\r\nSERVER_ERROR object too large for cache\r\nEND\r\n"},
	{name: "set too large quiet", send: "set a 0 0 1048577 noreply\r\n" + strings.Repeat("x", 1<<20+1) + "\r\nget a\r\n", want: "END\r\n"},
	{name: "add too large", send: "add a 0 0 1048577\r\n" + strings.Repeat("x", 1<<20+1) + "\r\n", want: "SERVER_ERROR object too large for cache\r\n"},

	{name: "add", send: "add a 0 0 1\r\nx\r\nadd a 0 0 1\r\ny\r\nget a\r\n", want: "STORED\r\nNOT_STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"},
	{name: "add quiet", send: "add a 0 0 1 noreply\r\nx\r\nadd a 0 0 1 noreply\r\ny\r\nget a\r\n", want: "VALUE a 0 1\r\nx\r\nEND\r\n"},
	{name: "replace", send: "replace a 0 0 1\r\nx\r\nset a 0 0 1\r\nx\r\nreplace a 9 0 1\r\ny\r\nget a\r\n", want: "NOT_STORED\r\nSTORED\r\nSTORED\r\nVALUE a 9 1\r\ny\r\nEND\r\n"},
	{name: "append prepend", send: "append a 0 0 1\r\nx\r\nprepend a 0 0 1\r\nx\r\nset a 7 0 1\r\nb\r\nappend a 9 0 1\r\nc\r\nprepend a 9 0 1\r\na\r\nget a\r\n",
		want: "NOT_STORED\r\nNOT_STORED\r\nSTORED\r\nSTORED\r\nSTORED\r\nVALUE a 7 3\r\nabc\r\nEND\r\n"},
	{name: "cas", send: "cas a 0 0 1 1\r\nx\r\nset a 0 0 1\r\nx\r\ncas a 0 0 1 18446744073709551615\r\ny\r\nget a\r\n",
		want: "NOT_FOUND\r\nSTORED\r\nEXISTS\r\nVALUE a 0 1\r\nx\r\nEND\r\n"},
	{name: "cas quiet", send: "cas a 0 0 1 1 noreply\r\nx\r\nget a\r\n", want: "END\r\n"},
	{name: "cas no token", send: "cas a 0 0 1\r\n", want: "ERROR\r\n"},
	{name: "cas bad token", send: "cas a 0 0 1 x\r\ny\r\n", want: format, theirs: format + "ERROR\r\n"},

	{name: "incr decr", send: "set n 0 0 1\r\n9\r\nincr n 1\r\nincr n 90\r\ndecr n 1\r\nincr n 1 noreply\r\nget n\r\n",
		want: "STORED\r\n10\r\n100\r\n99\r\nVALUE n 0 3\r\n100\r\nEND\r\n"},
	{name: "incr wraps, decr stops", send: "set n 0 0 20\r\n18446744073709551615\r\nincr n 2\r\ndecr n 5\r\n", want: "STORED\r\n1\r\n0\r\n"},
	{name: "decr to fewer digits", send: "set n 0 0 2\r\n10\r\ndecr n 1\r\nget n\r\n", want: "STORED\r\n9\r\nVALUE n 0 1\r\n9\r\nEND\r\n", theirs: "STORED\r\n9\r\nVALUE n 0 2\r\n9 \r\nEND\r\n"},
	{name: "incr missing", send: "incr n 1\r\ndecr n 1\r\nincr n 1 noreply\r\n", want: "NOT_FOUND\r\nNOT_FOUND\r\n"},
	{name: "incr no number", send: "set n 0 0 1\r\nx\r\nincr n 1\r\ndecr n 1\r\nset n 0 0 0\r\n\r\nincr n 1\r\n", want: "STORED\r\n" + nan + nan + "STORED\r\n" + nan},
	{name: "incr bad delta", send: strings.Repeat("incr n x\r\n", 1) + "incr n -1\r\nincr n 18446744073709551616\r\n", want: strings.Repeat("CLIENT_ERROR invalid numeric delta argument\r\n", 3)},
	{name: "incr words", send: "incr\r\nincr n\r\nincr n 1 noreply x\r\n", want: "ERROR\r\nERROR\r\nERROR\r\n"},
	{name: "incr long key", send: "incr " + long + " 1\r\n", want: format},

	{name: "delete", send: "set a 0 0 1\r\nx\r\ndelete a\r\ndelete a\r\nget a\r\n", want: "STORED\r\nDELETED\r\nNOT_FOUND\r\nEND\r\n"},
	{name: "delete quiet", send: "set a 0 0 1\r\nx\r\ndelete a noreply\r\ndelete a 0 noreply\r\nget a\r\n", want: "STORED\r\nEND\r\n"},
	{name: "delete with a time", send: "delete a 0\r\ndelete a 5\r\n", want: "NOT_FOUND\r\nCLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"},
	{name: "delete words", send: "delete\r\ndelete a b c d\r\n", want: "ERROR\r\nERROR\r\n"},
	{name: "delete long key", send: "delete " + long + "\r\n", want: format},

	{name: "touch", send: "touch a 0\r\nset a 0 0 1\r\nx\r\ntouch a 100\r\ntouch a 0 noreply\r\ntouch a -1\r\nget a\r\n", want: "NOT_FOUND\r\nSTORED\r\nTOUCHED\r\nTOUCHED\r\nEND\r\n"},
	{name: "touch words", send: "touch\r\ntouch a\r\ntouch a 0 noreply x\r\n", want: "ERROR\r\nERROR\r\nERROR\r\n"},
	{name: "touch bad", send: "touch a x\r\ntouch " + long + " 0\r\n", want: "CLIENT_ERROR invalid exptime argument\r\n" + format},

	{name: "flush_all", send: "set a 0 0 1\r\nx\r\nflush_all\r\nget a\r\n", want: "STORED\r\nOK\r\nEND\r\n"},
	{name: "flush_all quiet", send: "set a 0 0 1\r\nx\r\nflush_all noreply\r\nflush_all 0 noreply\r\nget a\r\n", want: "STORED\r\nEND\r\n"},
	{name: "flush_all bad", send: "flush_all x\r\nflush_all 1 2 3\r\n", want: "CLIENT_ERROR invalid exptime argument\r\nERROR\r\n"},

	{name: "verbosity", send: "verbosity\r\nverbosity 1\r\nverbosity 0 noreply\r\nverbosity noreply\r\nverbosity x\r\n", want: "ERROR\r\nOK\r\n" + format},
	{name: "stats reset", send: "stats reset\r\nstats bogus\r\n", want: "RESET\r\nERROR\r\n"},
}

var token = regexp.MustCompile(`(VALUE \S+ \d+ \d+) \d+\r\n`)

func TestProtocol(t *testing.T) {
	ours, _ := memcachedtest.Serve(t, memcachedserver.Options{})
	for _, tc := range exchanges {
		t.Run(tc.name, func(t *testing.T) {
			w := dial(t, ours)
			w.exchange("flush_all\r\n")
			if got := token.ReplaceAllString(w.exchange(tc.send), "$1 #\r\n"); got != tc.want {
				t.Errorf("%.80q:\n got %q\nwant %q", tc.send, got, tc.want)
			}
			// The same, a byte at a time.
			if len(tc.send) > 4096 {
				return
			}
			w.exchange("flush_all\r\n")
			for i := range tc.send {
				w.send(tc.send[i : i+1])
			}
			if got := token.ReplaceAllString(w.exchange(""), "$1 #\r\n"); got != tc.want {
				t.Errorf("%.80q in single bytes:\n got %q\nwant %q", tc.send, got, tc.want)
			}
		})
	}
}

// TestProtocolOfMemcached runs the same table against memcached: what is
// expected above is what memcached says.
func TestProtocolOfMemcached(t *testing.T) {
	for _, tc := range exchanges {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := tc.want
			if tc.theirs != "" {
				want = tc.theirs
			}
			w := dial(t, memcachedtest.Memcached(t))
			if got := token.ReplaceAllString(w.exchange(tc.send), "$1 #\r\n"); got != want {
				t.Errorf("%.80q:\n got %q\nwant %q", tc.send, got, want)
			}
		})
	}
}

func TestStats(t *testing.T) {
	address, _ := memcachedtest.Serve(t, memcachedserver.Options{})
	w := dial(t, address)
	w.exchange("set a 0 0 1\r\nx\r\nget a b\r\nflush_all\r\nset b 0 0 1\r\nx\r\n")
	for script, want := range map[string][]string{
		"stats\r\n": {"pid", "uptime", "time", "version", "curr_connections 1", "total_connections 1", "rejected_connections 0",
			"cmd_get 2", "cmd_set 2", "cmd_flush 1", "get_hits 1", "get_misses 1", "curr_items 1", "limit_maxbytes 67108864", "evictions 0"},
		"stats settings\r\n": {"maxconns 1024", "item_size_max 1048576", "evictions on", "tcpport " + address[strings.LastIndex(address, ":")+1:]},
		"stats items\r\n":    {"items:1:number 1"},
	} {
		got := w.exchange(script)
		for _, line := range want {
			if !strings.Contains(got, "STAT "+line) {
				t.Errorf("%q has no %q:\n%s", script, line, got)
			}
		}
		if !strings.HasSuffix(got, "END\r\n") {
			t.Errorf("%q ends with %q", script, got[max(0, len(got)-20):])
		}
	}
	if got := w.exchange("stats reset\r\nstats\r\n"); !strings.Contains(got, "STAT cmd_get 0\r\n") || !strings.Contains(got, "STAT curr_items 1\r\n") {
		t.Errorf("after reset:\n%s", got)
	}
}

func TestQuit(t *testing.T) {
	address, _ := memcachedtest.Serve(t, memcachedserver.Options{})
	w := dial(t, address)
	w.send("set a 0 0 1\r\nx\r\nquit\r\nget a\r\n")
	w.reads("STORED\r\n")
	w.ends()
}

// TestPipeline sends many commands before it reads any answer.
func TestPipeline(t *testing.T) {
	address, _ := memcachedtest.Serve(t, memcachedserver.Options{})
	w := dial(t, address)
	var send, want strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&send, "set k%d %d 0 4\r\nv%03d\r\nget k%d\r\n", i%700, i, i%1000, i%700)
		fmt.Fprintf(&want, "STORED\r\nVALUE k%d %d 4\r\nv%03d\r\nEND\r\n", i%700, i, i%1000)
	}
	go w.nc.Write([]byte(send.String()))
	w.reads(want.String())
}
