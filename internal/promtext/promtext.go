// Package promtext writes measurements as Prometheus reads them: the text
// format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
//
// It is for measurements that are taken elsewhere and only shown. Nothing is
// kept here.
package promtext

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"strings"
)

// ContentType of what Write writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Kind of a family.
type Kind string

// The kinds of families.
const (
	Counter   Kind = "counter" // only grows, and starts again at 0; its name ends in _total
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Family is the measurements of one name.
type Family struct {
	name, help string
	kind       Kind
	lines      bytes.Buffer
}

// New returns a family without measurements. The name is [a-z0-9_], with its
// unit: _seconds, _bytes.
func New(kind Kind, name, help string) *Family { return &Family{name: name, help: help, kind: kind} }

// Add adds one measurement. Labels are names ([a-z0-9_]) and values in turn; no
// two measurements of a family have the same.
func (f *Family) Add(value float64, labels ...string) { f.add("", value, labels) }

func (f *Family) add(suffix string, value float64, labels []string) {
	b := &f.lines
	b.WriteString(f.name)
	b.WriteString(suffix)
	for i := 0; i+1 < len(labels); i += 2 {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(labels[i])
		b.WriteString(`="`)
		b.WriteString(escapeValue.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")))
		b.WriteByte('"')
	}
	if len(labels) > 1 {
		b.WriteByte('}')
	}
	b.WriteByte(' ')
	b.WriteString(number(value))
	b.WriteByte('\n')
}

// Bucket of a histogram: how many values were at most Max.
type Bucket struct {
	Max   float64
	Count uint64
}

// AddHistogram adds one histogram: its buckets with growing Max and Count, the
// number of all values, and their sum.
func (f *Family) AddHistogram(buckets []Bucket, count uint64, sum float64, labels ...string) {
	with := func(max string) []string { return append(labels[:len(labels):len(labels)], "le", max) }
	for _, b := range buckets {
		f.add("_bucket", float64(b.Count), with(number(b.Max)))
	}
	f.add("_bucket", float64(count), with("+Inf"))
	f.add("_sum", sum, labels)
	f.add("_count", float64(count), labels)
}

var (
	escapeValue = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)

func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	case math.IsNaN(v):
		return "NaN"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// Write writes the families that have measurements.
func Write(w io.Writer, families ...*Family) error {
	var b bytes.Buffer
	for _, f := range families {
		if f.lines.Len() == 0 {
			continue
		}
		b.WriteString("# HELP " + f.name + " " + escapeHelp.Replace(f.help) + "\n")
		b.WriteString("# TYPE " + f.name + " " + string(f.kind) + "\n")
		b.Write(f.lines.Bytes())
	}
	_, err := w.Write(b.Bytes())
	return err
}
