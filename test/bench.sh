#!/usr/bin/env bash
# The figures of doc/bench.md: each benchmark three times, all of them once and
# then again, as a table of medians with the lowest and the highest. Takes about
# ten minutes; bench.sh SECONDS sets the time of each (default 1s).
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-1}s
out=$(mktemp)
trap 'rm -f "$out"' EXIT

echo "$(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(free -g | awk '/^Mem/{print $2}') GiB, $(uname -sr); $(go version | cut -d' ' -f3), $(memcached -V), dayfly $(git describe --always --dirty)"
bench() { go test -run '^$' -bench "$1" -benchtime "$2" "$3"; }
for round in 1 2 3; do
	echo "round $round of 3" >&2
	bench 'Disk|Send|ReceiveDelete' "$time" ./queue/diskqueue
	bench . "$time" ./queue/sqsserver
	bench Tasks 30000x ./task
	bench Latency "$time" ./task
	bench Wire "$time" ./cache/memcachedserver
	bench . "$time" ./edge
	bench . "$time" ./blob/s3server
done | tee "$out" >&2

# A benchmark's line is its name, a count, and pairs of a value and its unit.
awk '
/^pkg:/ { pkg = $2; sub(/.*\/dayfly\//, "", pkg) }
/^Benchmark/ {
	name = $1; sub(/^Benchmark/, "", name); sub(/-[0-9]+$/, "", name)
	for (i = 3; i < NF; i += 2)
		if ($(i+1) ~ /\/s$|ratio|^p[0-9]|^cpu/ && $(i+1) != "MB/s") {
			key = pkg " | " name " | " $(i+1)
			if (!(key in n)) order[++keys] = key
			v[key, ++n[key]] = $i
		}
}
function show(x) { return x >= 1000 ? sprintf("%.1fk", x / 1000) : sprintf("%.3g", x) }
END {
	print "| package | work | unit | median | lowest–highest |\n|---|---|---|---|---|"
	for (k = 1; k <= keys; k++) {
		key = order[k]; m = n[key]
		for (i = 1; i <= m; i++) for (j = i + 1; j <= m; j++)
			if (v[key, j] + 0 < v[key, i] + 0) { t = v[key, i]; v[key, i] = v[key, j]; v[key, j] = t }
		print "| " key " | " show(v[key, int((m + 1) / 2)]) " | " show(v[key, 1]) "–" show(v[key, m]) " |"
	}
}' "$out"
