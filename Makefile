# Targets for people who change Dayfly. `make test` is everything that is tested.

GO      ?= go
VENV    := .tools/venv
PACKAGES = ./...
# The longest first: else they begin last, and the other core waits for them.
TESTS    = ./test ./queue/diskqueue ./queue/sqsqueue ./records/... ./task/... $(PACKAGES)
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Most tests wait, for processes and for time, rather than compute: more packages
# at once than there are processors, and more of the tests that a package runs side by side.
CORES   := $(shell getconf _NPROCESSORS_ONLN)
ATONCE   = -p $(shell expr 2 '*' $(CORES)) -parallel $(shell expr 3 '*' $(CORES))
# `make lint` has vet in whole; nobody debugs these binaries, and linking takes a third longer.
BUILD    = -vet=off -ldflags=-w

.PHONY: help build check test race lint conform bench bench-queue bench-tasks live tools fuzz soak soak-queue soak-tasks clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## the binary, bin/dayfly
	$(GO) build -trimpath -o bin/dayfly ./cmd/dayfly

check: lint test ## what CI runs

test: tools ## every test, with the tools they need installed first
	CI=true $(GO) test -timeout 30m $(BUILD) $(ATONCE) $(TESTS)

race: tools ## every test under the race detector, the binaries of the end-to-end tests too
	CI=true DAYFLY_TEST_RACE=1 $(GO) test -race -timeout 30m $(BUILD) $(ATONCE) $(TESTS)

lint: ## formatting, vet, linters and the arrows between rooms
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'ed:"; gofmt -l .; exit 1; }
	$(GO) vet $(PACKAGES)
	$(GO) run $(LINT) run $(PACKAGES)

conform: tools ## the public tests of HTTP caches (RFC 9111) against the edge
	GO="$(GO)" bash test/cachetests/run.sh

bench: tools ## the figures of doc/bench.md
	bash test/bench.sh

bench-queue: ## the queue beside its peers, in one run (PART=sdk,raw,engine,backlog)
	$(GO) test -C test/peers ./...
	bash test/bench-queue.sh

bench-tasks: ## tasks beside asynq, River and Celery, in one run (PART=endtoend,enqueue,latency)
	bash test/bench-tasks.sh

bench-edge: ## the edge beside its peers, in one run (PART=plain,cached,tls,idle)
	bash test/bench-edge.sh

bench-edge-chaos: ## what fails while instances do, 10 s each: the table of doc/balancing.md
	DAYFLY_CHAOS=10s $(GO) test -count=1 -timeout 10m -v -run 'TestChaos$$' ./edge

live: ## the release watcher against the real registries (needs a network)
	$(GO) test -count=1 -tags live -v ./examples/releases/internal/live

fuzz: ## each fuzz test for 20 s
	bash test/fuzz.sh

soak: tools soak-queue soak-tasks ## the crash test, longer: 200,000 tasks and 60 kills; and soak-queue, soak-tasks
	DAYFLY_CRASH_TASKS=200000 DAYFLY_CRASH_KILLS=60 CI=true $(GO) test -count=1 -timeout 60m -run TestCrash -v ./test

soak-queue: ## random histories of the queue with crashes and faults, for DAYFLY_SOAK (20m), race-built
	DAYFLY_SOAK=$${DAYFLY_SOAK:-20m} $(GO) test -race -count=1 -parallel 4 -timeout 3h -v -run 'Histories$$|HistoriesFindBugs$$|FailEach|MoveThroughCrash|TornTail|TestDamage$$' ./queue/diskqueue

soak-tasks: tools ## a day of tasks in DAYFLY_SOAK (5m), under faults; and the ledger's faults on each store, a minute each
	DAYFLY_SOAK=$${DAYFLY_SOAK:-5m} CI=true $(GO) test -count=1 -timeout 3h -v -run 'TestSoakTasks$$' ./test
	DAYFLY_SOAK=1m CI=true $(GO) test -count=1 -timeout 30m -v -run 'TestFaults$$' ./task/ledger

tools: ## install what the tests need beside Go (asks for no right by itself)
	@bash test/tools.sh

clean: ## remove what was built; data folders stay
	rm -rf bin
