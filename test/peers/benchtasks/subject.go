package main

import "slices"

// subject is one column of the tables.
type subject struct {
	name    string
	key     string // its folder; what comes before "-" is the peer's name on the command line
	library string
	durable bool // nothing it acknowledged is lost with the machine
	keeps   bool // its folder is used again
	serve   func(o *options, dir string) (*server, error)
}

const (
	dayfly   = "Dayfly"
	embedded = "Dayfly, engine in process"
)

func withRedis(sync string) func(*options, string) (*server, error) {
	return func(_ *options, dir string) (*server, error) { return startRedis(dir, sync) }
}

func withPostgres(sync string) func(*options, string) (*server, error) {
	return func(_ *options, dir string) (*server, error) { return startPostgres(dir, sync) }
}

var subjects = []*subject{
	{name: dayfly, key: "dayfly", library: "dayfly", durable: true, serve: startDayfly},
	{name: embedded, key: "embedded", library: "embedded", durable: true},
	{name: "asynq, Redis always", key: "asynq-always", library: "asynq", durable: true, serve: withRedis("always")},
	{name: "asynq, Redis everysec", key: "asynq-everysec", library: "asynq", serve: withRedis("everysec")},
	{name: "asynq, Redis no", key: "asynq-no", library: "asynq", serve: withRedis("no")},
	{name: "River, commit on", key: "river-on", library: "river", durable: true, keeps: true, serve: withPostgres("on")},
	{name: "River, commit off", key: "river-off", library: "river", keeps: true, serve: withPostgres("off")},
	{name: "Celery, Redis always", key: "celery-always", library: "celery", durable: true, serve: withRedis("always")},
	{name: "Celery, Redis everysec", key: "celery-everysec", library: "celery", serve: withRedis("everysec")},
	{name: "Celery, Redis no", key: "celery-no", library: "celery", serve: withRedis("no")},
}

func subjectOf(name string) *subject {
	return subjects[slices.IndexFunc(subjects, func(s *subject) bool { return s.name == name })]
}

// peers are the names of the subjects of others for which ok.
func peers(ok func(*subject) bool) (names []string) {
	for _, s := range subjects {
		if s.name != dayfly && s.name != embedded && ok(s) {
			names = append(names, s.name)
		}
	}
	return names
}
