// Command cachepeers sends the same pairs of requests through the edge's response
// cache and through those of nginx and Varnish, as they are when they are
// installed, and prints where they differ: whether the second request was answered
// from the cache, and how. See doc/edge-cache.md.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/respcache"
)

func main() {
	nginx := flag.String("nginx", "nginx", "the program; empty leaves it out")
	varnish := flag.String("varnish", "varnishd", "the program; empty leaves it out")
	all := flag.Bool("all", false, "print also what all do alike")
	flag.Parse()
	dir, err := os.MkdirTemp("", "cachepeers")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	o := &origin{asked: map[string]int{}}
	backend := listen()
	go http.Serve(backend, o) //nolint:errcheck // ends with the process
	caches := []peer{{"dayfly", dayfly(backend.Addr().String())}}
	if *nginx != "" {
		caches = append(caches, peer{"nginx", startNginx(*nginx, dir, backend.Addr().String())})
	}
	if *varnish != "" {
		caches = append(caches, peer{"varnish", startVarnish(*varnish, dir, backend.Addr().String())})
	}
	defer stopAll()
	fmt.Print("| the first answer; the second request |")
	for _, c := range caches {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Println("\n|---|" + strings.Repeat("---|", len(caches)))
	same := 0
	for i, p := range pairs {
		var results []string
		for _, c := range caches {
			results = append(results, o.try(c, i, p))
		}
		alike := true
		for _, r := range results {
			alike = alike && r == results[0]
		}
		if alike {
			same++
		}
		if !alike || *all {
			fmt.Printf("| %s | %s |\n", p.name, strings.Join(results, " | "))
		}
	}
	fmt.Printf("%d of %d alike\n", same, len(pairs))
}

type peer struct{ name, address string }

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return l
}

func dayfly(backend string) string {
	e, err := edge.New(edge.Options{Cache: &respcache.Options{}})
	if err != nil {
		log.Fatal(err)
	}
	if err := e.Add(edge.Target{Name: "origin", URL: "http://" + backend}); err != nil {
		log.Fatal(err)
	}
	l := listen()
	go edge.NewFront(edge.Server(e), nil).Serve(l) //nolint:errcheck // ends with the process
	return l.Addr().String()
}

var started []*exec.Cmd

func start(name string, args ...string) {
	c := exec.Command(name, args...)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		log.Fatal(err)
	}
	started = append(started, c)
}

func stopAll() {
	for _, c := range started {
		c.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
		c.Wait()                       //nolint:errcheck // it was interrupted
	}
}

// free is an address that nobody listens at; it is waited for afterwards.
func free() string {
	l := listen()
	defer l.Close()
	return l.Addr().String()
}

func await(address string) string {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
		if time.Now().After(end) {
			log.Fatal("nothing listens at ", address)
		}
	}
}

func startNginx(program, dir, backend string) string {
	address := free()
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; pid %[1]s/nginx.pid; error_log stderr error; events {}
http { access_log off; proxy_cache_path %[1]s/cache keys_zone=a:1m; proxy_temp_path %[1]s/t; client_body_temp_path %[1]s/b;
fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { listen %[2]s; location / { proxy_pass http://%[3]s; proxy_cache a; proxy_cache_revalidate on; proxy_cache_use_stale error updating; proxy_set_header Host $host; } } }
`, dir, address, backend)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
	if os.Getuid() == 0 { // its workers could not write there
		text = "user root;\n" + text
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	start(program, "-e", "stderr", "-p", dir, "-c", conf)
	return await(address)
}

func startVarnish(program, dir, backend string) string {
	address := free()
	start(program, "-F", "-a", address, "-b", backend, "-n", filepath.Join(dir, "varnish"), "-s", "malloc,64m")
	return await(address)
}

// An origin answers as a pair says, and counts.
type origin struct {
	mu    sync.Mutex
	pair  *pair
	asked map[string]int
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.asked["now"]
	o.asked["now"]++
	for _, f := range o.pair.answer {
		name, value, _ := strings.Cut(f, ": ")
		w.Header().Add(name, strings.ReplaceAll(value, "NOW", time.Now().UTC().Format(http.TimeFormat)))
	}
	if etag := w.Header().Get("Etag"); etag != "" && r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if n > 0 && o.pair.fails {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if o.pair.status != 0 {
		w.WriteHeader(o.pair.status)
	}
	fmt.Fprintf(w, "answer %d of some length", n)
}

// A pair is two requests for one address, and what the origin answers.
type pair struct {
	name   string
	answer []string // fields
	status int
	fails  bool          // the second time
	wait   time.Duration // between the two
	first  request
	second request
}

type request struct {
	method, target, host string
	fields               []string
}

// try sends a pair and says what became of the second request.
func (o *origin) try(c peer, i int, p pair) string {
	o.mu.Lock()
	o.pair, o.asked["now"] = &p, 0
	o.mu.Unlock()
	if _, _, err := send(c, i, p.first); err != nil {
		return err.Error()
	}
	o.mu.Lock()
	before := o.asked["now"]
	o.mu.Unlock()
	time.Sleep(p.wait)
	res, body, err := send(c, i, p.second)
	if err != nil {
		return err.Error()
	}
	o.mu.Lock()
	again := o.asked["now"] > before
	o.mu.Unlock()
	how := "from the cache"
	switch first := body == "" || strings.HasPrefix(body, "answer 0 "); {
	case again && first && body != "":
		how = "from the cache, asked beside"
	case again:
		how = "asked"
	}
	if res != "200" {
		how += ", " + res
	}
	return how
}

func send(c peer, i int, q request) (status, body string, err error) {
	method, host := q.method, q.host
	if method == "" {
		method = "GET"
	}
	if host == "" {
		host = "www.example.com"
	}
	r, err := http.NewRequest(method, fmt.Sprintf("http://%s/%d%s", c.address, i, q.target), nil)
	if err != nil {
		return "", "", err
	}
	r.Host = host
	for _, f := range q.fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	res, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(r)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return fmt.Sprint(res.StatusCode), string(text), err
}
