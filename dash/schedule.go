package dash

import "net/http"

// schedulePage lists the schedules of the manifest.
type schedulePage struct {
	Schedules []Schedule `json:"schedules"`
}

func (schedulePage) Title() string { return "Schedule" }

func (d *Dash) schedule(*http.Request) (model, error) {
	return schedulePage{Schedules: d.App.Schedules()}, nil
}

func (d *Dash) runSchedule(r *http.Request) (done, error) {
	name := r.PostForm.Get("name")
	id, err := d.App.RunSchedule(r.Context(), name)
	return done{Text: name + " is enqueued as " + id, Next: "/schedule"}, err
}
