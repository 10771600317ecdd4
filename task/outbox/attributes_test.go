package outbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// FuzzDecodeAttributes: whatever a program wrote into the column, it is refused,
// or it is attributes that survive being written again.
func FuzzDecodeAttributes(f *testing.F) {
	f.Add(`{"a":{"type":"String","value":"x"},"b":{"type":"Binary.png","value":"AP8="}}`)
	f.Add(`{"a":{"type":"Number","value":1}}`)
	f.Add(`null`)
	f.Add(`{} {}`)
	f.Add(`{"a":{"type":"Binary","value":""}}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := decodeAttributes(text)
		if err != nil || queue.CheckMessage("q", queue.Outgoing{Body: "x", Attributes: m}) != nil {
			return
		}
		again, err := encodeAttributes(m)
		if err != nil {
			t.Fatal(err)
		}
		if again == nil {
			if len(m) > 0 {
				t.Errorf("%q is written as nothing", text)
			}
			return
		}
		back, err := decodeAttributes(again.(string))
		if diff := cmp.Diff(m, back); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	})
}
