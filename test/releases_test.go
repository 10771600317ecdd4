package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// registries starts the recorded answers of the registries and returns the
// environment that leads to them.
func registries(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command(build(t, "./examples/releases/internal/replay"), "-gomod", filepath.Join(need.Root(t), "go.mod"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var env []string
	for scan := bufio.NewScanner(out); len(env) < 3 && scan.Scan(); {
		env = append(env, scan.Text())
	}
	if len(env) < 3 {
		t.Fatalf("the replay printed only %v", env)
	}
	return env
}

// TestReleases is the main job, on the services dayfly embeds.
func TestReleases(t *testing.T) {
	t.Parallel()
	example := filepath.Join(need.Root(t), "examples", "releases")
	data := filepath.Join(t.TempDir(), "data")
	env := append(registries(t), "DIGEST_TO=team@example.com")
	h := up(t, example, data, env...)
	job := &mainJob{t: t, h: h, mails: h.inboxMails}
	job.run()

	// The next start has lost nothing.
	h.down()
	h = up(t, example, data, env...)
	if got := len(packages(t, h, "")); got != job.packages {
		t.Errorf("%d packages after the next start, %d before", got, job.packages)
	}
	get(t, job.advisory(h))
	if got := h.inboxMails(); len(got) != len(job.sent) {
		t.Errorf("%d mails after the next start, %d before", len(got), len(job.sent))
	}
	if got := h.clicks(); got != job.clicked {
		t.Errorf("%d clicks after the next start, %d before", got, job.clicked)
	}
	h.down()
}

// TestReleasesElsewhere is the same job with the same binary on services that
// are not ours, chosen by the environment alone.
func TestReleasesElsewhere(t *testing.T) {
	t.Parallel()
	example := filepath.Join(need.Root(t), "examples", "releases")
	endpoint := moto(t)
	prepare(t, endpoint, "releases@example.com", "releases-advisories")
	h := up(t, example, filepath.Join(t.TempDir(), "data"), append(registries(t), "DIGEST_TO=team@example.com", "MAIL_FROM=releases@example.com",
		"AWS_ENDPOINT_URL="+endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing",
		"CACHE_DEFAULT_URL="+memcached(t), "DATABASE_URL="+postgres(t))...)
	for _, name := range []string{"queue", "objects", "mail"} {
		if _, err := os.Stat(filepath.Join(h.data, name)); err == nil {
			t.Errorf("dayfly made %s although the environment names another service", name)
		}
	}
	job := &mainJob{t: t, h: h, mails: func() []mail { return motoMails(t, endpoint) }}
	job.run()
	h.down()
}

// mail as the tests look at it.
type mail struct{ Subject, Text string }

// mainJob imports, finds versions, has an advisory written and a digest sent,
// and follows a link of the digest.
type mainJob struct {
	t     *testing.T
	h     *house
	mails func() []mail

	packages int
	sent     []mail
	clicked  int64
	key      string // of an advisory, below the bucket
}

type pkg struct {
	Ecosystem, Name, Version, Status, Latest string
	Update                                   *struct{ To, Status, Page, Advisory string }
}

func packages(t *testing.T, h *house, ecosystem string) []pkg {
	t.Helper()
	var list struct{ Packages []pkg }
	if err := json.Unmarshal([]byte(get(t, h.env["SITE_URL"]+"/api/packages")), &list); err != nil {
		t.Fatal(err)
	}
	var out []pkg
	for _, p := range list.Packages {
		if ecosystem == "" || p.Ecosystem == ecosystem {
			out = append(out, p)
		}
	}
	return out
}

func (j *mainJob) run() {
	t, h := j.t, j.h
	site := h.env["SITE_URL"]

	// Dayfly's own go.mod was imported at the first start; others by hand.
	eventually(t, "the packages of go.mod", func() bool { return len(packages(t, h, "go")) > 20 })
	manifest := filepath.Join(t.TempDir(), "package.json")
	if err := os.WriteFile(manifest, []byte(`{"name":"shop","version":"1.0.0","dependencies":{"is-odd":"3.0.0"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := h.cli("run", "import", manifest); !strings.Contains(out, "import is in queue default as ") {
		t.Errorf("run import: %s", out)
	}
	j.upload("requirements.txt", "idna==3.9\nno-such-package==1.0\n")

	// Versions are found, and an advisory for each update.
	var ready pkg
	for _, ecosystem := range []string{"go", "npm", "pypi"} {
		eventually(t, "an advisory for "+ecosystem, func() bool {
			for _, p := range packages(t, h, ecosystem) {
				if p.Update != nil && p.Update.Status == "ready" {
					ready = p
					return true
				}
			}
			return false
		})
	}
	eventually(t, "a package that does not exist is shown as such", func() bool {
		for _, p := range packages(t, h, "pypi") {
			if p.Name == "no-such-package" {
				return p.Status == "missing"
			}
		}
		return false
	})
	j.packages = len(packages(t, h, ""))
	base := h.env["BUCKET_ADVISORIES_URL"]
	if !strings.HasPrefix(ready.Update.Advisory, base+"/") {
		t.Fatalf("advisory at %s, bucket at %s", ready.Update.Advisory, base)
	}
	j.key = strings.TrimPrefix(ready.Update.Advisory, base)
	var advisory map[string]any
	if err := json.Unmarshal([]byte(get(t, ready.Update.Advisory)), &advisory); err != nil || len(advisory) < 5 {
		t.Errorf("advisory %v: %v", advisory, err)
	}
	page := get(t, ready.Update.Page)
	for _, want := range []string{ready.Name, ready.Version, ready.Update.To} {
		if !strings.Contains(page, want) {
			t.Errorf("%s does not name %s", ready.Update.Page, want)
		}
	}
	if feed := get(t, site+"/feed.atom"); !strings.Contains(feed, "<feed xmlns=\"http://www.w3.org/2005/Atom\"") || !strings.Contains(feed, ready.Name) {
		t.Errorf("feed: %.500s", feed)
	}
	home := get(t, site+"/")
	css := regexp.MustCompile(`/static/style\.[0-9a-f]+\.css`).FindString(home)
	if css == "" {
		t.Errorf("the page names no hashed style sheet")
	} else {
		j.immutable(site + css)
	}
	j.digest()
	j.dashboard()
}

// upload sends a file through the site's form, as a browser does.
func (j *mainJob) upload(name, content string) {
	j.t.Helper()
	body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\n\r\n" + content + "\r\n--b--\r\n"
	site := j.h.env["SITE_URL"]
	r, err := http.NewRequest(http.MethodPost, site+"/import", strings.NewReader(body))
	if err != nil {
		j.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	r.Header.Set("Origin", site)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		j.t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusSeeOther {
		j.t.Fatalf("upload of %s: %s\n%.1000s", name, answer.Status, text)
	}
}

func (j *mainJob) immutable(url string) {
	j.t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		j.t.Fatal(err)
	}
	defer answer.Body.Close()
	if cc := answer.Header.Get("Cache-Control"); answer.StatusCode != http.StatusOK || !strings.Contains(cc, "max-age=31536000") || !strings.Contains(cc, "immutable") {
		j.t.Errorf("%s: %s, Cache-Control %q", url, answer.Status, cc)
	}
}

// digest asks for the digest, and follows one of its links through the click
// tracking back to the site.
func (j *mainJob) digest() {
	t, h := j.t, j.h
	t.Helper()
	h.cli("run", "daily_digest")
	var digest mail
	eventually(t, "the digest in the inbox", func() bool {
		for _, m := range j.mails() {
			if strings.Contains(m.Text, "/daily/?/updates/") {
				digest = m
				return true
			}
		}
		return false
	})
	link := regexp.MustCompile(`http\S+/daily/\?/updates/\S+`).FindString(digest.Text)
	if !strings.HasPrefix(link, h.env["SITE_URL"]+"/daily/?/updates/") {
		t.Fatalf("link %q in\n%s", link, digest.Text)
	}
	r, err := http.NewRequest(http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	r.Header.Set("Accept-Language", "en-US,en;q=0.5")
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	to := answer.Header.Get("Location")
	if answer.StatusCode/100 != 3 || !strings.HasPrefix(to, "/updates/") || !strings.Contains(to, "utm_source=email&utm_medium=email&utm_campaign=Daily_Notification") {
		t.Errorf("a click: %s to %q", answer.Status, to)
	}
	get(t, h.env["SITE_URL"]+to)
	if _, status := fetch(t, h.env["SITE_URL"]+"/daily/?//evil.example/"); status != http.StatusNotFound && status != http.StatusBadRequest {
		t.Errorf("a click to another site: %d", status)
	}
	eventually(t, "the click is counted", func() bool { return h.clicks() == 1 })
	j.clicked, j.sent = h.clicks(), j.mails()
}

// dashboard looks at every page.
func (j *mainJob) dashboard() {
	j.t.Helper()
	for page, want := range map[string]string{"/": "web.1", "/queues": "default", "/schedule": "daily_digest", "/inbox": "", "/objects": "advisories", "/logs": "worker.1", "/clicks": "daily"} {
		if body := get(j.t, j.h.env["DAYFLY_URL"]+page, "Accept", "text/html"); !strings.Contains(body, want) {
			j.t.Errorf("the page %s does not show %q", page, want)
		}
	}
}

func (j *mainJob) advisory(h *house) string { return h.env["BUCKET_ADVISORIES_URL"] + j.key }

// clicks counted, as the dashboard shows.
func (h *house) clicks() int64 {
	h.t.Helper()
	var page struct{ Total int64 }
	if err := json.Unmarshal([]byte(get(h.t, h.env["DAYFLY_URL"]+"/clicks?format=json")), &page); err != nil {
		h.t.Fatal(err)
	}
	return page.Total
}

// inboxMails are the mails of the embedded inbox, as the dashboard shows them.
func (h *house) inboxMails() []mail {
	h.t.Helper()
	var page struct {
		Mails []struct{ ID, Subject string }
	}
	if err := json.Unmarshal([]byte(get(h.t, h.env["DAYFLY_URL"]+"/inbox?format=json")), &page); err != nil {
		h.t.Fatal(err)
	}
	var all []mail
	for _, m := range page.Mails {
		var one mail
		text := get(h.t, h.env["DAYFLY_URL"]+"/inbox/"+m.ID+"?format=json")
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			h.t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// prepare does at moto what a deployment does at AWS: it verifies the sender
// and lets everybody read the public bucket.
func prepare(t *testing.T, endpoint, sender, bucket string) {
	t.Helper()
	program := fmt.Sprintf(`import boto3, json
def client(name):
    return boto3.client(name, endpoint_url=%q, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")
client("ses").verify_email_identity(EmailAddress=%q)
s3, bucket = client("s3"), %q
s3.create_bucket(Bucket=bucket)
s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::" + bucket + "/*"}]}))
`, endpoint, sender, bucket)
	if out, err := exec.Command(need.Python(t, "boto3"), "-c", program).CombinedOutput(); err != nil {
		t.Fatalf("prepare: %v\n%s", err, out)
	}
}

// motoMails are what moto's SES was given to send.
func motoMails(t *testing.T, endpoint string) []mail {
	t.Helper()
	text := get(t, endpoint+"/moto-api/data.json")
	var data map[string]map[string][]map[string]any
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		t.Fatalf("moto: %v: %.300s", err, text)
	}
	var all []mail
	for model, rows := range data["ses"] {
		for _, row := range rows {
			all = append(all, mail{model, fmt.Sprint(row)})
		}
	}
	return all
}
