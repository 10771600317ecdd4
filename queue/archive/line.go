package archive

import (
	"time"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Types of lines.
const (
	typeHeader  = "dayfly queue export"
	typeQueue   = "queue"
	typeMessage = "message"
	typeEnd     = "end"
)

type headerLine struct {
	Type    string    `json:"type"`
	Version int       `json:"version"`
	Written time.Time `json:"written"`
}

type queueLine struct {
	Type       string            `json:"type"`
	Name       string            `json:"name"`
	Created    *time.Time        `json:"created,omitempty"`
	Modified   *time.Time        `json:"modified,omitempty"`
	Attributes attributesOf      `json:"attributes"`
	Tags       map[string]string `json:"tags,omitempty"`
}

type attributesOf struct {
	Visibility     duration          `json:"visibility"`
	Delay          duration          `json:"delay"`
	Retention      duration          `json:"retention"`
	ReceiveWait    duration          `json:"receive_wait"`
	MaxMessageSize int               `json:"max_message_size"`
	DeadLetter     *deadLetterOf     `json:"dead_letter,omitempty"`
	FIFO           bool              `json:"fifo,omitempty"`
	ContentDedup   bool              `json:"content_dedup,omitempty"`
	GroupDedup     bool              `json:"group_dedup,omitempty"`
	Extra          map[string]string `json:"extra,omitempty"`
}

type deadLetterOf struct {
	Queue       string `json:"queue"`
	MaxReceives int    `json:"max_receives"`
}

// duration is written as in the manifest: "1m30s".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = duration(v)
	return err
}

type messageLine struct {
	Type           string             `json:"type"`
	Queue          string             `json:"queue"`
	ID             string             `json:"id,omitempty"`
	Sequence       string             `json:"sequence,omitempty"`
	Sent           *time.Time         `json:"sent,omitempty"`
	State          driver.State       `json:"state"`
	VisibleAt      *time.Time         `json:"visible_at,omitempty"`
	Receives       int                `json:"receives"`
	ReceivesBefore int                `json:"receives_before,omitempty"`
	FirstReceived  *time.Time         `json:"first_received,omitempty"`
	Source         string             `json:"source,omitempty"`
	Doubtful       bool               `json:"doubtful,omitempty"`
	GroupID        string             `json:"group_id,omitempty"`
	DedupID        string             `json:"dedup_id,omitempty"`
	Attributes     map[string]valueOf `json:"attributes,omitempty"`
	System         map[string]valueOf `json:"system,omitempty"`
	Body           string             `json:"body,omitempty"`
	BodyBase64     []byte             `json:"body_base64,omitempty"`
}

// valueOf is one of the three, as its type says. Bytes that are not UTF-8, which
// JSON cannot hold, are in base64.
type valueOf struct {
	Type         string `json:"type"`
	String       string `json:"string,omitempty"`
	StringBase64 []byte `json:"string_base64,omitempty"`
	Binary       []byte `json:"binary,omitempty"`
}

type endLine struct {
	Type     string `json:"type"`
	Queues   int    `json:"queues"`
	Messages int64  `json:"messages"`
	Lost     int64  `json:"lost,omitempty"`
	Damaged  bool   `json:"damaged,omitempty"`
}

// text returns s where JSON can hold it, else its bytes.
func text(s string) (string, []byte) {
	if utf8.ValidString(s) {
		return s, nil
	}
	return "", []byte(s)
}

func valuesOf(m map[string]driver.Attribute) map[string]valueOf {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]valueOf, len(m))
	for name, a := range m {
		v := valueOf{Type: a.DataType, Binary: a.Binary}
		v.String, v.StringBase64 = text(a.String)
		out[name] = v
	}
	return out
}

func attributes(m map[string]valueOf) map[string]driver.Attribute {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]driver.Attribute, len(m))
	for name, v := range m {
		out[name] = driver.Attribute{DataType: v.Type, String: v.String + string(v.StringBase64), Binary: v.Binary}
	}
	return out
}

// when returns a time to write, nil for none.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}
