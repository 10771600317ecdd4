#!/usr/bin/env bash
# Installs what the tests need beside Go: servers and a browser from Debian's
# packages, clients from PyPI into .tools/venv*, from npm into .tools/js. Says what
# it does; does nothing when all is there. Where a right is missing it prints the command to run.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(chromium curl memcached libmemcached-tools postgresql mariadb-server swaks wrk python3-venv gcc libc6-dev iproute2 libnss3-tools openssl haproxy nginx libnginx-mod-stream)
missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
	command="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
	if [ "$(id -u)" != 0 ]; then
		echo "The tests need Debian packages that are not installed. Run this, then try again:" >&2
		echo "  sudo sh -c '$command'" >&2
		exit 1
	fi
	echo "installing ${missing[*]}"
	# Servers are started by the tests themselves, not by the packages.
	policy=/usr/sbin/policy-rc.d
	[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; trap 'rm -f $policy' EXIT; }
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Each list of Python clients has a venv of its own: they exclude each other.
for list in test/requirements*.txt; do
	suffix=${list#test/requirements}
	venv=.tools/venv${suffix%.txt}
	cmp -s "$list" "$venv/.requirements" && continue
	echo "installing Python clients into $venv"
	python3 -m venv "$venv"
	"$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$list"
	cp "$list" "$venv/.requirements"
done

# kombu's own tests come with its source.
kombu=$(sed -n 's/^kombu==//p' test/requirements-celery.txt)
if [ ! -e ".tools/kombu-$kombu.tar.gz" ]; then
	echo "downloading kombu's source into .tools"
	.tools/venv-celery/bin/python -m pip download -q --disable-pip-version-check --no-deps --no-binary kombu -d .tools "kombu==$kombu"
fi

# Clients in JavaScript, by the lock file, run by the Node.js of requirements-js.txt.
if ! cmp -s test/clients/js/package-lock.json .tools/js/.installed; then
	echo "installing JavaScript clients into .tools/js"
	mkdir -p .tools/js
	cp test/clients/js/package.json test/clients/js/package-lock.json .tools/js/
	(PATH=$PWD/.tools/venv-js/bin:$PATH && cd .tools/js && npm ci --silent --no-audit --no-fund --ignore-scripts)
	cp test/clients/js/package-lock.json .tools/js/.installed
fi

# gocloud.dev's own tests for SQS and SNS, as one program.
if ! cmp -s test/gocloud/go.sum .tools/.awssnssqs || [ ! -e .tools/awssnssqs.test ]; then
	echo "building gocloud.dev's tests into .tools"
	go test -C test/gocloud -c -o ../../.tools/awssnssqs.test gocloud.dev/pubsub/awssnssqs
	cp test/gocloud/go.sum .tools/.awssnssqs
fi

# An ACME server and its DNS server.
if ! cmp -s test/acme/go.sum .tools/.acme || [ ! -e .tools/pebble ] || [ ! -e .tools/pebble-challtestsrv ]; then
	echo "building Pebble into .tools"
	go build -C test/acme -o ../../.tools/ github.com/letsencrypt/pebble/v2/cmd/pebble github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv
	cp test/acme/go.sum .tools/.acme
fi
