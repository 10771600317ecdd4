package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/nonblock"
)

// What is sent from a File is what Write would have sent; where it cannot be,
// it is Write that does.
func TestWriteFile(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcde\n"), 100<<10)
	f, err := nonblock.NewFile(data)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system has no such files")
	}
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan bool, 10)
	address, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch r.URL.Path {
		case "/length":
			h.Set("Content-Length", strconv.Itoa(len(data)+1))
		case "/nolength":
		default:
			h.Set("Content-Length", strconv.Itoa(len(data)))
		}
		if r.URL.Path != "/sniff" {
			h.Set("Content-Type", "text/plain")
		}
		if r.URL.Path == "/begun" {
			w.Write(data[:1])
		}
		w.WriteHeader(http.StatusOK)
		can, err := w.(*response).WriteFile(f)
		if sent <- can; can {
			if err != nil {
				t.Error(err)
			}
			if _, err := w.Write(data[:1]); err == nil {
				t.Error("more than the length is taken")
			}
			return
		}
		if r.URL.Path == "/begun" {
			w.Write(data[1:])
			return
		}
		w.Write(data)
		if r.URL.Path == "/length" {
			io.WriteString(w, "!")
		}
	}))
	c := dial(t, address)
	in := bufio.NewReader(c)
	for _, tt := range []struct {
		request, more string
		can           bool
	}{
		{"GET /", "", true}, {"HEAD /", "", false}, {"GET /nolength", "", false}, {"GET /length", "!", false},
		{"GET /begun", "", false}, {"GET /sniff", "", false}, {"GET /again", "", true},
	} {
		io.WriteString(c, tt.request+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if can := <-sent; can != (tt.can && !overTLS) {
			t.Errorf("%s: sent from the file: %v", tt.request, can)
		}
		r, err := http.ReadResponse(in, &http.Request{Method: tt.request[:bytes.IndexByte([]byte(tt.request), ' ')]})
		if err != nil {
			t.Fatal(tt.request, err)
		}
		body, err := io.ReadAll(r.Body)
		want := string(data) + tt.more
		if r.Request.Method == http.MethodHead {
			want = ""
		}
		if string(body) != want || err != nil {
			t.Errorf("%s: %d bytes, want %d: %v", tt.request, len(body), len(want), err)
		}
	}
}
