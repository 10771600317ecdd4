#!/usr/bin/env bash
# Installs the public tests of HTTP caches into .tools/cachetests, by the lock
# file, and runs them against the edge.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! cmp -s test/cachetests/package-lock.json .tools/cachetests/.installed; then
	echo "installing http-cache-tests into .tools/cachetests"
	mkdir -p .tools/cachetests
	cp test/cachetests/package.json test/cachetests/package-lock.json .tools/cachetests/
	(PATH=$PWD/.tools/venv-js/bin:$PATH && cd .tools/cachetests && npm ci --silent --no-audit --no-fund --ignore-scripts)
	cp test/cachetests/package-lock.json .tools/cachetests/.installed
fi
exec "${GO:-go}" run ./test/cachetests -node "$PWD/.tools/venv-js/bin/node" -package .tools/cachetests/node_modules/http-cache-tests \
	-expected test/cachetests/expected.txt -script test/cachetests/run.mjs "$@"
