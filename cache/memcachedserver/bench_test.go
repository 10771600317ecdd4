package memcachedserver_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
	"github.com/dayfly-dev/dayfly/cache/localcache"
	"github.com/dayfly-dev/dayfly/cache/memcachedcache"
	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
	"github.com/dayfly-dev/dayfly/cache/memcachedtest"
)

var (
	serve        = flag.Bool("serve", false, "be a cache server until standard input ends (the benchmark starts this)")
	serveProfile = flag.String("serveprofile", "", "write the server's CPU profile to this file")
)

// TestMain lets the benchmark run the server in a process of its own, as
// memcached is: in one process, client and server would share a scheduler.
func TestMain(m *testing.M) {
	flag.Parse()
	if *serve {
		if err := beServer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func beServer() error {
	if *serveProfile != "" {
		f, err := os.Create(*serveProfile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	engine, err := localcache.New(localcache.Options{})
	if err != nil {
		return err
	}
	defer engine.Close()
	s, err := memcachedserver.New(memcachedserver.Options{Cache: engine})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Shutdown(ctx)
	}()
	return s.Serve(l)
}

// startServer runs this test binary as a server and returns its address.
func startServer(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-serve", "-serveprofile="+*serveProfile)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// BenchmarkWire is set and get over loopback from 1 and 50 connections, in turns
// of a tenth of a second against this server and, where there is one, memcached
// with its default four threads. The figures are operations a second of each,
// and ours by theirs.
func BenchmarkWire(b *testing.B) {
	peers := []struct{ name, address string }{{"dayfly", startServer(b)}}
	// need.Tool would skip the whole benchmark.
	if _, err := exec.LookPath("memcached"); err == nil {
		peers = append(peers, struct{ name, address string }{"memcached", memcachedtest.Memcached(b)})
	}
	for _, size := range []int{100, 4096} {
		for _, conns := range []int{1, 50} {
			for _, op := range []string{"set", "get"} {
				b.Run(fmt.Sprintf("%s/%dB/conns=%d", op, size, conns), func(b *testing.B) {
					loads := make([]*load, len(peers))
					for i, p := range peers {
						loads[i] = newLoad(b, p.address, op, size, conns)
					}
					b.ResetTimer()
					for done := 0; done < b.N; {
						for _, l := range loads {
							done += l.turn(b, 100*time.Millisecond)
						}
					}
					b.ReportMetric(0, "ns/op")
					for i, l := range loads {
						b.ReportMetric(l.rate(), peers[i].name+"-ops/s")
					}
					if len(loads) == 2 {
						b.ReportMetric(loads[0].rate()/loads[1].rate(), "ratio")
					}
				})
			}
		}
	}
}

// load is a number of connections that do one operation.
type load struct {
	c     *memcachedcache.Client
	op    string
	conns int
	value []byte
	ops   atomic.Int64
	took  time.Duration
}

const benchKeys = 1000

func newLoad(b *testing.B, address, op string, size, conns int) *load {
	c, err := memcachedcache.New(address, &memcachedcache.Options{MaxConns: conns, MaxIdle: conns})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	l := &load{c: c, op: op, conns: conns, value: make([]byte, size)}
	for i := range benchKeys {
		if err := l.set(benchKey(i)); err != nil {
			b.Fatal(err)
		}
	}
	return l
}

func benchKey(i int) string { return fmt.Sprintf("key:%d", i%benchKeys) }

func (l *load) set(key string) error {
	return l.c.Store(context.Background(), driver.OpSet, key, driver.Item{Value: l.value}, 0)
}

// turn works for d and returns how many operations that were.
func (l *load) turn(b *testing.B, d time.Duration) int {
	var n atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for g := range l.conns {
		wg.Go(func() {
			for i := g * 17; time.Since(start) < d; i++ {
				var err error
				if l.op == "set" {
					err = l.set(benchKey(i))
				} else {
					var it driver.Item
					it, err = l.c.Get(context.Background(), benchKey(i))
					if err == nil && len(it.Value) != len(l.value) {
						err = fmt.Errorf("%d bytes came back", len(it.Value))
					}
				}
				if err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	l.took += time.Since(start)
	l.ops.Add(n.Load())
	return int(n.Load())
}

func (l *load) rate() float64 { return float64(l.ops.Load()) / l.took.Seconds() }
