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

awk -f test/bench.awk "$out"
