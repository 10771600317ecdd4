package main

import (
	"fmt"
	"net/url"
	"strings"
)

// settings is the environment, read once.
type settings struct {
	Environ []string

	Port           string // PORT
	Process        string // DAYFLY_PROCESS, default "releases"
	SiteURL        string // SITE_URL, default http://127.0.0.1:$PORT
	TrustedProxies string // TRUSTED_PROXIES: from whom forwarding headers are believed; "": nobody
	Database       string // DATABASE_URL, default sqlite in .dayfly/db
	Queue          string // QUEUE_DEFAULT_URL
	Payloads       string // PAYLOADS_URL, may be empty
	Bucket         string // BUCKET_ADVISORIES
	BucketURL      string // BUCKET_ADVISORIES_URL; "": the site renders advisories itself
	Cache          string // CACHE_DEFAULT_URL; "": none
	Mail           string // SMTP_URL; "": SES
	MailFrom       string // MAIL_FROM; "": no digest
	DigestTo       string // DIGEST_TO, default MAIL_FROM
	StaticManifest string // STATIC_MANIFEST
	FirstManifest  string // FIRST_MANIFEST, default the nearest go.mod from the working folder up
}

func readSettings(environ []string) (*settings, error) {
	env := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	get := func(key, otherwise string) string {
		if v := env[key]; v != "" {
			return v
		}
		return otherwise
	}
	s := &settings{
		Environ:        environ,
		Port:           get("PORT", ""),
		Process:        get("DAYFLY_PROCESS", "releases"),
		TrustedProxies: env["TRUSTED_PROXIES"],
		Database:       get("DATABASE_URL", ""),
		Queue:          env["QUEUE_DEFAULT_URL"],
		Payloads:       env["PAYLOADS_URL"],
		Bucket:         env["BUCKET_ADVISORIES"],
		BucketURL:      strings.TrimRight(env["BUCKET_ADVISORIES_URL"], "/"),
		Cache:          env["CACHE_DEFAULT_URL"],
		Mail:           get("SMTP_URL", "ses:"),
		MailFrom:       env["MAIL_FROM"],
		StaticManifest: env["STATIC_MANIFEST"],
		FirstManifest:  env["FIRST_MANIFEST"],
	}
	s.SiteURL = strings.TrimRight(get("SITE_URL", "http://127.0.0.1:"+s.Port), "/")
	s.DigestTo = get("DIGEST_TO", s.MailFrom)
	for name, v := range map[string]string{"QUEUE_DEFAULT_URL": s.Queue, "BUCKET_ADVISORIES": s.Bucket, "DATABASE_URL": s.Database} {
		if v == "" {
			return nil, fmt.Errorf("%s is not set: start it with `dayfly up`, or take the environment from `dayfly env`", name)
		}
	}
	if u, err := url.Parse(s.SiteURL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("SITE_URL %q is not an address such as https://www.example.com", s.SiteURL)
	}
	return s, nil
}

// env looks a variable up, for what reads the configuration of other tools.
func (s *settings) env(key string) string {
	for _, kv := range s.Environ {
		if k, v, _ := strings.Cut(kv, "="); k == key {
			return v
		}
	}
	return ""
}
