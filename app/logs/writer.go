package logs

import "bytes"

// Writer cuts a stream into lines. It is an io.Writer for one stream of one
// process; one goroutine writes at a time.
type Writer struct {
	// Line takes each line without its end.
	Line func(text string)
	part []byte
}

// Write never fails.
func (w *Writer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			w.part = append(w.part, p...)
			w.cut()
			break
		}
		w.part = append(w.part, p[:end]...)
		p = p[end+1:]
		w.cut()
		w.Line(string(w.part))
		w.part = w.part[:0]
	}
	return n, nil
}

// Flush hands on a last line that has no end.
func (w *Writer) Flush() {
	if len(w.part) > 0 {
		w.Line(string(w.part))
		w.part = w.part[:0]
	}
}

func (w *Writer) cut() {
	for len(w.part) > MaxLine {
		w.Line(string(w.part[:MaxLine]))
		w.part = append(w.part[:0], w.part[MaxLine:]...)
	}
}
