package diskqueue

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
)

// fifoModel is the model for porcupine.
var fifoModel = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{world{}} },
	Step: func(state, input, _ any) (after []any) {
		for _, w := range state.(world).step(input.(*act)) {
			after = append(after, w)
		}
		return after
	},
	Equal: func(a, b any) bool { return a.(world).equal(b.(world)) },
	Hash:  func(a any) uint64 { return a.(world).hash() },
}).ToModel()

// verdict says what is wrong with a history; "": nothing.
func (h *fifoHistory) verdict() string {
	if h.wrong != "" {
		return h.wrong
	}
	for _, group := range fifoGroups {
		ops := h.groups[group]
		slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		if r := porcupine.CheckOperationsTimeout(fifoModel, ops, time.Minute); r != porcupine.Ok {
			return fmt.Sprintf("group %s: %s: no order of these explains the last:\n%s", group, r, explain(ops))
		}
	}
	return ""
}

// explain shows the last operations, up to the first that nothing explains.
func explain(ops []porcupine.Operation) string {
	n := 1
	for n < len(ops) && porcupine.CheckOperationsTimeout(fifoModel, ops[:n], time.Minute) == porcupine.Ok {
		n++
	}
	var b strings.Builder
	for _, op := range ops[max(0, n-25):n] {
		fmt.Fprintf(&b, "client %d, %d to %d: %s\n", op.ClientId, op.Call, op.Return, op.Input.(*act))
	}
	return b.String()
}

// TestFIFOHistories checks random histories of concurrent clients, with crashes,
// against the model.
func TestFIFOHistories(t *testing.T) {
	var operations, crashes int
	n := histories(t, 6*time.Second, func(t *testing.T, seed uint64) {
		var h *fifoHistory
		synctest.Test(t, func(*testing.T) { h = runFIFO(seed, bug{}) })
		for _, ops := range h.groups {
			operations += len(ops)
		}
		crashes += h.crashes
		if wrong := h.verdict(); wrong != "" {
			t.Error(wrong)
		}
	})
	t.Logf("%d histories, %d crashes, %d operations", n, crashes, operations)
}
