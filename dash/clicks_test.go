package dash

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestClicksCSV: what a spreadsheet reads is what was counted, and no formula.
func TestClicksCSV(t *testing.T) {
	f := newFixture(t)
	today := now.UTC().Format(time.DateOnly)
	f.app.clicks = []ClickCount{{"daily", "/a,\"b\"", today, 3, 2, 1}, {"daily", "=1+1", today, 1, 1, 0}, {"monthly", "/c", today, 7, 7, 7}, {"daily", "/old", "2020-01-01", 9, 9, 9}}
	res := f.get("/clicks.csv?campaign=daily&days=7")
	if res.Code != http.StatusOK || !strings.HasPrefix(res.Header().Get("Content-Type"), "text/csv") {
		t.Fatalf("%d %v", res.Code, res.Header())
	}
	rows, err := csv.NewReader(res.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, strings.Join(r, " "))
	}
	if want := "day campaign link clicks visitors programs|" + today + ` daily /a,"b" 3 2 1|` + today + " daily '=1+1 1 1 0"; strings.Join(got, "|") != want {
		t.Errorf("%s\nnot\n%s", strings.Join(got, "|"), want)
	}
}
