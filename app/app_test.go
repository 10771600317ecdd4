package app

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
)

func TestOneHolderOfADataFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d, err := openData(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openData(dir)
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID == "" {
		t.Fatalf("a second holder: %v", err)
	}
	first, err := d.keys()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	again, err := openData(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	second, err := again.keys()
	if err != nil || first != second || len(first.AccessKey) != 20 || len(first.SecretKey) != 40 {
		t.Errorf("keys %d and %d bytes, the same: %v, %v", len(first.AccessKey), len(first.SecretKey), first == second, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, ".gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf(".gitignore is %q, %v", text, err)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, "keys.json": 0o600, "lock": 0o600} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
	}
}

func TestANewerDataFolderIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{"99\n": "layout version 99", "x\n": "does not hold a version"} {
		if err := os.WriteFile(filepath.Join(dir, "VERSION"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openData(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
		if kept, err := os.ReadFile(filepath.Join(dir, "VERSION")); err != nil || string(kept) != text {
			t.Errorf("%q became %q, %v", text, kept, err)
		}
	}
}

func TestATakenPortIsReplacedAndSaid(t *testing.T) {
	holder, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	_, port, _ := net.SplitHostPort(holder.Addr().String())
	l, note, err := listen(holder.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Addr().String() == holder.Addr().String() || note != "port "+port+" was taken" {
		t.Errorf("%s, %q", l.Addr(), note)
	}
	if _, _, err := listen("203.0.113.1:80"); err == nil || !strings.Contains(err.Error(), "no such address") {
		t.Errorf("an address of another machine: %v", err)
	}
}

func TestWhatTheEnvironmentNames(t *testing.T) {
	m := &manifest.Manifest{Name: "shop"}
	x, err := findExternal(environMap([]string{"AWS_ACCESS_KEY_ID=real", "AWS_REGION=eu-west-1"}))
	if err != nil || x.AWS {
		t.Errorf("credentials alone choose AWS: %+v, %v", x.AWS, err)
	}
	x, err = findExternal(environMap([]string{"DAYFLY_AWS=1", "AWS_REGION=eu-west-1", "QUEUE_MAIL_URL=https://sqs/1/theirs",
		"BUCKET_PICTURES=pics", "DATABASE_URL=postgres://db/x", "CACHE_BIG_ONE_URL=memcached://c:1"}))
	if err != nil || !x.AWS {
		t.Fatal(x.AWS, err)
	}
	got := []string{x.queue(m, "mail"), x.queue(m, "default"), x.bucket(m, "pictures"), x.bucket(m, "files"), x.database("default"), x.database("other"), x.cache("big-one"), x.cache("default")}
	want := []string{"theirs", "shop-default", "pics", "shop-files", "postgres://db/x", "", "memcached://c:1", ""}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, env := range [][]string{{"DAYFLY_AWS=yes"}, {"DAYFLY_AWS=1"}, {"AWS_ENDPOINT_URL=http://x"}} {
		if _, err := findExternal(environMap(env)); err == nil {
			t.Errorf("%v accepted", env)
		}
	}
}

func TestAnEnvironmentOfItsOwn(t *testing.T) {
	a := &App{keys: keys{AccessKey: "DAYFLYOURS"}}
	for key, refused := range map[string]bool{"": false, "DAYFLYTHEIRS": false, "DAYFLYOURS": true} {
		a.environ = map[string]string{"AWS_ACCESS_KEY_ID": key}
		if err := a.notItsOwn(); (err != nil) != refused {
			t.Errorf("the key %q: %v", key, err)
		}
	}
}

func TestProcessesDoNotSeeTheShellsAccount(t *testing.T) {
	a := &App{manifest: &manifest.Manifest{Env: map[string]string{"A": "manifest", "B": "manifest", "C": "manifest"}},
		environ: environMap([]string{"A=shell", "AWS_PROFILE=production", "AWS_SESSION_TOKEN=secret", "PORT=1", "PATH=/bin"})}
	a.variables.set("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
	env := environMap(a.instanceEnv(map[string]string{"B": "process"}, "web.1", 4000))
	for k, want := range map[string]string{"A": "shell", "B": "process", "C": "manifest", "AWS_PROFILE": "", "AWS_SESSION_TOKEN": "",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "PORT": "4000", "DAYFLY_PROCESS": "web.1", "PATH": "/bin"} {
		if env[k] != want {
			t.Errorf("%s=%q, want %q", k, env[k], want)
		}
	}
	if _, ok := environMap(a.instanceEnv(nil, "worker.1", 0))["PORT"]; ok {
		t.Error("a process without http has a PORT")
	}
}

func TestShellQuoting(t *testing.T) {
	v := Variables{{"A", "it's $HOME"}}
	if got, want := v.Shell(), `export A='it'\''s $HOME'`+"\n"; got != want {
		t.Errorf("%s", got)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://user:pass@db:5432/x?sslmode=require": "postgres://db:5432/x", "mysql://u:p@a@h/x": "mysql://h/x",
		"sqlite:////srv/a.db": "sqlite:////srv/a.db", "smtp://mail:25": "smtp://mail:25",
	} {
		if got := redact(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestRotatedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	r, err := openRotated(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.size = rotatedSize + 1
	if _, err := r.Write([]byte("second\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".1"); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "second\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestRotatedFileHasWholeLines: of a write that ended in the middle, as on a disk
// that is full, whole lines stay.
func TestRotatedFileHasWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	r, err := openRotated(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Write([]byte("first\n")); err != nil {
		t.Fatal(err)
	}
	half := []byte("second\nthi") // of "second\nthird\n"
	if _, err := r.f.Write(half); err != nil {
		t.Fatal(err)
	}
	if n := r.undoHalf(half); n != len("second\n") {
		t.Errorf("%d bytes stay", n)
	}
	r.size += int64(len("second\n"))
	if _, err := r.Write([]byte("fourth\n")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "first\nsecond\nfourth\n" || r.size != int64(len(text)) {
		t.Errorf("%q of %d, %v", text, r.size, err)
	}
}

// TestRotationThatFailsKeepsTheOldFiles has the folder vanish at a rotation.
func TestRotationThatFailsKeepsTheOldFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "access.jsonl")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := openRotated(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	r.size = rotatedSize + 1
	for range 3 {
		if _, err := r.Write([]byte("lost\n")); err == nil {
			t.Fatal("written into a folder that is away")
		}
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Write([]byte("again\n")); err != nil {
		t.Fatal(err)
	}
	if old, _ := filepath.Glob(path + ".*"); len(old) != 0 {
		t.Errorf("shifted without need: %v", old)
	}
}

// TestStartEndsWhatItBegan fails a start late and expects nothing of it left.
func TestStartEndsWhatItBegan(t *testing.T) {
	dir := t.TempDir()
	text := "name = \"a\"\n[process.p]\ncommand = \"exit 1\"\nhttp = true\n[queue.default]\n[cache.default]\n[bucket.files]\n[listen]\nedge=\"127.0.0.1:0\"\ndashboard=\"127.0.0.1:0\"\naws=\"127.0.0.1:0\"\ncache=\"127.0.0.1:0\"\nsmtp=\"127.0.0.1:0\"\n"
	m, err := manifest.Parse(filepath.Join(dir, manifest.FileName), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second start finds the lock free
		began := time.Now()
		_, err := Start(t.Context(), Options{Manifest: m, Environ: os.Environ()})
		if err == nil || !strings.Contains(err.Error(), "process p.1 does not start") {
			t.Fatalf("%v", err)
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("took %s", took)
		}
	}
}
