package drivertest_test

import (
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/drivertest"
)

// mutant names the reference's bug for a run of TestReference.
const mutant = "DAYFLY_TEST_RECORDS_MUTANT"

// TestReference runs the suite over a driver that can have bugs, in memory, with
// a second driver on the same records, crashes, and a connection that is cut.
func TestReference(t *testing.T) {
	wrong := os.Getenv(mutant)
	// The suite's own rounds. The 16 that tests over DynamoDB and S3 ask for find
	// each bug, too, but bugs of order only nine times in ten.
	drivertest.Run(t, drivertest.Harness{Virtual: true, New: func(*testing.T) *drivertest.Store {
		m := newMemory()
		return &drivertest.Store{
			Driver: newReference(m, wrong, true),
			Another: func() (driver.Store, error) {
				if wrong == "opened again, it is empty" {
					return newReference(newMemory(), wrong, false), nil
				}
				return newReference(m, wrong, false), nil
			},
			Crash: func() (driver.Store, error) {
				if wrong == "a crash takes back the last write" {
					m.records = m.before
				}
				after := newMemory()
				after.records = maps.Clone(m.records)
				return newReference(after, wrong, false), nil
			},
			Cut: func(n int) func() bool {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.cut = n
				return func() bool {
					m.mu.Lock()
					defer m.mu.Unlock()
					cut := m.cut < 0
					m.cut = -1
					return cut
				}
			},
		}
	}})
}

// TestMutants gives the reference one bug after the other: the test named must
// then fail.
func TestMutants(t *testing.T) {
	for wrong, test := range map[string]string{
		"a put looks and then writes":                   "Concurrent/Linearizable",
		"a delete looks and then removes":               "Concurrent/OneWrites",
		"taking over looks and then writes":             "Expiry/OneTakesOver",
		"reads are remembered":                          "Basic/SeenByAnother",
		"versions are counted":                          "Conditions/VersionsNeverComeBack",
		"versions are of the value":                     "Basic/EqualValueIsAWrite",
		"versions have no case":                         "Conditions/LikeVersions",
		"a star is any version":                         "Conditions/LikeVersions",
		"a write needs no record":                       "Conditions/WriteWhereThereIsNone",
		"a conflict changes the mark":                   "Conditions/ConflictChangesNothing",
		"a delete looks at no version":                  "Conditions/OldVersion",
		"keys have no case":                             "Basic/Keys",
		"keys have no spaces at the end":                "Basic/Keys",
		"values are shared":                             "Basic/NothingRetained",
		"the expiry of before stays":                    "Basic/AllFieldsReplaced",
		"a list counts":                                 "Listing/UnderChange",
		"a page begins with the last of the one before": "Listing/UnderChange",
		"what expired ends a page":                      "Listing/AmongExpired",
		"a list ends at a thousand":                     "Limits/ManyOfAMark",
		"expiry is ignored by get":                      "Expiry/ExpiredIsNone",
		"expiry is ignored by put":                      "Expiry/ExpiredIsNone",
		"expiry is ignored by list":                     "Expiry/ExpiredIsNone",
		"records live a second longer":                  "Expiry/OnTime",
		"a sweep takes what just expired":               "Sweep/OnlyLongExpired",
		"a sweep takes all":                             "Sweep/Limit",
		"a sweep looks and then removes":                "Sweep/RenewedMeanwhile",
		"values end at 64 KiB":                          "Limits/ValueSizes",
		"expiries end in 2038":                          "Limits/Expiries",
		"a closed store answers":                        "Lifecycle/Closed",
		"an ended context is ignored":                   "Lifecycle/ContextEnded",
		"a lost answer is asked for again":              "Cut/Make",
		"a lost answer is a conflict":                   "Cut/Write",
		"a lost request is taken for done":              "Cut/Delete",
		"a late write looks at nothing":                 "Cut/Linearizable",
		"opened again, it is empty":                     "Durable/Reopen",
		"a crash takes back the last write":             "Durable/CrashKeepsAcknowledged",
	} {
		t.Run(wrong, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReference$/^"+strings.ReplaceAll(test, "/", "$/^")+"$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), mutant+"="+wrong)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestReference/"+test) {
				t.Errorf("%s passes with this bug: %v\n%s", test, err, out)
			}
		})
	}
}
