#!/usr/bin/env bash
# The edge beside its peers, in one run and in turns: tables of doc/bench.md, as
# Markdown on standard output, progress on standard error. Takes about 15 minutes
# on two quiet cores. In the environment, to change that:
#   PART     of plain,cached,tls,idle (all)
#   PEERS    of nginx,Caddy,Varnish,kamal-proxy (all)
#   ROUNDS   the tables have medians of so many (5)
#   TIME     of one measurement, in whole seconds (4s)
#   IDLE     connections that wait in the part idle (10000)
#   KAMAL_PROXY  a binary of kamal-proxy, where the module proxy has none
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
part=${PART:-plain,cached,tls,idle}
peers=${PEERS:-nginx,Caddy,Varnish,kamal-proxy}
caddyVersion=v2.11.9
kamalVersion=v0.9.2

# Of Debian, started by the benchmark and not by the package.
missing=()
for p in nginx varnish wrk gcc libc6-dev; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
	command="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
	if [ "$(id -u)" != 0 ]; then
		echo "bench-edge needs Debian packages that are not installed. Run this, then try again: sudo sh -c '$command'" >&2
		exit 1
	fi
	echo "installing ${missing[*]}" >&2
	policy=/usr/sbin/policy-rc.d
	[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; trap 'rm -f $policy' EXIT; }
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null
fi

# Caddy and kamal-proxy of today, by Go's module proxy.
install() { # MODULE VERSION NAME
	if [ ! -x "$tools/$3-$2/$3" ]; then
		echo "building $1@$2" >&2
		GOBIN=$tools/$3-$2 go install "$1@$2" >&2
	fi
}
install github.com/caddyserver/caddy/v2/cmd/caddy $caddyVersion caddy
export PATH=$tools/caddy-$caddyVersion:$PATH
kamal=${KAMAL_PROXY:-}
if [ -z "$kamal" ] && [[ ,$peers, == *,kamal-proxy,* ]]; then
	if install github.com/basecamp/kamal-proxy/cmd/kamal-proxy $kamalVersion kamal-proxy; then
		kamal=$tools/kamal-proxy-$kamalVersion/kamal-proxy
	else
		echo "kamal-proxy cannot be had from the module proxy: it is left out (KAMAL_PROXY names a binary)" >&2
	fi
fi

CI=true go test -C test/peers ./turns ./benchedge >&2
mkdir -p bin
go build -trimpath -o bin/dayfly ./cmd/dayfly
go build -C test/peers -o ../../bin/benchedge ./benchedge

ulimit -n "$(ulimit -Hn)"
echo "- Command: \`make bench-edge\` (\`PART=$part ROUNDS=${ROUNDS:-5} TIME=${TIME:-4s} IDLE=${IDLE:-10000}\`), $(date -u +%Y-%m-%d), dayfly $(git describe --always --dirty)."
echo "- Machine: $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(free -g | awk '/^Mem/{print $2}') GiB, $(uname -sr); load before: $(cut -d' ' -f1-3 /proc/loadavg)."
echo "- Versions: $(go version | cut -d' ' -f3), nginx $(nginx -v 2>&1 | sed 's:.*/::'), Caddy $(caddy version | cut -d' ' -f1), $(varnishd -V 2>&1 | sed -n 's/varnishd (varnish-\([0-9.]*\).*/Varnish \1/p')${kamal:+, kamal-proxy $kamalVersion}, wrk $(wrk -v 2>&1 | sed -n 's:.*/\([0-9.]*\)-.*:\1:p' | head -1)."
exec bin/benchedge -part "$part" -peers "$peers" -rounds "${ROUNDS:-5}" -time "${TIME:-4s}" -idle "${IDLE:-10000}" \
	-dayfly bin/dayfly -caddy caddy ${kamal:+-kamal-proxy "$kamal"} -dir "$tools"
