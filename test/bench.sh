#!/usr/bin/env bash
# The figures of doc/bench.md: each benchmark three times, interleaved (all of
# them once, then again), medians with lowest and highest by benchstat. Takes
# about ten minutes; bench.sh SECONDS sets the time of each (default 1).
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-1}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

echo "machine: $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(free -g | awk '/^Mem/{print $2}') GiB, $(uname -sr)"
echo "versions: $(go version | cut -d' ' -f3), $(memcached -V), dayfly $(git describe --always --dirty)"
for round in 1 2 3; do
	echo "round $round of 3" >&2
	go test -run '^$' -bench 'Disk|Send|SendBatch10|ReceiveDelete' -benchtime "${seconds}s" ./queue/diskqueue
	go test -run '^$' -bench . -benchtime "${seconds}s" ./queue/sqsserver
	go test -run '^$' -bench 'Tasks|Latency' -benchtime "${seconds}s" ./task
	go test -run '^$' -bench Wire -benchtime "${seconds}s" ./cache/memcachedserver
	go test -run '^$' -bench . -benchtime "${seconds}s" ./edge
	go test -run '^$' -bench . -benchtime "${seconds}s" ./blob/s3server
done | tee -a "$out" >&2
go run golang.org/x/perf/cmd/benchstat@latest "$out"
