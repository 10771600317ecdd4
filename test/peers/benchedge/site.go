package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
)

// Names of the subjects, as tables have them.
const (
	dayfly  = "Dayfly"
	nginx   = "nginx"
	caddy   = "Caddy"
	varnish = "Varnish"
	kamal   = "kamal-proxy"
)

// site is one of the servers under test, running.
type site struct {
	p       *process.Process
	url     string // scheme://host:port
	without []int  // processes below it that are not it: the backend
}

func (s *site) cpu() time.Duration { return s.p.CPU(s.without...) }

// setup is what a server is to be.
type setup struct {
	kind    string // a part's: plain, cached, tls
	backend string // host:port
}

var starts = map[string]func(o *options, dir string, s setup) (*site, error){
	dayfly: startDayfly, nginx: startNginx, caddy: startCaddy, varnish: startVarnish, kamal: startKamal,
}

// start runs a subject, and waits until it answers.
func (o *options) start(subject string, s setup) (*site, error) {
	dir, err := os.MkdirTemp(o.dir, strings.ToLower(subject)+"-")
	if err != nil {
		return nil, err
	}
	running, err := starts[subject](o, dir, s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", subject, err)
	}
	ask := running.url + "/static/" + smallFile
	if s.kind == "cached" || subject == kamal {
		ask = running.url + "/cached"
	}
	err = running.p.Until(time.Minute, "ready", func() bool {
		body, err := get(ask)
		return err == nil && bytes.Equal(body, kilobyte)
	})
	if err != nil {
		running.p.Kill()
		return nil, fmt.Errorf("%s: %w", subject, err)
	}
	return running, nil
}

// startAll runs several, and returns how to end them.
func (o *options) startAll(subjects []string, s setup) (map[string]*site, func(), error) {
	running := map[string]*site{}
	stop := func() {
		for _, r := range running {
			r.p.Stop(syscall.SIGTERM)
		}
	}
	for _, name := range subjects {
		r, err := o.start(name, s)
		if err != nil {
			stop()
			return nil, nil, err
		}
		running[name] = r
	}
	return running, stop, nil
}

func startDayfly(o *options, dir string, s setup) (*site, error) {
	tables := fmt.Sprintf("[process.web]\ncommand = \"exec %s backend\"\nhttp = true\n", o.self)
	tables += "[static]\ndir = \"static\"\n" // below the manifest's folder, so a copy
	if err := os.CopyFS(filepath.Join(dir, "static"), os.DirFS(filepath.Join(o.files(), "static"))); err != nil {
		return nil, err
	}
	listen, scheme := "", "http"
	switch s.kind {
	case "cached":
		tables += "[edge.cache]\n"
	case "tls":
		listen, scheme = "https = \"127.0.0.1:0\"\n", "https"
		tables += fmt.Sprintf("[edge.tls]\ncert = %q\nkey = %q\n", o.cert(), o.key())
	}
	p, env, err := process.StartDayfly(o.dayfly, dir, listen+tables)
	if err != nil {
		return nil, err
	}
	_, port, ok := strings.Cut(strings.TrimPrefix(env["SITE_URL"], scheme+"://"), ":")
	if !ok {
		p.Kill()
		return nil, fmt.Errorf("SITE_URL is %q", env["SITE_URL"])
	}
	r := &site{p: p, url: scheme + "://127.0.0.1:" + port}
	err = p.Until(time.Minute, "passing requests on", func() bool {
		text, err := get(r.url + "/pid")
		pid, notNumber := strconv.Atoi(string(text))
		r.without = []int{pid}
		return err == nil && notNumber == nil
	})
	if err != nil {
		p.Kill()
		return nil, err
	}
	return r, nil
}

// run starts a server whose configuration is a file with a free port in it.
func runWith(dir, file, scheme string, configure func(port int) string, command func(path string, port int) *exec.Cmd) (*site, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, []byte(configure(port)), 0o644); err != nil {
		return nil, err
	}
	p, err := process.Start(filepath.Join(dir, "output"), command(path, port))
	if err != nil {
		return nil, err
	}
	return &site{p: p, url: fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)}, nil
}

func startNginx(o *options, dir string, s setup) (*site, error) {
	scheme, listen, tls, cache, location := "http", "", "", "", ""
	switch s.kind {
	case "tls":
		scheme, listen = "https", " ssl"
		tls = fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.3; ssl_session_cache shared:s:10m;", o.cert(), o.key())
	case "cached":
		cache = fmt.Sprintf("proxy_cache_path %s levels=1:2 keys_zone=c:16m max_size=256m;", filepath.Join(dir, "cache"))
		location = "proxy_cache c; proxy_cache_lock on;"
	}
	user := "" // of the workers, who have to get at the files
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	configure := func(port int) string {
		return fmt.Sprintf(`%[9]s daemon off; worker_processes auto; worker_rlimit_nofile 40000; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 20000; multi_accept on; }
http {
	sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 600s;
	open_file_cache max=1000 inactive=60s; default_type text/plain;
	access_log %[1]s/access.log combined buffer=64k flush=1s;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	%[2]s
	upstream app { server %[3]s; keepalive 128; keepalive_requests 1000000000; }
	server {
		listen 127.0.0.1:%[4]d%[5]s reuseport backlog=4096; %[6]s
		location /static/ { root %[7]s; }
		location / {
			proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Request-Id $request_id; %[8]s
		}
	}
}
`, dir, cache, s.backend, port, listen, tls, o.files(), location, user)
	}
	return runWith(dir, "nginx.conf", scheme, configure, func(path string, _ int) *exec.Cmd {
		return exec.Command("nginx", "-p", dir, "-c", path, "-e", filepath.Join(dir, "error.log"))
	})
}

func startCaddy(o *options, dir string, s setup) (*site, error) {
	scheme, tls := "http", ""
	if s.kind == "tls" {
		scheme, tls = "https", fmt.Sprintf("tls %s %s {\n\t\tprotocols tls1.3\n\t}", o.cert(), o.key())
	}
	configure := func(port int) string {
		return fmt.Sprintf(`{
	admin off
	auto_https off
	persist_config off
	storage file_system %[1]s/storage
	default_sni localhost
}
%[2]s://127.0.0.1:%[3]d, %[2]s://localhost:%[3]d {
	%[4]s
	log {
		output file %[1]s/access.log
	}
	handle /static/* {
		root * %[5]s
		file_server
	}
	handle {
		reverse_proxy %[6]s {
			transport http {
				keepalive_idle_conns_per_host 128
			}
		}
	}
}
`, dir, scheme, port, tls, o.files(), s.backend)
	}
	return runWith(dir, "Caddyfile", scheme, configure, func(path string, _ int) *exec.Cmd {
		cmd := exec.Command(o.caddy, "run", "--adapter", "caddyfile", "--config", path)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		return cmd
	})
}

// startVarnish: its log stays in shared memory, nothing reads it.
func startVarnish(_ *options, dir string, s setup) (*site, error) {
	host, backendPort, _ := strings.Cut(s.backend, ":")
	configure := func(int) string {
		return fmt.Sprintf("vcl 4.1;\nbackend default { .host = %q; .port = %q; }\n", host, backendPort)
	}
	return runWith(dir, "default.vcl", "http", configure, func(path string, port int) *exec.Cmd {
		return exec.Command("varnishd", "-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-f", path, "-s", "malloc,256m",
			"-a", fmt.Sprintf("127.0.0.1:%d", port), "-T", "none")
	})
}

func startKamal(o *options, dir string, s setup) (*site, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	other, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	env := append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	cmd := exec.Command(o.kamal, "run", "--http-port", strconv.Itoa(port), "--https-port", strconv.Itoa(other))
	cmd.Env = env
	p, err := process.Start(filepath.Join(dir, "output"), cmd)
	if err != nil {
		return nil, err
	}
	deploy := func() error {
		cmd := exec.Command(o.kamal, "deploy", "bench", "--target", s.backend, "--health-check-path", "/")
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("kamal-proxy deploy: %w: %s", err, out)
		}
		return nil
	}
	var last error
	if err := p.Until(30*time.Second, "deployed to", func() bool { last = deploy(); return last == nil }); err != nil {
		p.Kill()
		return nil, errors.Join(err, last)
	}
	return &site{p: p, url: fmt.Sprintf("http://127.0.0.1:%d", port)}, nil
}
