package turns

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// rates of a board by subject, a round each.
func boardOf(t *testing.T, w Work, rates map[string][]int) *Board {
	t.Helper()
	round := map[string]int{}
	w.Run = func(subject string) (Sample, error) {
		v := rates[subject]
		if v == nil {
			return Sample{}, ErrSkip
		}
		s := Sample{Messages: v[round[subject]], Elapsed: time.Second, Client: time.Millisecond}
		round[subject]++
		return s, nil
	}
	b := NewBoard("test", "message", []string{"own", "slow", "fast", "absent"}, []Work{w})
	b.Measure(3, func() {})
	return b
}

func TestVerdict(t *testing.T) {
	peers := []string{"slow", "fast", "absent"}
	rates := map[string][]int{"own": {300, 100, 240}, "slow": {10, 20, 30}, "fast": {100, 100, 120}}
	for _, tc := range []struct {
		factor float64
		want   string
	}{
		{2, "≥ 2 × fast: 2.00 (1.00–3.00), **met**"},
		{2.1, "≥ 2.1 × fast: 2.00 (1.00–3.00), **missed**"},
		{0, "× fast: 2.00 (1.00–3.00)"},
	} {
		w := Work{Name: "send", Aims: []Aim{{"", tc.factor, peers}}}
		b := boardOf(t, w, rates)
		if got := b.verdicts(b.works[0]); got != tc.want {
			t.Errorf("factor %v: %q, want %q", tc.factor, got, tc.want)
		}
	}
}

func TestTable(t *testing.T) {
	b := boardOf(t, Work{Name: "send"}, map[string][]int{"own": {1500, 900, 2_000_000}, "slow": {1, 2, 3}})
	var out strings.Builder
	b.Write(&out)
	if want := "| send | 1.5k (900–2.00M) | 2 (1–3) | – | – | – |\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
}

func TestFailureOfOneSubject(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	b := NewBoard("test", "message", []string{"own", "other"}, []Work{{Name: "send", Slices: 4, Run: func(subject string) (Sample, error) {
		if subject == "other" {
			calls++
			return Sample{}, broken
		}
		return Sample{Messages: 1, Elapsed: time.Second}, nil
	}}})
	b.Measure(2, func() {})
	if calls != 1 {
		t.Errorf("what failed was tried %d times", calls)
	}
	if err := b.Failed(); err != nil {
		t.Errorf("a peer's failure is the run's: %v", err)
	}
	if got := b.samples["send"]["own"]; len(got) != 2 || got[0].Messages != 4 {
		t.Errorf("samples %+v, want two of four slices", got)
	}
	if got := b.cell("send", "other"); got != "failed" {
		t.Errorf("cell %q", got)
	}
}

func TestLoad(t *testing.T) {
	b := NewBudget(1005)
	s, err := Load(7, time.Minute, func(int) (int, error) { return b.Take(10), nil })
	if err != nil || s.Messages != 1005 {
		t.Errorf("%d messages, %v; want 1005", s.Messages, err)
	}
	broken := errors.New("broken")
	if _, err := Load(3, time.Minute, func(c int) (int, error) {
		if c == 1 {
			return 0, broken
		}
		return 1, nil
	}); err != broken {
		t.Errorf("error %v, want that of the client that failed", err)
	}
}
