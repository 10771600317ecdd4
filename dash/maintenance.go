package dash

import (
	"context"
	"net/http"
	"time"
)

// Site is the application's web site.
type Site interface {
	// Maintenance says whether visitors have a page in place of the site; nil
	// where there is no site.
	Maintenance() *Maintenance
	// Maintain begins or ends that; message is told to the visitors.
	Maintain(ctx context.Context, on bool, message string) error
}

// Maintenance of a site.
type Maintenance struct {
	On      bool      `json:"on"`
	Message string    `json:"message"` // "": the usual one
	Since   time.Time `json:"since"`
	By      string    `json:"by"`
}

const maxMaintenanceMessage = 500 // bytes

func (d *Dash) maintenance() *Maintenance {
	if d.Site == nil {
		return nil
	}
	return d.Site.Maintenance()
}

func (d *Dash) maintain(r *http.Request) (done, error) {
	if d.maintenance() == nil {
		return done{}, ErrNotFound
	}
	on := r.PostForm.Get("on") == "true"
	text := "Maintenance is over: the site is open"
	if on {
		text = "The site is in maintenance: visitors have a page that says so"
	}
	return done{Text: text, Next: "/"}, d.Site.Maintain(r.Context(), on, strip(r.PostForm.Get("message"), maxMaintenanceMessage))
}
