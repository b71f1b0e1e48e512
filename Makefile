# make help lists the targets.

GOFUMPT     := go run mvdan.cc/gofumpt@v0.12.0
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10s

export CGO_ENABLED ?= 1

.PHONY: help build run test fuzz lint fmt bench soak docs sdk example screenshots clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 13

build: ## build ./countersign, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o countersign ./cmd/countersign

run: ## run the sandbox on 127.0.0.1:8080
	go run ./cmd/countersign serve

# The simulation is one goroutine's arithmetic over a million draws: the race detector has nothing to find in it and
# makes it ten times slower.
test: ## install what the tests need, then run them all: unit, race, fault, browser, SDK and a short fuzz
	. scripts/test-tools && \
		go test -race -shuffle=on -timeout 20m $$(go list ./... | grep -v '/simulate$$') && \
		go test -shuffle=on ./simulate && scripts/fuzz $(FUZZTIME)

fuzz: ## fuzz every target for FUZZTIME (default 10s)
	scripts/fuzz $(FUZZTIME)

lint: ## formatting, vet, staticcheck, and the rules of the repository
	scripts/lint

fmt: ## format
	$(GOFUMPT) -w .

bench: ## server CPU a request against the floor handler, flows and logins on SQLite (installs wrk and redis-server)
	set -- wrk && . scripts/test-tools && { go run ./bench; met=$$?; go run ./bench logins && exit $$met; }

soak: ## the invariants and faults at full length
	. scripts/test-tools && COUNTERSIGN_SOAK=1 go test -race -timeout 6h $$(go list ./... | grep -v '/simulate$$') && \
		COUNTERSIGN_SOAK=1 go test -timeout 2h ./simulate

docs: ## write docs/configuration.md from the table of settings
	go run ./config/configdoc > docs/configuration.md

sdk: ## write what the TypeScript SDK takes from the API and from the hosted page's texts
	go test ./cmd/countersign -run TestTheJavaScriptTypesAreTheAPIs -update
	cd sdk/js && node scripts/texts.mjs

example: ## run the Next.js application on localhost:3000 with the sandbox beside it
	scripts/example

screenshots: ## take the pictures of the hosted page and of the Next.js application anew
	. scripts/test-tools && go test ./cmd/countersign -run TestTheNextExample -update

clean: ## remove what was built
	rm -f countersign countersign.db countersign.db-wal countersign.db-shm countersign.key
