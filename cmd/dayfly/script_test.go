package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary stand for dayfly, and for the small programs
// that the scripts run under it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"dayfly":     main,
		"webapp":     webapp,
		"taskworker": taskworker,
		"holdport": func() {
			l, err := net.Listen("tcp", os.Args[1])
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Println("held", l.Addr())
			time.Sleep(time.Minute)
		},
	})
}

// webapp is an application's web process: it answers with its process id and
// stops when told to. With the argument sick it never becomes healthy, with pages it
// serves what is in pages/.
func webapp() {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if len(os.Args) > 1 && os.Args[1] == "sick" {
			http.Error(w, "the database is away", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /tasks", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		fmt.Printf("task %s %s as attempt %s, from dayfly: %t\n", r.Header.Get("ce-type"), body, r.Header.Get("Dayfly-Attempt"),
			r.Header.Get("Authorization") == "Bearer "+os.Getenv("PUSH_TOKEN"))
	})
	if len(os.Args) > 1 && os.Args[1] == "marked" { // as cacheable
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=600")
			w.Header().Set("Surrogate-Key", "all page"+strings.ReplaceAll(r.URL.Path, "/", "-"))
			fmt.Fprintf(w, "made at %d\n", time.Now().UnixNano())
		})
	} else if len(os.Args) > 1 && os.Args[1] == "pages" {
		mux.Handle("/", http.FileServer(http.Dir("pages")))
	} else {
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "pid %d host %s for %s\n", os.Getpid(), r.Host, r.Header.Get("X-Forwarded-For"))
		})
	}
	srv := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-stop
		fmt.Println("told to stop")
		srv.Close()
	}()
	fmt.Println("listening")
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Println(err)
		os.Exit(1)
	}
	<-ended
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// Every script has addresses of its own: ports chosen by the kernel.
			e.Setenv("LISTEN", "edge = \"127.0.0.1:0\"\ndashboard = \"127.0.0.1:0\"\naws = \"127.0.0.1:0\"\ncache = \"127.0.0.1:0\"\nsmtp = \"127.0.0.1:0\"\n")
			e.Setenv("CI", "")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"manifest": writeManifest,
			"enlarge":  enlarge,
			"stored":   stored,
			"wait-for": waitFor,
			"fetch":    fetch,
			"gone":     gone,
			"signal":   sendSignal,

			"newaddress": newAddress,
		},
	})
}

// writeManifest adds free ports to a manifest: manifest FILE.
func writeManifest(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	text, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.WriteFile(path, append(text, []byte("\n[listen]\n"+ts.Getenv("LISTEN"))...), 0o600))
}

// enlarge writes a JSON text of about so many bytes: enlarge FILE BYTES.
func enlarge(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(`{"text":"`+strings.Repeat("<long>", n/6)+`"}`), 0o600))
}

// stored looks for one file below a folder that is the same as another:
// stored DIR FILE.
func stored(ts *testscript.TestScript, _ bool, args []string) {
	want := ts.ReadFile(args[1])
	found, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*", "*"))
	ts.Check(err)
	if len(found) != 1 || ts.ReadFile(found[0]) != want {
		ts.Fatalf("%q instead of one file of %d bytes", found, len(want))
	}
}

// waitFor runs a command until its output matches: wait-for REGEXP COMMAND….
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile(args[0])
	var last string
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		last = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if pattern.MatchString(last) == !neg && (err == nil || neg) {
			return
		}
	}
	ts.Fatalf("%v never printed %s; at last:\n%s", args[1:], args[0], last)
}

// fetch GETs a path of the running site and keeps the body in stdout:
// fetch DIR PATH STATUS.
func fetch(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("dayfly", "env", "-C", args[0]))
	site := regexp.MustCompile(`SITE_URL='([^']*)'`).FindStringSubmatch(ts.ReadFile("stdout"))
	if site == nil {
		ts.Fatalf("no SITE_URL")
	}
	answer, err := http.Get(site[1] + args[1])
	ts.Check(err)
	defer answer.Body.Close()
	body := make([]byte, 64<<10)
	n, _ := answer.Body.Read(body)
	if strconv.Itoa(answer.StatusCode) != args[2] {
		ts.Fatalf("%s: %s\n%s", args[1], answer.Status, body[:n])
	}
	ts.Check(os.WriteFile(ts.MkAbs("body"), body[:n], 0o600))
}

// gone waits until no process carries the data folder's mark: gone DIR.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	mark := []byte("DAYFLY_SUPERVISED=" + ts.MkAbs(args[0]) + "#")
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		left := ""
		environs, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, p := range environs {
			if text, err := os.ReadFile(p); err == nil && strings.Contains(string(text), string(mark)) {
				left += " " + p
			}
		}
		if left == "" {
			return
		}
	}
	ts.Fatalf("processes are left behind")
}

// sendSignal signals the dayfly of a data folder: signal DIR INT|TERM|KILL.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(filepath.Join(args[0], "lock"))))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[1]]))
}
