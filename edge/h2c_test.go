package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// echoService is a service of gRPC: Unary answers or fails, Chat echoes until
// the client ends.
var echoService = grpc.ServiceDesc{
	ServiceName: "test.Echo", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(wrapperspb.StringValue)
		if err := decode(in); err != nil {
			return nil, err
		}
		srv.(*atomic.Int32).Add(1)
		md, _ := metadata.FromIncomingContext(ctx)
		grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "of "+in.Value))
		if in.Value == "fail" {
			return nil, status.Error(codes.FailedPrecondition, "asked to fail")
		}
		return wrapperspb.String(in.Value + " " + strings.Join(md["x-forwarded-for"], ",")), nil
	}}},
	Streams: []grpc.StreamDesc{{StreamName: "Chat", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		for {
			in := new(wrapperspb.StringValue)
			if err := s.RecvMsg(in); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			if err := s.SendMsg(wrapperspb.String("echo " + in.Value)); err != nil {
				return err
			}
		}
	}}},
}

// newGRPC starts a server of gRPC and returns its address and its calls.
func newGRPC(t *testing.T) (url string, calls *atomic.Int32, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	calls = new(atomic.Int32)
	s := grpc.NewServer()
	s.RegisterService(&echoService, calls)
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return "http://" + l.Addr().String(), calls, s.Stop
}

func grpcClient(t *testing.T, address string) *grpc.ClientConn {
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// gRPC's own client and server see each other through the edge.
func TestGRPC(t *testing.T) {
	s := newSite(t, Options{Protocol: H2C})
	url, calls, _ := newGRPC(t)
	s.addURL(t, "web.1", url)
	c := grpcClient(t, s.addr)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	var trailer metadata.MD
	out := new(wrapperspb.StringValue)
	if err := c.Invoke(ctx, "/test.Echo/Unary", wrapperspb.String("hello"), out, grpc.Trailer(&trailer)); err != nil || out.Value != "hello 127.0.0.1" {
		t.Errorf("%q, %v", out.Value, err)
	}
	if got := trailer.Get("x-trailer"); len(got) != 1 || got[0] != "of hello" {
		t.Errorf("trailer %v", trailer)
	}
	err := c.Invoke(ctx, "/test.Echo/Unary", wrapperspb.String("fail"), out)
	if st := status.Convert(err); st.Code() != codes.FailedPrecondition || st.Message() != "asked to fail" {
		t.Errorf("a failure came as %v", err)
	}
	if calls.Load() != 2 {
		t.Errorf("%d calls", calls.Load())
	}
	chat, err := c.NewStream(ctx, &echoService.Streams[0], "/test.Echo/Chat")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"a", strings.Repeat("b", 100_000), "c"} {
		if err := chat.SendMsg(wrapperspb.String(word)); err != nil {
			t.Fatal(err)
		}
		if err := chat.RecvMsg(out); err != nil || out.Value != "echo "+word { // each at once, in both directions
			t.Fatalf("%.20q, %v", out.Value, err)
		}
	}
	chat.CloseSend()
	if err := chat.RecvMsg(out); err != io.EOF {
		t.Errorf("the chat ended with %v", err)
	}
	eventually(t, "nothing outstanding", func() bool { return s.target(t, "web.1").Outstanding == 0 })
}

// A call goes to another target only if nothing of it was sent.
func TestGRPCRetry(t *testing.T) {
	s := newSite(t, Options{Protocol: H2C, HealthInterval: time.Hour})
	gone, _, stop := newGRPC(t)
	s.addURL(t, "web.1", gone)
	url, calls, _ := newGRPC(t)
	s.addURL(t, "web.2", url)
	stop()
	c := grpcClient(t, s.addr)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 4 {
		if err := c.Invoke(ctx, "/test.Echo/Unary", wrapperspb.String("x"), new(wrapperspb.StringValue)); err != nil {
			t.Fatal(err)
		}
	}
	if calls.Load() != 4 {
		t.Errorf("%d calls", calls.Load())
	}

	s = newSite(t, Options{Protocol: H2C})
	var arrived atomic.Int32
	app := newH2CApp(t, func(http.ResponseWriter, *http.Request) { arrived.Add(1); panic(http.ErrAbortHandler) })
	s.addURL(t, "web.1", app)
	s.addURL(t, "web.2", app)
	err := grpcClient(t, s.addr).Invoke(ctx, "/test.Echo/Unary", wrapperspb.String("x"), new(wrapperspb.StringValue))
	if status.Code(err) != codes.Unavailable || arrived.Load() != 1 {
		t.Errorf("arrived %d times, %v", arrived.Load(), err)
	}
}

// newH2CApp starts an application that speaks HTTP/2 without TLS only.
func newH2CApp(t *testing.T, h http.HandlerFunc) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(l) // ends with Close
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String()
}

// Requests of HTTP/1.1 reach such an application, too: forms, streams, trailers
// and its health path.
func TestH2CTargetOfHTTP1(t *testing.T) {
	s := newSite(t, Options{Protocol: H2C, HealthPath: "/healthz"})
	s.addURL(t, "web.1", newH2CApp(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			w.Header().Set("Trailer", "X-Sum")
		}
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, r.Proto+" "+r.Method+" "+r.Host+" "+r.RequestURI+" "+string(body)+r.Header.Get("X-Evil")+strings.Join(r.Header["X-Forwarded-Host"], ","))
		w.Header().Set("X-Sum", "1")
	}))
	res, body := s.do(t, "POST", "/late?a=%20", strings.NewReader("form"), "Host", "shop.example", "Connection", "X-Evil", "X-Evil", "yes")
	if body != "HTTP/2.0 POST shop.example /late?a=%20 formshop.example" || res.Trailer.Get("X-Sum") != "1" {
		t.Errorf("%q, trailer %v", body, res.Trailer)
	}
	if _, body := s.get(t, "/a"); !strings.HasPrefix(body, "HTTP/2.0 GET") {
		t.Errorf("%q", body)
	}
}
