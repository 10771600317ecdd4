// Command benchserve is an edge on its own, and a backend of 1 KiB, for load
// generators to be pointed at: see doc/edge.md.
package main

import (
	"bytes"
	"crypto/tls"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/respcache"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:23001", "where the edge listens")
	backend := flag.String("backend", "", "where a trivial backend listens instead")
	target := flag.String("target", "http://127.0.0.1:23000", "backend the edge sends to")
	static := flag.String("static", "", "folder of static files")
	cached := flag.Bool("cache", false, "keep the backend's answers")
	cert := flag.String("cert", "", "file of a certificate; with -key the edge serves https")
	key := flag.String("key", "", "file of its key")
	accessLog := flag.String("access-log", "", "file for the access log")
	profile := flag.String("cpuprofile", "", "file for a CPU profile of 5 s, taken from 1 s after start")
	flag.Parse()
	if *backend != "" {
		log.Fatal(http.ListenAndServe(*backend, http.HandlerFunc(trivial)))
	}
	o := edge.Options{Static: edge.Static{Dir: *static}}
	if *cached {
		o.Cache = &respcache.Options{Size: 256 << 20}
	}
	if *accessLog != "" {
		f, err := os.Create(*accessLog)
		if err != nil {
			log.Fatal(err)
		}
		o.AccessLog = f
	}
	e, err := edge.New(o)
	if err != nil {
		log.Fatal(err)
	}
	if err := e.Add(edge.Target{Name: "backend", URL: *target}); err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	if *profile != "" {
		go record(*profile)
	}
	s := edge.Server(e)
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			log.Fatal(err)
		}
		s.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{pair}}
	}
	log.Fatal(edge.NewFront(s, nil).Serve(l))
}

var kilobyte = bytes.Repeat([]byte("x"), 1024)

// trivial answers with 1 KiB, or ?kib=N of them, which caches may keep for an
// hour.
func trivial(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	body := kilobyte
	if n, err := strconv.Atoi(r.URL.Query().Get("kib")); err == nil && n > 0 && n <= 1024 {
		body = bytes.Repeat(kilobyte, n)
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.Write(body)
}

func record(name string) {
	f, err := os.Create(name)
	if err != nil {
		log.Fatal(err)
	}
	time.Sleep(time.Second)
	if err := pprof.StartCPUProfile(f); err != nil {
		log.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	pprof.StopCPUProfile()
	f.Close()
}
