package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// startDatabases says where each database is. SQLite files live in the data
// folder; servers are the application's to reach.
func (a *App) startDatabases(context.Context) error {
	for _, name := range sortedKeys(a.manifest.Database) {
		url, note := a.external.database(name), "from the environment"
		if url == "" {
			url, note = a.manifest.Database[name].URL, ""
			if scheme, rest, _ := strings.Cut(url, ":"); scheme == "sqlite" {
				path := a.data.path("db", name+".db")
				if file := strings.TrimLeft(rest, "/"); file != "" {
					path = filepath.Join(a.manifest.Dir, file)
					if strings.HasPrefix(rest, "////") {
						path = "/" + file
					}
				}
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					return fmt.Errorf("database %s: %w", name, err)
				}
				// Four slashes: what SQLAlchemy, Django and Rails read as an absolute path.
				url = "sqlite:///" + path
			}
		}
		a.variables.set("DATABASE_"+envName(name)+"_URL", url)
		if name == "default" {
			a.variables.set("DATABASE_URL", url)
		}
		a.address("Database "+name, redact(url), note)
	}
	return nil
}

// redact removes what may hold a password: what stands between :// and @, and
// parameters.
func redact(address string) string {
	address, _, _ = strings.Cut(address, "?")
	scheme, rest, ok := strings.Cut(address, "://")
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return address
	}
	return scheme + "://" + rest[at+1:]
}
