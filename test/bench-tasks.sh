#!/usr/bin/env bash
# Tasks beside their peers, in one run and in turns: tables of doc/bench.md, as
# Markdown on standard output, progress on standard error. Meant to take less than 20
# minutes on two quiet cores. In the environment, to change that:
#   PART     of endtoend,enqueue,latency (all)
#   PEERS    of asynq,river,celery (all)
#   ROUNDS   the tables have medians of so many (3)
#   TIME     for which one measurement enqueues (1500ms)
#   CONCURRENCY  tasks at once in a worker (100)
#   PROFILES folder for profiles of the processor time of our clients (none)
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
part=${PART:-endtoend,enqueue,latency}

# Redis and PostgreSQL: of Debian, started by the benchmark and not by the package.
missing=()
for p in redis-server postgresql python3-venv; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
	command="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
	if [ "$(id -u)" != 0 ]; then
		echo "bench-tasks needs Debian packages that are not installed. Run this, then try again: sudo sh -c '$command'" >&2
		exit 1
	fi
	echo "installing ${missing[*]}" >&2
	policy=/usr/sbin/policy-rc.d
	[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; trap 'rm -f $policy' EXIT; }
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null
fi

# Celery in a venv of its own.
venv=$tools/venv-benchtasks
list=test/peers/benchtasks/requirements.txt
if ! cmp -s "$list" "$venv/.requirements"; then
	echo "installing Celery into $venv" >&2
	python3 -m venv "$venv"
	"$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$list" >&2
	cp "$list" "$venv/.requirements"
fi

CI=true go test -C test/peers ./turns ./benchtasks >&2
mkdir -p bin
go build -trimpath -o bin/dayfly ./cmd/dayfly
go build -C test/peers -o ../../bin/benchtasks ./benchtasks

module() { go list -C test/peers -m -f '{{.Version}}' "$1"; }
python() { "$venv/bin/python" -m pip list --format freeze --disable-pip-version-check | sed -n "s/^$1==//p"; }
postgres=$(ls -d /usr/lib/postgresql/*/bin | tail -1)/postgres
echo "- Command: \`make bench-tasks\` (\`PART=$part ROUNDS=${ROUNDS:-3} TIME=${TIME:-1500ms} CONCURRENCY=${CONCURRENCY:-100}\`), $(date -u +%Y-%m-%d), dayfly $(git describe --always --dirty)."
echo "- Machine: $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(free -g | awk '/^Mem/{print $2}') GiB, $(uname -sr), $(stat -f -c %T .); load before: $(cut -d' ' -f1-3 /proc/loadavg)."
echo "- Versions: $(go version | cut -d' ' -f3), asynq $(module github.com/hibiken/asynq) and Celery $(python celery) (redis-py $(python redis), $("$venv/bin/python" -V)) on Redis $(redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/'), River $(module github.com/riverqueue/river) (pgx $(module github.com/jackc/pgx/v5)) on PostgreSQL $($postgres --version | cut -d' ' -f3)."
profiles=()
[ -z "${PROFILES:-}" ] || { mkdir -p "$PROFILES"; profiles=(-profiles "$PROFILES"); }
exec bin/benchtasks -part "$part" -peers "${PEERS:-asynq,river,celery}" -rounds "${ROUNDS:-3}" -time "${TIME:-1500ms}" \
	-concurrency "${CONCURRENCY:-100}" -dayfly bin/dayfly -python "$venv/bin/python" -dir "$tools" "${profiles[@]}"
