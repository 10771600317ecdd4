package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// recorder is a driver that takes everything and remembers what CreateQueue and
// Receive were given: these tests are of what reaches a driver.
type recorder struct {
	driver.Service
	created  driver.Attributes
	received driver.ReceiveOptions
	calls    int
}

func (r *recorder) CreateQueue(_ context.Context, _ string, a driver.Attributes, _ map[string]string) error {
	r.created = a
	r.calls++
	return nil
}

func (r *recorder) Send(_ context.Context, _ string, m []driver.Outgoing) ([]driver.Sent, error) {
	r.calls++
	return make([]driver.Sent, len(m)), nil
}

func (r *recorder) Receive(_ context.Context, _ string, o driver.ReceiveOptions) ([]driver.Message, error) {
	r.calls++
	r.received = o
	return nil, nil
}

func (r *recorder) ChangeVisibility(_ context.Context, _ string, c []driver.VisibilityChange) ([]error, error) {
	r.calls++
	return make([]error, len(c)), nil
}

// judge checks that a call reached the driver exactly when it was to, and that
// the error names the field.
func judge(t *testing.T, r *recorder, err error, field string) {
	t.Helper()
	calls := r.calls
	r.calls = 0
	if field == "" {
		if err != nil || calls != 1 {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var wrong *InvalidError
	if !errors.As(err, &wrong) || calls != 0 {
		t.Errorf("error is %v after %d calls of the driver, want an InvalidError for %s", err, calls, field)
	} else if wrong.Field != field {
		t.Errorf("field is %q, want %q: %v", wrong.Field, field, err)
	}
}

func TestCreateQueueDefaults(t *testing.T) {
	for name, c := range map[string]struct{ give, want Attributes }{
		"zero":            {Attributes{}, Attributes{Visibility: 30 * time.Second, Retention: 96 * time.Hour, MaxMessageSize: 1 << 20}},
		"none visibility": {Attributes{Visibility: -1}, Attributes{Retention: 96 * time.Hour, MaxMessageSize: 1 << 20}},
		"given stays": {
			Attributes{Visibility: 1, Retention: time.Hour, MaxMessageSize: 2048, Delay: 5, ReceiveWait: 6},
			Attributes{Visibility: 1, Retention: time.Hour, MaxMessageSize: 2048, Delay: 5, ReceiveWait: 6},
		},
	} {
		r := &recorder{}
		if err := New(r).CreateQueue(t.Context(), "q", c.give, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, r.created); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCreateQueueArguments(t *testing.T) {
	many := map[string]string{}
	for i := range 51 {
		many[strings.Repeat("k", i+1)] = ""
	}
	for name, c := range map[string]struct {
		queue string
		a     Attributes
		tags  map[string]string
		field string // "": accepted
	}{
		"plain":               {queue: "Az09_-"},
		"80 characters":       {queue: strings.Repeat("n", 80)},
		"81 characters":       {queue: strings.Repeat("n", 81), field: "Name"},
		"no name":             {field: "Name"},
		"dot":                 {queue: "a.b", field: "Name"},
		"slash":               {queue: "a/b", field: "Name"},
		"letter of another":   {queue: "é", field: "Name"},
		"fifo":                {queue: "q.fifo", a: Attributes{FIFO: true}},
		"fifo without suffix": {queue: "q", a: Attributes{FIFO: true}, field: "FIFO"},
		"suffix without fifo": {queue: "q.fifo", field: "FIFO"},
		"suffix alone":        {queue: ".fifo", a: Attributes{FIFO: true}, field: "Name"},
		"dedup on standard":   {queue: "q", a: Attributes{ContentDedup: true}, field: "ContentDedup"},
		"visibility 12 h":     {queue: "q", a: Attributes{Visibility: 12 * time.Hour}},
		"visibility more":     {queue: "q", a: Attributes{Visibility: 12*time.Hour + 1}, field: "Visibility"},
		"delay 900 s":         {queue: "q", a: Attributes{Delay: 900 * time.Second}},
		"delay more":          {queue: "q", a: Attributes{Delay: 901 * time.Second}, field: "Delay"},
		"delay negative":      {queue: "q", a: Attributes{Delay: -1}, field: "Delay"},
		"retention 60 s":      {queue: "q", a: Attributes{Retention: time.Minute}},
		"retention less":      {queue: "q", a: Attributes{Retention: 59 * time.Second}, field: "Retention"},
		"retention 14 d":      {queue: "q", a: Attributes{Retention: 14 * 24 * time.Hour}},
		"retention more":      {queue: "q", a: Attributes{Retention: 14*24*time.Hour + 1}, field: "Retention"},
		"wait 20 s":           {queue: "q", a: Attributes{ReceiveWait: 20 * time.Second}},
		"wait more":           {queue: "q", a: Attributes{ReceiveWait: 21 * time.Second}, field: "ReceiveWait"},
		"size 1024":           {queue: "q", a: Attributes{MaxMessageSize: 1024}},
		"size less":           {queue: "q", a: Attributes{MaxMessageSize: 1023}, field: "MaxMessageSize"},
		"size more":           {queue: "q", a: Attributes{MaxMessageSize: 1<<20 + 1}, field: "MaxMessageSize"},
		"dead letter":         {queue: "q", a: Attributes{DeadLetter: &DeadLetter{Queue: "dead", MaxReceives: 1000}}},
		"dead letter itself":  {queue: "q", a: Attributes{DeadLetter: &DeadLetter{Queue: "q", MaxReceives: 3}}, field: "DeadLetter.Queue"},
		"dead letter fifo":    {queue: "q", a: Attributes{DeadLetter: &DeadLetter{Queue: "d.fifo", MaxReceives: 3}}, field: "DeadLetter.Queue"},
		"dead letter name":    {queue: "q", a: Attributes{DeadLetter: &DeadLetter{Queue: "", MaxReceives: 3}}, field: "DeadLetter.Queue"},
		"0 receives":          {queue: "q", a: Attributes{DeadLetter: &DeadLetter{Queue: "d", MaxReceives: 0}}, field: "DeadLetter.MaxReceives"},
		"1001 receives":       {queue: "q", a: Attributes{DeadLetter: &DeadLetter{Queue: "d", MaxReceives: 1001}}, field: "DeadLetter.MaxReceives"},
		"tags":                {queue: "q", tags: map[string]string{"": "x"}, field: "Tags key"},
		"tag value":           {queue: "q", tags: map[string]string{"k": strings.Repeat("v", 257)}, field: "Tags[k]"},
		"51 tags":             {queue: "q", tags: many, field: "Tags"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			judge(t, r, New(r).CreateQueue(t.Context(), c.queue, c.a, c.tags), c.field)
		})
	}
}

func TestSendArguments(t *testing.T) {
	attr := func(name string, a Attribute) Outgoing {
		return Outgoing{Body: "b", Delay: -1, Attributes: map[string]Attribute{name: a}}
	}
	str := func(typ, v string) Attribute { return Attribute{DataType: typ, String: v} }
	eleven := Outgoing{Body: "b", Attributes: map[string]Attribute{}}
	for i := range 11 {
		eleven.Attributes[string(rune('a'+i))] = str("String", "v")
	}
	for name, c := range map[string]struct {
		queue string // "": q
		m     Outgoing
		field string
	}{
		"plain":             {m: Outgoing{Body: "x", Delay: -1}},
		"empty":             {m: Outgoing{}, field: "Body"},
		"1 MiB":             {m: Outgoing{Body: strings.Repeat("x", 1<<20)}},
		"1 MiB and one":     {m: Outgoing{Body: strings.Repeat("x", 1<<20+1)}, field: "Send"},
		"white space":       {m: Outgoing{Body: "\t\n\r "}},
		"control character": {m: Outgoing{Body: "a\x08"}, field: "Body"},
		"delete is allowed": {m: Outgoing{Body: "\x7f"}},
		"not UTF-8":         {m: Outgoing{Body: "\xff"}, field: "Body"},
		"surrogate":         {m: Outgoing{Body: "\xed\xa0\x80"}, field: "Body"},
		"U+FFFE":            {m: Outgoing{Body: "\uFFFE"}, field: "Body"},
		"U+FFFD":            {m: Outgoing{Body: "\uFFFD"}},
		"U+10FFFF":          {m: Outgoing{Body: "\U0010FFFF"}},
		"delay":             {m: Outgoing{Body: "x", Delay: 15 * time.Minute}},
		"delay more":        {m: Outgoing{Body: "x", Delay: 15*time.Minute + 1}, field: "Delay"},
		"delay -2":          {m: Outgoing{Body: "x", Delay: -2}, field: "Delay"},
		"string":            {m: attr("a", str("String", "v"))},
		"custom type":       {m: attr("a", str("String.json", "{}"))},
		"binary":            {m: attr("a", Attribute{DataType: "Binary.png", Binary: []byte{0}})},
		"no type":           {m: attr("a", str("", "v")), field: "Attributes[a].DataType"},
		"unknown type":      {m: attr("a", str("Integer", "1")), field: "Attributes[a].DataType"},
		"lower case type":   {m: attr("a", str("string", "1")), field: "Attributes[a].DataType"},
		"no value":          {m: attr("a", str("String", "")), field: "Attributes[a].String"},
		"binary as string":  {m: attr("a", str("Binary", "v")), field: "Attributes[a].Binary"},
		"both":              {m: attr("a", Attribute{DataType: "String", String: "v", Binary: []byte{1}}), field: "Attributes[a].String"},
		"number":            {m: attr("a", str("Number", "-1.50e+3"))},
		"38 digits":         {m: attr("a", str("Number", strings.Repeat("9", 38)))},
		"39 digits":         {m: attr("a", str("Number", strings.Repeat("9", 39))), field: "Attributes[a].String"},
		"10^126":            {m: attr("a", str("Number", "1e126"))},
		"2*10^126":          {m: attr("a", str("Number", "2e126")), field: "Attributes[a].String"},
		"10^-128":           {m: attr("a", str("Number", "1e-128"))},
		"10^-129":           {m: attr("a", str("Number", "1e-129")), field: "Attributes[a].String"},
		"not a number":      {m: attr("a", str("Number", "twelve")), field: "Attributes[a].String"},
		"number with space": {m: attr("a", str("Number", " 1")), field: "Attributes[a].String"},
		"name":              {m: attr("a-Z_0.9", str("String", "v"))},
		"name in Danish":    {m: attr("attr.1øßä", str("String", "v"))},
		"section sign":      {m: attr("a§b", str("String", "v")), field: "Attributes"},
		"name not UTF-8":    {m: attr("a\xff", str("String", "v")), field: "Attributes"},
		"empty name":        {m: attr("", str("String", "v")), field: "Attributes"},
		"name with space":   {m: attr("a b", str("String", "v")), field: "Attributes"},
		"257 characters":    {m: attr(strings.Repeat("n", 257), str("String", "v")), field: "Attributes"},
		"leading dot":       {m: attr(".a", str("String", "v")), field: "Attributes"},
		"two dots":          {m: attr("a..b", str("String", "v")), field: "Attributes"},
		"AWS.":              {m: attr("aWs.x", str("String", "v")), field: "Attributes"},
		"Amazon.":           {m: attr("AMAZON.x", str("String", "v")), field: "Attributes"},
		"11 attributes":     {m: eleven, field: "Attributes"},
		"trace header":      {m: Outgoing{Body: "b", System: map[string]Attribute{"AWSTraceHeader": str("String", "Root=1")}}},
		"other system":      {m: Outgoing{Body: "b", System: map[string]Attribute{"Other": str("String", "v")}}, field: "System"},
		"group on standard": {m: Outgoing{Body: "b", GroupID: "tenant-1"}},
		"dedup on standard": {m: Outgoing{Body: "b", DedupID: "d"}, field: "DedupID"},
		"fifo":              {queue: "q.fifo", m: Outgoing{Body: "b", Delay: -1, GroupID: "g", DedupID: "!~"}},
		"fifo, no group":    {queue: "q.fifo", m: Outgoing{Body: "b", Delay: -1}, field: "GroupID"},
		"fifo, delay":       {queue: "q.fifo", m: Outgoing{Body: "b", Delay: time.Second, GroupID: "g"}, field: "Delay"},
		"group with space":  {m: Outgoing{Body: "b", GroupID: "a b"}, field: "GroupID"},
		"group too long":    {m: Outgoing{Body: "b", GroupID: strings.Repeat("g", 129)}, field: "GroupID"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			if c.queue == "" {
				c.queue = "q"
			}
			_, err := New(r).Queue(c.queue).Send(t.Context(), c.m)
			judge(t, r, err, c.field)
		})
	}
	r := &recorder{}
	_, err := New(r).Queue("q").Send(t.Context(), Outgoing{Body: "fine"}, Outgoing{})
	judge(t, r, err, "[1].Body")
	half := Outgoing{Body: strings.Repeat("x", 1<<19+1)}
	_, err = New(r).Queue("q").Send(t.Context(), half, half)
	judge(t, r, err, "Send")
}

func TestReceiveArguments(t *testing.T) {
	for name, c := range map[string]struct {
		queue string
		o     ReceiveOptions
		field string
	}{
		"zero":             {o: ReceiveOptions{}},
		"defaults":         {o: ReceiveOptions{Max: 10, Visibility: -1, Wait: -1}},
		"most":             {o: ReceiveOptions{Max: 10, Visibility: 12 * time.Hour, Wait: 20 * time.Second}},
		"max 11":           {o: ReceiveOptions{Max: 11}, field: "Max"},
		"max -1":           {o: ReceiveOptions{Max: -1}, field: "Max"},
		"visibility more":  {o: ReceiveOptions{Visibility: 12*time.Hour + 1}, field: "Visibility"},
		"visibility -2":    {o: ReceiveOptions{Visibility: -2}, field: "Visibility"},
		"wait more":        {o: ReceiveOptions{Wait: 21 * time.Second}, field: "Wait"},
		"attempt":          {queue: "q.fifo", o: ReceiveOptions{AttemptID: "a"}},
		"attempt standard": {o: ReceiveOptions{AttemptID: "a"}},
		"attempt space":    {o: ReceiveOptions{AttemptID: "a b"}, field: "AttemptID"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			if c.queue == "" {
				c.queue = "q"
			}
			_, err := New(r).Queue(c.queue).Receive(t.Context(), c.o)
			judge(t, r, err, c.field)
		})
	}
	r := &recorder{}
	_, err := New(r).Queue("q").ChangeVisibility(t.Context(), VisibilityChange{Receipt: "r", Visibility: 12 * time.Hour})
	judge(t, r, err, "")
	_, err = New(r).Queue("q").ChangeVisibility(t.Context(), VisibilityChange{Receipt: "r", Visibility: -1})
	judge(t, r, err, "Visibility")
}

// An attempt's id means nothing on a standard queue; SQS takes it there too.
func TestAttemptOfStandard(t *testing.T) {
	r := &recorder{}
	for name, want := range map[string]string{"q": "", "q.fifo": "a"} {
		if _, err := New(r).Receive(t.Context(), name, ReceiveOptions{AttemptID: "a"}); err != nil || r.received.AttemptID != want {
			t.Errorf("%s: the driver got %q, %v; want %q", name, r.received.AttemptID, err, want)
		}
	}
}

// Of several attributes that are wrong the first by name is told, always.
func TestSameRefusal(t *testing.T) {
	m := Outgoing{Body: "b", Attributes: map[string]Attribute{}}
	for _, name := range []string{"d", "b", "c", "a", "e"} {
		m.Attributes[name] = Attribute{DataType: "Integer", String: "1"}
	}
	m.Attributes["a"] = Attribute{DataType: "String", String: "fine"}
	for range 20 {
		_, err := New(&recorder{}).Send(t.Context(), "q", []Outgoing{m})
		var wrong *InvalidError
		if !errors.As(err, &wrong) || wrong.Field != "Attributes[b].DataType" {
			t.Fatalf("refused for %v, want attribute b", err)
		}
	}
}

// A value shown in part is still text.
func TestShortenedValue(t *testing.T) {
	_, err := New(&recorder{}).Send(t.Context(), "q", []Outgoing{{Body: strings.Repeat("é", 100) + "\x01"}})
	var wrong *InvalidError
	if !errors.As(err, &wrong) || !utf8.ValidString(wrong.Value) || len(wrong.Value) > 70 {
		t.Fatalf("%v", err)
	}
}

func TestBrowseUnsupported(t *testing.T) {
	s := New(&recorder{})
	if _, err := s.Browse(t.Context(), "q", "", 10); !errors.Is(err, ErrUnsupported) {
		t.Errorf("browse: %v", err)
	}
	if _, err := s.DeleteID(t.Context(), "q", "id"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("delete: %v", err)
	}
}

// FuzzAttribute: no attribute of a message makes the checks panic, and what
// they take is within the bounds they state.
func FuzzAttribute(f *testing.F) {
	f.Add("name", "Number", "1e5")
	f.Add("a.b", "String.x", "\u00e9")
	f.Fuzz(func(t *testing.T, name, typ, value string) {
		r := &recorder{}
		_, err := New(r).Queue("q").Send(context.Background(), Outgoing{Body: "b", Delay: -1,
			Attributes: map[string]Attribute{name: {DataType: typ, String: value}}})
		if err == nil && (name == "" || len(name) > 256 || len(typ) > 256 || value == "") {
			t.Errorf("took %q, %q, %q", name, typ, value)
		}
	})
}
