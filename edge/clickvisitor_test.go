package edge

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestVisitors: one person counts once a day and link, also after a restart; what
// is kept of the person says nothing once the day is over.
func TestVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "clicks.jsonl")
		s := openTestClicks(t, file)
		ann := clicker{person: true, client: "192.0.2.1", agent: firefox}
		bob := clicker{person: true, client: "192.0.2.2", agent: firefox}
		follow := func() {
			for _, by := range []clicker{ann, ann, bob, {client: "192.0.2.3"}} {
				s.count("daily", "/a", time.Now(), by)
			}
			s.count("daily", "/b", time.Now(), ann)
		}
		reopen := func() {
			t.Helper()
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			s = openTestClicks(t, file)
		}
		day := dayOf(time.Now())
		follow()
		reopen()
		follow()
		want := []ClickCount{{"daily", "/a", day, 6, 2, 2}, {"daily", "/b", day, 2, 1, 0}}
		if diff := cmp.Diff(want, s.counts()); diff != "" {
			t.Error(diff)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "192.0.2") || strings.Contains(string(data), "Firefox") {
			t.Errorf("the file names a person:\n%s", data)
		}
		if strings.Count(string(data), `"salt"`) != 1 || strings.Count(string(data), `"seen"`) == 0 {
			t.Errorf("the file has no salt and hashes of the day:\n%s", data)
		}
		old := s.people.salt

		time.Sleep(25 * time.Hour) // of the bubble: the day ends without a click
		synctest.Wait()
		data, err = os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), fmt.Sprintf("%x", old)) || strings.Contains(string(data), `"seen"`) {
			t.Errorf("the file has the salt or hashes of a day that is over:\n%s", data)
		}
		follow()
		want = append([]ClickCount{{"daily", "/a", dayOf(time.Now()), 3, 2, 1}, {"daily", "/b", dayOf(time.Now()), 1, 1, 0}}, want...)
		if diff := cmp.Diff(want, s.counts()); diff != "" {
			t.Error(diff)
		}
		reopen()
		if diff := cmp.Diff(want, s.counts()); diff != "" {
			t.Error(diff)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestScanner: who says it is a browser and follows all links of a mail at once is
// a program; a person who follows as many in a quarter of an hour is none.
func TestScanner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTestClicks(t, filepath.Join(t.TempDir(), "clicks.jsonl"))
		for i := range 30 {
			s.count("daily", fmt.Sprintf("/%d", i), time.Now(), clicker{true, "192.0.2.1", firefox})
		}
		for i := range 30 {
			s.count("daily", fmt.Sprintf("/%d", i), time.Now(), clicker{true, "192.0.2.2", firefox})
			time.Sleep(30 * time.Second) // of the bubble
		}
		people, bots := int64(0), int64(0)
		for _, c := range s.counts() {
			people, bots = people+c.People, bots+c.Bots
		}
		if people != burstLinks+30 || bots != 30-burstLinks {
			t.Errorf("%d clicks of people, %d of programs", people, bots)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestClickFileVersion1: a file of a dayfly that counted no visitors is read, and
// written anew.
func TestClickFileVersion1(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clicks.jsonl")
	day := dayOf(time.Now().AddDate(0, 0, -1))
	if err := os.WriteFile(file, []byte(clickFormat1+`{"day":"`+day+`","campaign":"daily","path":"/a","people":3,"bots":1}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := []ClickCount{{"daily", "/a", day, 3, 0, 1}}
	for range 2 {
		s := openTestClicks(t, file)
		if diff := cmp.Diff(want, s.counts()); diff != "" {
			t.Error(diff)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	if data, _ := os.ReadFile(file); !strings.HasPrefix(string(data), clickFormat) {
		t.Errorf("still %.60s", data)
	}
}
