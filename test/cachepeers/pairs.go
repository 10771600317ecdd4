package main

import "time"

const fresh = "Cache-Control: max-age=60"

var pairs = []pair{
	{name: "`max-age`", answer: []string{fresh}},
	{name: "`s-maxage`", answer: []string{"Cache-Control: s-maxage=60"}},
	{name: "`s-maxage=60, max-age=0`", answer: []string{"Cache-Control: s-maxage=60, max-age=0"}},
	{name: "`max-age=60, s-maxage=0`", answer: []string{"Cache-Control: max-age=60, s-maxage=0"}},
	{name: "`Expires` in the future", answer: []string{"Date: NOW", "Expires: Fri, 01 Jan 2100 00:00:00 GMT"}},
	{name: "`Expires: 0`", answer: []string{"Expires: 0"}},
	{name: "`Expires: 0` beside `max-age`", answer: []string{"Expires: 0", fresh}},
	{name: "no field at all", answer: nil},
	{name: "`Last-Modified` alone", answer: []string{"Last-Modified: Mon, 02 Jan 2006 15:04:05 GMT"}},
	{name: "`no-store`", answer: []string{"Cache-Control: no-store, max-age=60"}},
	{name: "`private`", answer: []string{"Cache-Control: private, max-age=60"}},
	{name: "`no-cache` with `ETag`", answer: []string{"Cache-Control: no-cache", `Etag: "a"`}},
	{name: "`Set-Cookie`", answer: []string{fresh, "Set-Cookie: a=b"}},
	{name: "`Set-Cookie` with `public`", answer: []string{"Cache-Control: public, max-age=60", "Set-Cookie: a=b"}},
	{name: "`Vary: Accept-Language`; the same language", answer: []string{fresh, "Vary: Accept-Language"}, first: lang("de"), second: lang("de")},
	{name: "`Vary: Accept-Language`; another", answer: []string{fresh, "Vary: Accept-Language"}, first: lang("de"), second: lang("en")},
	{name: "`Vary: Accept-Language`; the same in capitals", answer: []string{fresh, "Vary: Accept-Language"}, first: lang("de"), second: lang("DE")},
	{name: "`Vary: Accept-Encoding`; gzip and br, then br and gzip", answer: []string{fresh, "Vary: Accept-Encoding"}, first: with("Accept-Encoding: gzip, br"), second: with("Accept-Encoding: br,gzip")},
	{name: "`Vary: *`", answer: []string{fresh, "Vary: *"}},
	{name: "`max-age`; with `Authorization`, then without", answer: []string{fresh}, first: with("Authorization: Basic eA==")},
	{name: "`public`; with `Authorization` both times", answer: []string{"Cache-Control: public, max-age=60"}, first: with("Authorization: Basic eA=="), second: with("Authorization: Basic eA==")},
	{name: "`max-age`; without `Authorization`, then with", answer: []string{fresh}, second: with("Authorization: Basic eA==")},
	{name: "`max-age`; with `Cookie`, then without", answer: []string{fresh}, first: with("Cookie: a=b")},
	{name: "`max-age`; without `Cookie`, then with", answer: []string{fresh}, second: with("Cookie: a=b")},
	{name: "`max-age`; `Cache-Control: no-cache`", answer: []string{fresh}, second: with("Cache-Control: no-cache")},
	{name: "`max-age`; `Pragma: no-cache`", answer: []string{fresh}, second: with("Pragma: no-cache")},
	{name: "`max-age`; HEAD", answer: []string{fresh}, second: request{method: "HEAD"}},
	{name: "HEAD; GET", answer: []string{fresh}, first: request{method: "HEAD"}},
	{name: "`max-age`; a range", answer: []string{fresh}, second: with("Range: bytes=2-4")},
	{name: "`max-age`; POST, then nothing", answer: []string{fresh}, second: request{method: "POST"}},
	{name: "`ETag`; `If-None-Match` that matches", answer: []string{fresh, `Etag: "a"`}, second: with(`If-None-Match: "a"`)},
	{name: "`ETag`; `If-None-Match` that does not", answer: []string{fresh, `Etag: "a"`}, second: with(`If-None-Match: "b"`)},
	{name: "`max-age=1` with `ETag`; after 2 s", answer: []string{"Cache-Control: max-age=1", `Etag: "a"`}, wait: 2 * time.Second},
	{name: "`Age: 120` beside `max-age=60`", answer: []string{fresh, "Age: 120"}},
	{name: "`max-age=1, stale-while-revalidate=60`; after 2 s", answer: []string{"Cache-Control: max-age=1, stale-while-revalidate=60"}, wait: 2 * time.Second},
	{name: "`max-age=1, stale-if-error=60`; after 2 s, 503", answer: []string{"Cache-Control: max-age=1, stale-if-error=60"}, wait: 2 * time.Second, fails: true},
	{name: "`max-age=1, must-revalidate`; after 2 s, 503", answer: []string{"Cache-Control: max-age=1, must-revalidate"}, wait: 2 * time.Second, fails: true},
	{name: "404 with `max-age`", answer: []string{fresh}, status: 404},
	{name: "404 without", status: 404},
	{name: "500 with `max-age`", answer: []string{fresh}, status: 500},
	{name: "302 with `max-age`", answer: []string{fresh, "Location: /x"}, status: 302},
	{name: "the query in another order", answer: []string{fresh}, first: request{target: "?a=1&b=2"}, second: request{target: "?b=2&a=1"}},
	{name: "another query", answer: []string{fresh}, first: request{target: "?a=1"}, second: request{target: "?a=2"}},
	{name: "`Host` in capitals", answer: []string{fresh}, second: request{host: "WWW.Example.COM"}},
	{name: "another `Host`", answer: []string{fresh}, second: request{host: "other.example"}},
	{name: "`%7e` for `~`", answer: []string{fresh}, first: request{target: "~"}, second: request{target: "%7e"}},
	{name: "`X-Forwarded-Host` of anybody", answer: []string{fresh}, second: with("X-Forwarded-Host: evil.example")},
	{name: "`X-Original-URL` of anybody", answer: []string{fresh}, second: with("X-Original-URL: /admin")},
}

func with(fields ...string) request { return request{fields: fields} }

func lang(l string) request { return with("Accept-Language: " + l) }
