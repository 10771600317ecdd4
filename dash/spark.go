package dash

import (
	"fmt"
	"strings"
)

// Size of a chart in the units of its SVG; the style sheet stretches it.
const (
	chartWidth  = 240
	chartHeight = 48
)

// line is one line of a small chart.
type line struct {
	Class string // "a", "b": colour and weight in the style sheet
	Path  string // of an SVG <path>
	Area  string // the same, closed along the bottom; "" for none
}

// chart is a small picture of one or more series over the same time.
type chart struct {
	Label string // read out instead of the picture
	Lines []line
}

// newChart draws series of equal length with one scale from 0 to the highest
// value. It is nil when there is nothing to draw: fewer than two points.
func newChart(label string, series ...[]float64) *chart {
	if len(series) == 0 || len(series[0]) < 2 {
		return nil
	}
	top := 0.0
	for _, s := range series {
		for _, v := range s {
			top = max(top, v)
		}
	}
	c := &chart{Label: label}
	for i, s := range series {
		l := line{Class: string(rune('a' + i)), Path: trace(s, top)}
		if i == 0 {
			l.Area = fmt.Sprintf("%sL%d %dL0 %dZ", l.Path, chartWidth, chartHeight, chartHeight)
		}
		c.Lines = append(c.Lines, l)
	}
	return c
}

// trace is the path of a line through the values, evenly spaced.
func trace(values []float64, top float64) string {
	var b strings.Builder
	const margin = 2 // so that the stroke is not cut at the edges
	for i, v := range values {
		y := float64(chartHeight - margin)
		if top > 0 {
			y -= max(0, v) / top * (chartHeight - 2*margin)
		}
		verb := "L"
		if i == 0 {
			verb = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", verb, float64(i)/float64(len(values)-1)*chartWidth, y)
	}
	return b.String()
}

// bar is one column of a bar chart, in percent of the chart's size.
type bar struct {
	X, Y, Width, Height float64
	Text                string
}

// newBars draws one column a value.
func newBars(values []int64, text func(i int) string) []bar {
	var top int64 = 1
	for _, v := range values {
		top = max(top, v)
	}
	bars := make([]bar, len(values))
	step := 100 / float64(max(1, len(values)))
	for i, v := range values {
		h := float64(max(0, v)) / float64(top) * 100
		if v > 0 {
			h = max(h, 2) // one click beside thousands is still seen
		}
		bars[i] = bar{X: float64(i) * step, Width: step * 0.8, Y: 100 - h, Height: h, Text: text(i)}
	}
	return bars
}
