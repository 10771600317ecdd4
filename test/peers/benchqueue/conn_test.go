package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// request is one that a maker signed for a server.
func request(t *testing.T, host string) []byte {
	t.Helper()
	s := &server{host: host, region: "us-east-1", keys: aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}}
	r, err := newMaker(s, s.url()+"/000000000000/q").send()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConnKeepsAlive(t *testing.T) {
	from := map[string]int{}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from[r.RemoteAddr]++
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=key/") || r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessage" {
			w.WriteHeader(http.StatusForbidden)
		}
		fmt.Fprint(w, "reply")
	}))
	defer h.Close()
	host := h.Listener.Addr().String()
	c := dial(host)
	defer c.close()
	for range 3 {
		reply, err := c.do(request(t, host))
		if err != nil || string(reply) != "reply" {
			t.Fatalf("%q, %v", reply, err)
		}
	}
	if len(from) != 1 {
		t.Errorf("%d connections for three requests", len(from))
	}
}

// TestConnThatCloses: a server of HTTP/1.0 ends each reply with the connection.
func TestConnThatCloses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			peer, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(peer)); err == nil {
				fmt.Fprint(peer, "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nall of it")
			}
			peer.Close()
		}
	}()
	c := dial(l.Addr().String())
	defer c.close()
	for range 2 {
		reply, err := c.do(request(t, l.Addr().String()))
		if err != nil || string(reply) != "all of it" {
			t.Fatalf("%q, %v", reply, err)
		}
	}
}

func TestConnRefused(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, "why")
	}))
	defer h.Close()
	c := dial(h.Listener.Addr().String())
	defer c.close()
	if _, err := c.do(request(t, c.host)); err == nil || !strings.Contains(err.Error(), "400: why") {
		t.Errorf("%v, want the status and the body", err)
	}
}

func TestHandles(t *testing.T) {
	got := handles([]byte(`{"Messages":[{"ReceiptHandle":"a#b","Body":"x"},{"Body":"y","ReceiptHandle": "c/d="}]}`))
	if !slices.Equal(got, []string{"a#b", "c/d="}) {
		t.Errorf("%q", got)
	}
	if got := handles([]byte(`{"Messages":[{"ReceiptHandle":"cut`)); len(got) != 0 {
		t.Errorf("%q of half a reply", got)
	}
}
