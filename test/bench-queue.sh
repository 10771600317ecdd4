#!/usr/bin/env bash
# The queue beside its peers, in one run and in turns: the tables of doc/bench.md,
# as Markdown on standard output, progress on standard error. Takes about 30
# minutes. In the environment, to shorten it:
#   PART      of sdk,raw,engine,backlog (all)
#   PEERS     of elasticmq,elasticmq-h2,moto (all)
#   ROUNDS    the table has medians of so many (3)
#   TIME      of one measurement (2s)
#   MESSAGES  waiting in the part backlog (10000000)
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
peers=${PEERS:-elasticmq,elasticmq-h2,moto}
part=${PART:-sdk,raw,engine,backlog}

for tool in java mvn python3; do
	command -v $tool >/dev/null || {
		echo "bench-queue needs $tool. Run this, then try again: apt-get install default-jre-headless maven python3-venv" >&2
		exit 1
	}
done

# ElasticMQ: as its registry has it, kept apart from the user's other jars.
jars=$tools/elasticmq
if ! cmp -s test/peers/elasticmq/pom.xml "$jars/pom.xml"; then
	echo "installing ElasticMQ into $jars" >&2
	rm -rf "$jars"
	mvn -q -B -f test/peers/elasticmq/pom.xml dependency:copy-dependencies -DoutputDirectory="$jars" >&2
	cp test/peers/elasticmq/pom.xml "$jars/pom.xml"
fi

# moto: the one of make tools, or by itself.
venv=$tools/venv
if [ ! -x "$venv/bin/moto_server" ]; then
	venv=$tools/venv-moto
	if [ ! -x "$venv/bin/moto_server" ]; then
		echo "installing moto into $venv" >&2
		python3 -m venv "$venv"
		"$venv/bin/python" -m pip install -q --disable-pip-version-check "$(grep '^moto' test/requirements.txt)" >&2
	fi
fi

go build -trimpath -o bin/dayfly ./cmd/dayfly
go build -C test/peers -o ../../bin/benchqueue ./benchqueue

module() { go list -C test/peers -m -f '{{.Version}}' "$1"; }
echo "- Command: \`make bench-queue\` (\`PART=$part ROUNDS=${ROUNDS:-3} TIME=${TIME:-2s}\`), $(date -u +%Y-%m-%d), dayfly $(git describe --always --dirty)."
echo "- Machine: $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(free -g | awk '/^Mem/{print $2}') GiB, $(uname -sr), $(stat -f -c %T .); load before: $(cut -d' ' -f1-3 /proc/loadavg)."
echo "- Versions: $(go version | cut -d' ' -f3), aws-sdk-go-v2/service/sqs $(module github.com/aws/aws-sdk-go-v2/service/sqs), ElasticMQ $(sed -n 's:.*<version>\([0-9.]*\.[0-9.]*\)</version>.*:\1:p' test/peers/elasticmq/pom.xml) on $(java -version 2>&1 | sed -n 's/.*Runtime Environment (\(build [^)]*\)).*/OpenJDK \1/p'), $("$venv/bin/python" -m pip list --format freeze --disable-pip-version-check | grep '^moto=' | tr -s = ' ') on $("$venv/bin/python" -V), NATS server $(module github.com/nats-io/nats-server/v2), nats.go $(module github.com/nats-io/nats.go)."
exec bin/benchqueue -part "$part" -peers "$peers" -rounds "${ROUNDS:-3}" -time "${TIME:-2s}" -messages "${MESSAGES:-10000000}" \
	-dayfly bin/dayfly -elasticmq "$jars" -moto "$venv/bin/moto_server" -dir "$tools"
