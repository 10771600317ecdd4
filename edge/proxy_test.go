package edge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPassesThrough(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.Method+" "+r.RequestURI+" "+r.Host)
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		if r.URL.Path == "/empty" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "short and stout")
	})
	for _, path := range []string{"/", "/a%2Fb?x=1;y=2&z=%zz", "/a//b/../c", "/%E2%82%AC?q=é", "/?", "/a+b%20c"} {
		res, body := s.get(t, path, "Host", "shop.example:8080")
		if want := "GET " + path + " shop.example:8080"; res.Header.Get("X-Seen") != want && path != "/%E2%82%AC?q=é" {
			t.Errorf("application saw %q, want %q", res.Header.Get("X-Seen"), want)
		}
		if res.StatusCode != http.StatusTeapot || body != "short and stout" {
			t.Errorf("%s answered %d %q", path, res.StatusCode, body)
		}
		if got := res.Header["Set-Cookie"]; !cmp.Equal(got, []string{"a=1", "b=2"}) {
			t.Errorf("cookies %q", got)
		}
		if len(res.Header.Get("X-Request-Id")) != 32 {
			t.Errorf("request id %q", res.Header.Get("X-Request-Id"))
		}
	}
	if res, body := s.do(t, "HEAD", "/", nil); res.StatusCode != http.StatusTeapot || body != "" || res.ContentLength != 15 {
		t.Errorf("HEAD answered %d, %d bytes, length %d", res.StatusCode, len(body), res.ContentLength)
	}
	if res, _ := s.get(t, "/empty"); res.StatusCode != http.StatusNoContent {
		t.Errorf("empty answered %d", res.StatusCode)
	}
}

func TestNoContentTypeIsGuessed(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		io.WriteString(w, "<html>")
	})
	if res, _ := s.get(t, "/"); res.Header["Content-Type"] != nil {
		t.Errorf("Content-Type %q was made up", res.Header["Content-Type"])
	}
}

// Bodies of every framing arrive whole, and connections stay usable.
func TestBodies(t *testing.T) {
	s := newSite(t, Options{MaxBody: 8 << 20})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		fmt.Fprintf(w, "%d %x %v %d", n, h.Sum(nil), err, r.ContentLength)
	})
	for _, size := range []int{0, 1, 4 << 10, 4<<10 + 1, bufferedBody, bufferedBody + 1, 3 << 20} {
		data := make([]byte, size)
		rand.Read(data)
		sum := sha256.Sum256(data)
		for _, known := range []bool{true, false} {
			var body io.Reader = bytes.NewReader(data)
			length := size
			if !known {
				body = io.MultiReader(body) // hides the length: sent in chunks
				length = -1
			}
			want := fmt.Sprintf("%d %s <nil> %d", size, hex.EncodeToString(sum[:]), length)
			if _, got := s.do(t, "POST", "/", body); got != want {
				t.Errorf("size %d, length known %v: application got %q, want %q", size, known, got, want)
			}
		}
	}
	for _, known := range []bool{true, false} {
		var body io.Reader = bytes.NewReader(make([]byte, 8<<20+1))
		if !known {
			body = io.MultiReader(body)
		}
		if res, _ := s.do(t, "POST", "/", body); res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("too large a body (length known %v) answered %d", known, res.StatusCode)
		}
	}
}

// A target that answers before it has the whole request is heard, and the
// client reads the answer although it is still sending.
func TestEarlyAnswer(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	})
	for range 5 {
		res, body := s.do(t, "POST", "/", bytes.NewReader(make([]byte, 20<<20)))
		if res.StatusCode != http.StatusRequestEntityTooLarge || body != "too much\n" {
			t.Fatalf("answered %d %q", res.StatusCode, body)
		}
	}
	eventually(t, "nothing outstanding", func() bool { return s.target(t, "web.1").Outstanding == 0 })
}

// A conversation in both directions at once goes through piece by piece.
func TestStreamsBothWays(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "heard %s\n", lines.Text())
			http.NewResponseController(w).Flush()
		}
	})
	pr, pw := io.Pipe()
	req, _ := http.NewRequest("POST", s.url+"/", pr)
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for i := range 3 {
		fmt.Fprintf(pw, "line %d\n", i)
		got, err := answers.ReadString('\n')
		if want := fmt.Sprintf("heard line %d\n", i); err != nil || got != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

func TestEventStream(t *testing.T) {
	s := newSite(t, Options{})
	next := make(chan struct{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			http.NewResponseController(w).Flush()
			<-next
		}
	})
	res, err := s.client.Get(s.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	br := bufio.NewReader(res.Body)
	for i := range 3 {
		if line, err := br.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("event %d: %q, %v", i, line, err)
		}
		br.ReadString('\n')
		if ts := s.target(t, "web.1"); ts.Streams != 1 {
			t.Errorf("%d streams counted", ts.Streams)
		}
		next <- struct{}{}
	}
}

func TestTrailersAndInterimAnswers(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</app.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("Trailer", "X-Announced")
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "body of "+r.Trailer.Get("X-From-Client"))
		w.Header().Set("X-Announced", "yes")
		w.Header().Set(http.TrailerPrefix+"X-Late", "also")
	})
	var hints string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = fmt.Sprint(code, " ", h.Get("Link"))
		return nil
	}})
	req, _ := http.NewRequestWithContext(ctx, "POST", s.url+"/", io.MultiReader(strings.NewReader("x")))
	req.Trailer = http.Header{"X-From-Client": {"hello"}}
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if string(body) != "body of hello" || hints != "103 </app.css>; rel=preload" {
		t.Errorf("body %q, hints %q", body, hints)
	}
	if diff := cmp.Diff(http.Header{"X-Announced": {"yes"}, "X-Late": {"also"}}, res.Trailer); diff != "" {
		t.Error(diff)
	}
}

func TestUpgrade(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			io.WriteString(w, "plain")
			return
		}
		c, rw, _ := http.NewResponseController(w).Hijack()
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-Websocket-Accept: x\r\n\r\n", r.Header.Get("Upgrade"))
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(c, "echo "+line)
		}
	})
	// The first message comes along with the request.
	c, br := s.raw(t, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nfirst\n")
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "websocket" || res.Header.Get("Sec-Websocket-Accept") != "x" {
		t.Fatalf("answer %+v, %v", res, err)
	}
	for _, m := range []string{"first", "second"} {
		if m != "first" {
			fmt.Fprintln(c, m)
		}
		if line, err := br.ReadString('\n'); err != nil || line != "echo "+m+"\n" {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	// Draining does not wait for it; removing the target ends it.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Drain(ctx, "web.1"); err != nil {
		t.Fatal(err)
	}
	s.Remove("web.1")
	if rest, err := io.ReadAll(br); err != nil || len(rest) > 0 {
		t.Errorf("after removal: %q, %v", rest, err)
	}
}

// An upgrade to h2c would carry requests past the edge; it is not passed on.
func TestNoH2CSmuggling(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header["Upgrade"], r.Header["Http2-Settings"])
	})
	_, br := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(res.Body); string(body) != "[] []" {
		t.Errorf("application saw %s", body)
	}
}

func TestClientGoneCancels(t *testing.T) {
	s := newSite(t, Options{})
	arrived, gone := make(chan struct{}), make(chan struct{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", s.url, nil)
	go func() { <-arrived; cancel() }()
	if res, err := s.client.Do(req); err == nil {
		t.Fatalf("answered %d", res.StatusCode)
	}
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("the application was not told")
	}
	eventually(t, "counted as gone", func() bool { st := s.Stats(); return st.ByClass[0] == 1 && st.Targets[0].Failed == 0 })
	if ts := s.target(t, "web.1"); !ts.Healthy {
		t.Error("a client that goes away took the target out")
	}
}

// What a target can do wrong, and what the client is told.
func TestTargetMisbehaves(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		status       int
		page         pageText
	}{
		{"no HTTP", "SSH-2.0-OpenSSH\r\n", 502, pageGarbled},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-", 502, pageGarbled},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502, pageGarbled},
		{"endless head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 400), 502, pageGarbled},
		{"status 42", "HTTP/1.1 042 What\r\n\r\n", 502, pageGarbled},
		{"unasked upgrade", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 502, pageGarbled},
		{"endless interim answers", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100), 502, pageGarbled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, Options{})
			app := newRawApp(t)
			s.addURL(t, "web.1", app.url())
			go func() {
				c, _, _ := app.request(t)
				io.WriteString(c, tc.answer)
				c.Close()
			}()
			res, body := s.get(t, "/", "Accept", "text/html")
			if res.StatusCode != tc.status || !strings.Contains(body, tc.page.title) || !strings.HasPrefix(body, "<!doctype html>") {
				t.Errorf("answered %d %q", res.StatusCode, body)
			}
			if res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

func TestAnswerBreaksOff(t *testing.T) {
	s := newSite(t, Options{})
	app := newRawApp(t)
	s.addURL(t, "web.1", app.url())
	go func() {
		c, _, _ := app.request(t)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		c.Close()
	}()
	if res, err := s.client.Get(s.url); err == nil {
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil {
			t.Errorf("a part was taken for the whole: %q", body)
		}
	}
	eventually(t, "counted", func() bool { return s.target(t, "web.1").Failed == 1 })
}

func TestNoAnswerInTime(t *testing.T) {
	const timeout = time.Second // which the head of /body is to meet on any machine
	s := newSite(t, Options{ResponseTimeout: timeout})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		if r.URL.Path == "/body" { // a body may take longer
			time.Sleep(timeout + 10*time.Millisecond)
			io.WriteString(w, "late")
		}
	})
	var all sync.WaitGroup
	for _, size := range []int{0, 10, 1 << 20} {
		all.Go(func() {
			res, err := s.client.Post(s.url+"/slow", "text/plain", bytes.NewReader(make([]byte, size)))
			if err != nil {
				t.Errorf("%d bytes: %v", size, err)
				return
			}
			defer res.Body.Close()
			if body, _ := io.ReadAll(res.Body); res.StatusCode != 504 || !strings.Contains(string(body), pageSlow.text) {
				t.Errorf("%d bytes: answered %d %q", size, res.StatusCode, body)
			}
		})
	}
	if _, body := s.get(t, "/body"); body != "late" {
		t.Errorf("body %q", body)
	}
	all.Wait()
}

// Answers a target appends to its answers must not reach another client.
func TestUnaskedAnswerIsNotUsed(t *testing.T) {
	s := newSite(t, Options{})
	app := newRawApp(t)
	s.addURL(t, "web.1", app.url())
	go func() {
		c, _, _ := app.request(t)
		io.WriteString(c, ok2+"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
		c, _, _ = app.request(t)
		io.WriteString(c, ok2)
	}()
	for range 2 {
		if _, body := s.get(t, "/"); body != "ok" {
			t.Fatalf("body %q", body)
		}
	}
}
