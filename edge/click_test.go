package edge

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"

var daily = map[string]Campaign{"daily": {Source: "email", Medium: "email", Campaign: "Daily_Notification"}}

const dailyUTM = "utm_source=email&utm_medium=email&utm_campaign=Daily_Notification"

func clickSite(t testing.TB) *site {
	s := newSite(t, Options{Clicks: daily, ClickFile: filepath.Join(t.TempDir(), "clicks.jsonl")})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "application") })
	return s
}

func TestClickRedirects(t *testing.T) {
	s := clickSite(t)
	for _, tc := range []struct{ address, location string }{
		{"/daily/?/updates/haml-3.1.2/haml-3.2.0.rc.3/11765/", "/updates/haml-3.1.2/haml-3.2.0.rc.3/11765/?" + dailyUTM},
		{"/daily?/a", "/a?" + dailyUTM},
		{"/daily/?/", "/?" + dailyUTM},
		{"/daily/?/a?page=2&q=%C3%A9", "/a?page=2&q=%C3%A9&" + dailyUTM},
		{"/daily/?/a?utm_source=evil&x=1&UTM_campaign=y", "/a?x=1&" + dailyUTM},
		{"/daily/?/npm/@scope%2fname/", "/npm/@scope%2fname/?" + dailyUTM},
		{"/daily/?/100%25/", "/100%25/?" + dailyUTM},
		{"/daily/?/a?next=//evil.example", "/a?next=//evil.example&" + dailyUTM},
	} {
		res, _ := s.get(t, tc.address, "User-Agent", firefox, "Accept-Language", "en")
		if res.StatusCode != 302 || res.Header.Get("Location") != tc.location || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %v", tc.address, res.StatusCode, res.Header.Get("Location"), res.Header["Cache-Control"])
		}
	}
	// All else below the name is the application's.
	for _, address := range []string{"/daily/", "/daily/?x=/a", "/daily/2026/?/a", "/weekly/?/a"} {
		if res, body := s.get(t, address); body != "application" {
			t.Errorf("%s: %d %q", address, res.StatusCode, body)
		}
	}
	if _, body := s.do(t, "POST", "/daily/?/a", nil); body != "application" {
		t.Errorf("POST: %q", body)
	}
}

// evilTargets would lead to another site, or might, by way of a server,
// application or browser that is lenient.
var evilTargets = []string{
	"//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `/\/evil.example`, `\/evil.example`, `\\evil.example`,
	"/%2fevil.example", "/%2Fevil.example", "/%2f%2fevil.example", "/%5cevil.example", "/%5C/evil.example", "/a%5cb",
	"/%252fevil.example", "/%25252fevil.example", "/%2525252fevil.example", "/.//evil.example", "/..//evil.example", "/a/..//evil.example",
	"/./evil", "/../evil", "/%2e%2e/evil", "/%2e/evil", "/a/%2e%2e%2f%2fevil.example", "/a//b", "/a%2f%2fb",
	"/\tevil", "/%09/evil.example", "/%0d%0aSet-Cookie:a=b", "/a?x=%0d%0aSet-Cookie:a=b", "/%00", "/a%7f", "/ /evil.example",
	"/a#b", "/a%zz", "/a%", "/a?x=%", "/a?%zz", "/é", "/\"><script>", "/<a>", "/" + strings.Repeat("a", maxClickTarget),
	"http://evil.example", "evil.example", "", "?/a", "@evil.example", "javascript:alert(1)", "/daily/?//evil.example", "/daily?/a",
}

func TestClickTargetsElsewhere(t *testing.T) {
	for _, target := range evilTargets {
		path, _, ok := clickTarget(target)
		if _, loops := daily[strings.Trim(path, "/")]; ok && !loops {
			t.Errorf("%.60q was accepted", target)
		}
	}
	s := clickSite(t)
	for _, target := range []string{"//evil.example", `/\evil.example`, `\/evil.example`, "/%2f%2fevil.example", "/%5cevil", "/%0d%0aX:y", "/daily/?/a"} {
		_, br := s.raw(t, "GET /daily/?"+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 404 || res.Header.Get("Location") != "" {
			t.Errorf("%q: %d %q", target, res.StatusCode, res.Header.Get("Location"))
		}
	}
	if n := s.Clicks(); len(n) != 0 {
		t.Errorf("counted: %v", n)
	}
}

// browserResolves resolves a Location as the WHATWG URL standard has browsers
// do it against http://site.test: C0 controls and spaces are trimmed, tabs and
// line ends dropped, backslashes are slashes, two slashes begin a host, a
// scheme begins another address. It returns the origin.
func browserResolves(location string) string {
	location = strings.TrimFunc(location, func(r rune) bool { return r <= ' ' })
	location = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(location)
	if i := strings.IndexAny(location, ":/?#"); i > 0 && location[i] == ':' {
		return "another scheme: " + location[:i]
	}
	if strings.HasPrefix(location, "//") {
		host := strings.TrimLeft(location, "/")
		if i := strings.IndexAny(host, "/?#"); i >= 0 {
			host = host[:i]
		}
		return "http://" + host
	}
	return "http://site.test"
}

func FuzzClickTarget(f *testing.F) {
	for _, s := range evilTargets {
		f.Add(s)
	}
	for _, s := range []string{"/updates/haml-3.1.2/haml-3.2.0.rc.3/11765/", "/a?b=c&utm_source=x", "/npm/@scope%2fname/", "/100%25/", "/a:b@c"} {
		f.Add(s)
	}
	base, _ := url.Parse("http://site.test/daily/")
	f.Fuzz(func(t *testing.T, s string) {
		path, query, ok := clickTarget(s)
		if !ok {
			return
		}
		// Every level of decoding that a server on the way might apply.
		for level, p := 0, path; level < 4; level++ {
			location := p + "?" + daily["daily"].addTo(query)
			if level == 0 {
				for i := range len(location) {
					if location[i] <= ' ' || location[i] >= 0x7f {
						t.Fatalf("%q has byte %#x", location, location[i])
					}
				}
				u, err := base.Parse(location)
				if err != nil || u.Host != "site.test" || u.Scheme != "http" || u.User != nil {
					t.Fatalf("%q resolves to %v, %v", location, u, err)
				}
			}
			if origin := browserResolves(location); origin != "http://site.test" {
				t.Fatalf("%q, decoded %d times, leads to %s", s, level, origin)
			}
			decoded, err := url.PathUnescape(p)
			if err != nil {
				return
			}
			p = decoded
		}
	})
}

func TestClicksAreCounted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clicks.jsonl")
	s := newSite(t, Options{Clicks: daily, ClickFile: file})
	for range 3 {
		s.get(t, "/daily/?/a?x=1", "User-Agent", firefox, "Accept-Language", "en")
	}
	s.get(t, "/daily/?/a", "User-Agent", "Googlebot/2.1 (+http://www.google.com/bot.html)")
	s.get(t, "/daily/?/b", "User-Agent", firefox, "Accept-Language", "en", "Sec-Purpose", "prefetch;prerender")
	s.do(t, "HEAD", "/daily/?/a", nil, "User-Agent", firefox, "Accept-Language", "en")
	day := dayOf(time.Now())
	want := []ClickCount{{"daily", "/a", day, 3, 1, 1}, {"daily", "/b", day, 0, 0, 1}}
	if diff := cmp.Diff(want, s.Clicks()); diff != "" {
		t.Error(diff)
	}
	// Each was on disk when its redirect was answered: a second reader of the
	// file, as after a crash, has them all.
	again, err := openClicks(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if diff := cmp.Diff(want, again.counts()); diff != "" {
		t.Error(diff)
	}
}

func TestPeopleAndBots(t *testing.T) {
	for agent, want := range map[string]bool{
		firefox: true,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148": true,
		"Lynx/2.9.0": true, "w3m/0.5.3": true, "Opera/9.80 (X11; Linux)": true,
		"": false, "curl/8.5.0": false, "python-requests/2.32": false, "Go-http-client/1.1": false, "Java/17": false,
		"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)":                                        false,
		"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b":                      false,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36":      false,
		"Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)":                      false,
		"Mozilla/5.0 (Macintosh) AppleWebKit/601.2.4 (KHTML, like Gecko) facebookexternalhit/1.1 Facebot Twitterbot/1.0": false,
		"Barracuda Sentinel (EE)": false, "Slackbot-LinkExpanding 1.0": false,
	} {
		if got := isPerson(http.Header{"User-Agent": {agent}, "Accept-Language": {"en"}}); got != want {
			t.Errorf("%q: person %v", agent, got)
		}
	}
}

func openTestClicks(t testing.TB, file string) *clickStore {
	t.Helper()
	s, err := openClicks(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.done != nil {
			select {
			case <-s.done:
			default:
				s.close()
			}
		}
	})
	return s
}

func sumOf(counts []ClickCount) (n int64) {
	for _, c := range counts {
		n += c.People + c.Bots
	}
	return n
}

func TestClicksTogether(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clicks.jsonl")
	s := openTestClicks(t, file)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for n := range 50 {
				s.count("daily", fmt.Sprintf("/%d", (i+n)%7), time.Now(), clicker{person: n%2 == 0, client: fmt.Sprint(i, n/10)})
			}
		})
	}
	wg.Wait()
	want := s.counts()
	if sumOf(want) != 32*50 {
		t.Errorf("%d counted", sumOf(want))
	}
	if diff := cmp.Diff(want, openTestClicks(t, file).counts()); diff != "" {
		t.Error(diff)
	}
}

// A crash may leave a part of the last line; all before counts.
func TestClickFileTorn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clicks.jsonl")
	s := openTestClicks(t, file)
	for range 3 {
		s.count("daily", "/a", time.Now(), clicker{person: true})
	}
	s.close()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for cut := last; cut < len(whole); cut++ {
		if err := os.WriteFile(file, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		s := openTestClicks(t, file)
		if n := sumOf(s.counts()); n != 2 {
			t.Fatalf("cut at %d: %d clicks", cut, n)
		}
		s.count("daily", "/a", time.Now(), clicker{person: true})
		s.close()
		if n := sumOf(openTestClicks(t, file).counts()); n != 3 {
			t.Fatalf("cut at %d, one more, opened again: %d clicks", cut, n)
		}
	}
}

func TestClickFileDamaged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clicks.jsonl")
	for _, content := range []string{"", "{}\n", `{"format":"dayfly-clicks","version":3}` + "\n", clickFormat + `{"day":"` + dayOf(time.Now()) + `","salt":"00"}` + "\n", clickFormat + "garbage\n", clickFormat + strings.Repeat("x", clickLineMax+1) + "\n"} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := openClicks(file, slog.New(slog.DiscardHandler)); err == nil {
			s.close()
			t.Errorf("%.60q was opened", content)
		}
		if after, _ := os.ReadFile(file); string(after) != content {
			t.Errorf("%.60q was changed", content)
		}
	}
	if _, err := openClicks(filepath.Join(t.TempDir(), "none", "clicks"), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a folder that is not there was accepted")
	}
}

// When the disk fails, clicks are counted on and written once it works again.
func TestClickDiskFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "clicks.jsonl")
	s := openTestClicks(t, file)
	s.count("daily", "/a", time.Now(), clicker{person: true})
	s.file.Close() // every write fails from here
	s.count("daily", "/a", time.Now(), clicker{person: true})
	os.Rename(dir, dir+"-away") // and rewriting as well
	s.count("daily", "/b", time.Now(), clicker{person: true})
	os.Rename(dir+"-away", dir)
	s.count("daily", "/c", time.Now(), clicker{person: true})
	if diff := cmp.Diff(s.counts(), openTestClicks(t, file).counts()); diff != "" || sumOf(s.counts()) != 4 {
		t.Errorf("%d counted, %s", sumOf(s.counts()), diff)
	}
}

func TestClickLinksAreBounded(t *testing.T) {
	s := &clickStore{links: map[clickKey]*ClickCount{}, perDay: map[clickKey]int{}}
	total := int64(0)
	for day := range 12 {
		for i := range maxPathsPerDay + 100 {
			s.add(clickLine{Day: fmt.Sprintf("2026-01-%02d", day+1), Campaign: "daily", Path: fmt.Sprintf("/%d", i), People: 1})
			total++
		}
	}
	s.add(clickLine{Day: "2026-01-12", Campaign: "daily", Path: "/" + strings.Repeat("a", 600), People: 1})
	if len(s.links) > maxClickLinks+12 || sumOf(s.counts()) != total+1 {
		t.Errorf("%d links, %d clicks of %d", len(s.links), sumOf(s.counts()), total+1)
	}
	if c := s.links[clickKey{"daily", OtherLinks, "2026-01-12"}]; c == nil || c.People < 101 {
		t.Errorf("today's others: %v", c)
	}
	if c := s.links[clickKey{"daily", "/7", "2026-01-12"}]; c == nil {
		t.Error("today had to make room for days past")
	}
	var out bytes.Buffer
	out.Write(s.snapshot(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)))
	again := &clickStore{links: map[clickKey]*ClickCount{}, perDay: map[clickKey]int{}}
	if _, err := again.read(&out, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.counts(), again.counts()) {
		t.Error("the file says something else")
	}
	if s.snapshot(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)); len(s.links) != 0 || len(s.perDay) != 0 {
		t.Errorf("%d links and %d days left after years", len(s.links), len(s.perDay))
	}
}

func TestScript(t *testing.T) {
	s := newSite(t, Options{})
	res, body := s.get(t, ScriptPath)
	if res.StatusCode != 200 || !strings.Contains(body, "replaceState") || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("%d %v %q", res.StatusCode, res.Header, body)
	}
	if res, _ := s.get(t, ScriptPath, "If-None-Match", res.Header.Get("Etag")); res.StatusCode != 304 {
		t.Errorf("revalidation answered %d", res.StatusCode)
	}
}
