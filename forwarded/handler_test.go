package forwarded_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dayfly-dev/dayfly/forwarded"
)

// serve answers with what an application behind Handler sees.
func serve(t *testing.T, trusted ...string) *httptest.Server {
	t.Helper()
	networks, err := forwarded.ParseNetworks(trusted, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(forwarded.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told := 0
		for name := range r.Header {
			if forwarded.IsHeader(name) {
				told++
			}
		}
		fmt.Fprintf(w, "%s|%s|%s|%s|%d", r.RemoteAddr, r.URL.String(), r.Host, r.Header.Get("X-Kept"), told)
	}), networks))
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, s *httptest.Server, header http.Header) string {
	t.Helper()
	r, err := http.NewRequest("GET", s.URL+"/a%2fb?c=d", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host, r.Header = "inner:81", header
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// claims are all the ways to say that one is somebody else.
var claims = http.Header{
	"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"www.example.com"}, "X-Forwarded-Port": {"443"},
	"X_Forwarded_For": {"1.1.1.1"}, "x-forwarded_proto": {"https"}, "x_Forwarded-HOST": {"evil"}, "X-Forwarded-Ssl": {"on"}, "Front-End-Https": {"on"},
	"Forwarded": {"for=1.1.1.1;proto=https;host=evil"}, "X-Real-Ip": {"1.1.1.1"}, "X_Real_IP": {"1.1.1.1"}, "Proxy": {"http://evil"},
	"Cloudfront-Forwarded-Proto": {"https"}, "X-Kept": {"yes"},
}

func TestHandler(t *testing.T) {
	if got, want := ask(t, serve(t, "loopback"), claims), "192.0.2.7:0|https://www.example.com/a%2fb?c=d|www.example.com|yes|14"; got != want {
		t.Errorf("from one trusted\ngot  %s\nwant %s", got, want)
	}
	s := serve(t, "private")
	var from, rest string
	if n, err := fmt.Sscanf(ask(t, s, claims), "127.0.0.1:%5s", &from); n != 1 || err != nil || from == "0" {
		t.Fatal("a stranger is not who it is")
	}
	rest = ask(t, s, claims)
	if want := "|http://inner:81/a%2fb?c=d|inner:81|yes|0"; rest[len(rest)-len(want):] != want {
		t.Errorf("from a stranger\ngot  %s\nwant …%s", rest, want)
	}
}

func ExampleHandler() {
	// dayfly sets TRUSTED_PROXIES=loopback; behind a balancer in a VPC it is "private".
	trusted, err := forwarded.ParseNetworks([]string{"loopback"}, nil)
	if err != nil {
		panic(err)
	}
	site := forwarded.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.URL.Scheme, r.Host, r.RemoteAddr)
	}), trusted)
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	r.Header.Set("X-Forwarded-Proto", "https")
	site.ServeHTTP(nil, r)
	// Output: https example.com 192.0.2.7:0
}
