#!/usr/bin/env bash
# Runs every fuzz test of the module for a while: fuzz.sh [SECONDS], default 20.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-20}
grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -h '^func Fuzz' "$dir"/*_test.go | sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' | while read -r name; do
		echo "== $dir $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${seconds}s" "$dir"
	done
done
