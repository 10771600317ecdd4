package edge

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
)

// Pages are files with the HTML that people see where the application did not
// answer: html/template with the fields of PageData. They are read once, and
// tried, by New. Default "": a plain page of the edge's own.
type Pages struct {
	// Unavailable is for status 502, 503 and 504: no instance could take the
	// request, or it did not answer.
	Unavailable string
	// Limited is for status 429.
	Limited string
	// Maintenance is for the time of maintenance. Default: Unavailable.
	Maintenance string
}

// PageData is what a page is told. Title and Text are plain text in English.
type PageData struct {
	Title, Text string
	Status      int
	RequestID   string
	RetryAfter  int64 // seconds; 0: not said
	// Processed is "no" where the application cannot have acted on the request,
	// "unknown" where it may have, and else "".
	Processed string
}

const maxPage = 1 << 20 // bytes of a page's file, and of what it makes

// ownPages are the templates of Pages; nil where there is none.
type ownPages struct{ unavailable, limited, maintenance *template.Template }

func (p *ownPages) of(status int, text pageText) *template.Template {
	switch {
	case text.title == pageMaintenance.title && status == http.StatusServiceUnavailable:
		return p.maintenance
	case status == http.StatusTooManyRequests:
		return p.limited
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return p.unavailable
	}
	return nil
}

func (p Pages) read() (own ownPages, err error) {
	if own.unavailable, err = readPage(p.Unavailable); err == nil {
		own.limited, err = readPage(p.Limited)
	}
	if own.maintenance = own.unavailable; err == nil && p.Maintenance != "" {
		own.maintenance, err = readPage(p.Maintenance)
	}
	return own, err
}

// readPage reads a page and makes it once, so that a misspelt field is found at
// the start and not when people wait for it.
func readPage(path string) (*template.Template, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("edge: page: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPage+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("edge: page %s: %w", path, err)
	case len(text) > maxPage:
		return nil, fmt.Errorf("edge: page %s is larger than 1 MiB", path)
	case len(bytes.TrimSpace(text)) == 0:
		return nil, fmt.Errorf("edge: page %s is empty", path)
	}
	t, err := template.New(path).Parse(string(text))
	if err == nil {
		err = t.Execute(&boundedWriter{left: maxPage}, PageData{Title: "Back in a moment", Text: "Please try again.", Status: 503, RequestID: "0", RetryAfter: 5, Processed: "no"})
	}
	if err != nil {
		return nil, fmt.Errorf("edge: page: %w; a page may use {{.Title}}, {{.Text}}, {{.Status}}, {{.RequestID}}, {{.RetryAfter}} and {{.Processed}}", err)
	}
	return t, nil
}

type boundedWriter struct{ left int }

func (w *boundedWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("it makes more than 1 MiB")
	}
	return len(p), nil
}
