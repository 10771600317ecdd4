package drivertest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// mutant names the reference's bug for a run of TestReference.
const mutant = "DAYFLY_TEST_QUEUE_MUTANT"

// TestReference runs what is said of FIFO queues, fair groups and move tasks
// over the reference. The reference has no more than that needs.
func TestReference(t *testing.T) {
	wrong := os.Getenv(mutant)
	skip := map[string]string{"FIFOState/NoOverLimit": "120,000 messages are too many for lists"}
	for _, topic := range topics {
		if strings.HasPrefix(topic.name, "FIFO") || strings.HasPrefix(topic.name, "Fair") || strings.HasPrefix(topic.name, "Move") {
			continue
		}
		for name := range topic.tests {
			skip[topic.name+"/"+name] = "of standard queues"
		}
	}
	Run(t, Harness{Virtual: true, Skip: skip, New: func(*testing.T) *Store {
		r := newReference(newMemory(), wrong)
		again := func() (driver.Service, error) {
			r.Close()
			r = newReference(r.memory, wrong)
			return r, nil
		}
		return &Store{Service: r, Reopen: again, Crash: again}
	}})
}

// TestMutants gives the reference one bug after the other: the test named must
// then fail.
func TestMutants(t *testing.T) {
	for wrong, test := range map[string]string{
		"a group does not block":                            "FIFO/HeldMessageBlocksItsGroup",
		"a group blocks until all of it is done":            "FIFO/GivenBackComesBeforeTheHeld",
		"one of a group at a time":                          "FIFO/SeveralOfAGroupAtOnce",
		"groups are mixed in a receive":                     "FIFO/SeveralOfAGroupAtOnce",
		"the last of a group comes first":                   "FIFO/OrderInGroup",
		"given back goes to the end":                        "FIFO/OrderWhateverTheOrderGivenBack",
		"sequences have 19 digits":                          "FIFO/SequenceGrows",
		"sequences are the number of messages":              "FIFO/SequenceGrows",
		"a receipt deletes after its visibility":            "FIFOReceipt/ExpiresWithItsVisibility",
		"an older receipt is taken for good":                "FIFOReceipt/GivenBackExpires",
		"a delete wakes nobody":                             "FIFOReceipt/WaiterWokenByDelete",
		"a change to zero wakes nobody":                     "FIFOReceipt/WaiterWokenByChangeToZero",
		"a delay of zero is none on a FIFO queue":           "FIFODelay/OfTheQueue",
		"a changed delay is for new messages only":          "FIFODelay/MadeShorter",
		"a shorter delay wakes nobody":                      "FIFODelay/EndedWakesWaiter",
		"attempts are not known":                            "FIFOAttempt/RepeatedGetsTheSame",
		"a repeated attempt has new receipts":               "FIFOAttempt/RepeatedGetsTheSame",
		"a repeated attempt does not hide anew":             "FIFOAttempt/RepeatedReceiptDeletes",
		"attempts are known for ever":                       "FIFOAttempt/ForgottenAfter5Minutes",
		"attempts are good whatever became of the messages": "FIFOAttempt/OverAfterDelete",
		"a visibility change does not end an attempt":       "FIFOAttempt/OverAfterVisibilityChange",
		"an attempt that got nothing is kept":               "FIFOAttempt/EmptyIsNotKept",
		"a duplicate has an id of its own":                  "FIFODedup/ByID",
		"a duplicate has a sequence of its own":             "FIFODedup/ByID",
		"what is deleted is not known for deduplication":    "FIFODedup/ByID",
		"attributes are content":                            "FIFODedup/ByContent",
		"the content's hash is not shown":                   "FIFODedup/ByContent",
		"content goes before the id":                        "FIFODedup/IDGoesBeforeContent",
		"ids and contents are two name spaces":              "FIFODedup/IDThatIsTheContentOfAnother",
		"the scope is the wrong one":                        "FIFODedup/ScopeQueue",
		"a deduplication id is not required":                "FIFODedup/Required",
		"a part of what is refused is stored":               "FIFODedup/Required",
		"what was refused is known for deduplication":       "FIFODedup/RefusedIsNotKnown",
		"duplicates are known for 10 minutes":               "FIFODedup/Window",
		"a duplicate makes the window longer":               "FIFODedup/Window",
		"a purge leaves what is known for deduplication":    "FIFODedup/PurgeForgets",
		"a purge leaves what is in flight":                  "FIFOState/Purge",
		"dead letters are in no order":                      "FIFODeadLetter/KeepsOrderAndIDs",
		"a dead letter has a new id":                        "FIFODeadLetter/KeepsOrderAndIDs",
		"a dead letter keeps its deduplication id":          "FIFODeadLetter/DedupIDIsTheMessageID",
		"dead letters are deduplicated":                     "FIFODeadLetter/DedupIDIsTheMessageID",
		"a dead letter's time is that of sending":           "FIFODeadLetter/RetentionFromTheMove",
		"a dead letter wakes nobody":                        "FIFODeadLetter/WakesWaiter",
		"opened again, sequences begin anew":                "FIFODurable/SequenceGrowsOn",
		"opened again, duplicates are forgotten":            "FIFODurable/ReopenKeepsDuplicates",
		"opened again, nothing is in flight":                "FIFODurable/ReopenKeepsOrderAndBlocks",
		"groups are not fair":                               "Fair/ThirtyInFlightComeLast",
		"a tenant is noisy with 29":                         "Fair/ThirtyInFlightComeLast",
		"a tenant is noisy with 31":                         "Fair/ThirtyInFlightComeLast",
		"a tenant is noisy with a tenth":                    "Fair/TenthInFlightIsNotNoisy",
		"a tenant is noisy whatever its share":              "Fair/TenthInFlightIsNotNoisy",
		"those without a group are one tenant":              "Fair/WithoutGroupIsNotNoisy",
		"flights of a tenant are counted for ever":          "Fair/QuietAgainWhenDeleted",
		"the noisy get nothing":                             "Fair/ThirtyInFlightComeLast",
		"a move keeps ids":                                  "Move/ToTheDestination",
		"a move keeps counts":                               "Move/ToTheDestination",
		"a move keeps times":                                "Move/ToTheDestination",
		"a move keeps the source":                           "Move/ToTheDestination",
		"a move goes to one source only":                    "Move/ToTheOriginalSources",
		"a move takes what is in flight":                    "Move/OnlyTheVisible",
		"a move has no rate":                                "Move/Rate",
		"a move wakes nobody":                               "Move/WakesWaiter",
		"a cancelled move goes on":                          "MoveTask/Cancel",
		"what is over can be cancelled":                     "MoveTask/CancelWhatIsOver",
		"a queue has many moves":                            "MoveTask/OneAQueue",
		"a service has many moves":                          "MoveTask/HundredAService",
		"moves are listed oldest first":                     "MoveTask/ListsTheLastTen",
		"moves that are over have handles":                  "MoveTask/ListsTheLastTen",
		"a failing move loses a message":                    "MoveTask/DestinationDeleted",
		"a move drops what has no source":                   "MoveTask/NoOriginalSource",
		"opened again, moves stand still":                   "MoveDurable/GoesOnAfterReopen",
		"opened again, moves are not listed":                "MoveDurable/ReopenKeepsTheList",
		"a move minds no groups":                            "MoveDurable/FIFOOnlyWhatMayBeReceived",
	} {
		t.Run(wrong, func(t *testing.T) {
			t.Parallel()
			run := "^TestReference$/^" + strings.ReplaceAll(regexp.QuoteMeta(test), "/", "$/^") + "$"
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+run, "-test.timeout=60s")
			cmd.Env = append(os.Environ(), mutant+"="+wrong)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestReference/"+test) {
				t.Errorf("%s passes with this bug: %v\n%s", test, err, out)
			}
		})
	}
}
