package gateway_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
)

// sums is a service of the default limit; it answers with what it was given.
type sums struct{}

func (sums) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	whole := r.Body.(interface{ Bytes() []byte }).Bytes()
	fmt.Fprintf(w, "%d %x", len(whole), sha256.Sum256(whole))
}

func startSums(t *testing.T) *httptest.Server {
	t.Helper()
	g, err := gateway.New(gateway.Options{
		Credentials: []sigv4.Credentials{{AccessKeyID: "key", SecretAccessKey: "secret"}},
		Services:    map[string]http.Handler{"ses": sums{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	return srv
}

// TestBodyWhole: bodies of lengths around those where memory for them is found
// in another way arrive as they were sent, also in memory used before.
func TestBodyWhole(t *testing.T) {
	base := startSums(t).URL
	for _, n := range []int{0, 1, 1 << 20, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300, 0} {
		for _, chunked := range []bool{false, true} {
			body := strings.Repeat(fmt.Sprint(n%7), n)
			_, got := ask{method: "POST", path: "/", body: body, service: "ses", chunked: chunked}.do(t, base)
			if want := fmt.Sprintf("%d %x", n, sha256.Sum256([]byte(body))); got != want {
				t.Errorf("%d bytes, chunked %v: the service got %.100s", n, chunked, got)
			}
		}
	}
}

// TestBodyTorn: a body that ends before its length is refused and told.
func TestBodyTorn(t *testing.T) {
	srv := startSums(t)
	for _, n := range []int{100, 100_000} {
		body := strings.Repeat("x", n)
		r := httptest.NewRequest("POST", srv.URL+"/", strings.NewReader(body))
		sum := sha256.Sum256([]byte(body))
		err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"},
			r, hex.EncodeToString(sum[:]), "ses", "us-east-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var wire strings.Builder
		if err := r.Write(&wire); err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, wire.String()[:wire.Len()-1])
		c.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(c), r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 || !strings.Contains(string(text), "IncompleteBody") {
			t.Errorf("%d bytes less one: %d %s", n, resp.StatusCode, text)
		}
	}
}
