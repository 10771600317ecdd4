package outbox

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/dayfly-dev/dayfly/queue"
)

// traceHeader is the one system attribute there is, in a column of its own.
const traceHeader = "AWSTraceHeader"

const maxAttributesText = 2 << 20 // of a column; a message has 1 MiB, which escaping lengthens

// wireAttribute is a message attribute in the column attributes.
type wireAttribute struct {
	Type  string `json:"type"`
	Value string `json:"value"` // of Binary types in base64
}

// encodeAttributes writes the column attributes: a JSON object, or NULL for none.
func encodeAttributes(m map[string]queue.Attribute) (any, error) {
	if len(m) == 0 {
		return nil, nil
	}
	w := make(map[string]wireAttribute, len(m))
	for name, a := range m {
		value := a.String
		if a.Binary != nil {
			value = base64.StdEncoding.EncodeToString(a.Binary)
		}
		w[name] = wireAttribute{a.DataType, value}
	}
	text, err := json.Marshal(w)
	return string(text), err
}

// decodeAttributes reads the column. What it returns has still to be checked as
// a message's attributes (queue.CheckMessage).
func decodeAttributes(text string) (map[string]queue.Attribute, error) {
	if len(text) > maxAttributesText {
		return nil, fmt.Errorf("attributes has %d bytes, more than %d", len(text), maxAttributesText)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var w map[string]wireAttribute
	if err := d.Decode(&w); err != nil {
		return nil, fmt.Errorf(`attributes is not JSON like {"name":{"type":"String","value":"x"}}: %w`, err)
	}
	if d.More() {
		return nil, errors.New("attributes has more than one JSON object")
	}
	m := make(map[string]queue.Attribute, len(w))
	for name, a := range w {
		if kind, _, _ := strings.Cut(a.Type, "."); kind != "Binary" {
			m[name] = queue.Attribute{DataType: a.Type, String: a.Value}
			continue
		}
		b, err := base64.StdEncoding.DecodeString(a.Value)
		if err != nil {
			return nil, fmt.Errorf("attributes: %q is not base64: %w", name, err)
		}
		m[name] = queue.Attribute{DataType: a.Type, Binary: b}
	}
	return m, nil
}
