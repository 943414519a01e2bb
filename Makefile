# Doorward. `make help` lists what there is.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 20s
GATEWAY ?= nginx
MODULES := . test test/tools/dex
TOOLS := $(CURDIR)/.tools/bin
BINARY ?= bin/doorward

.DEFAULT_GOAL := help
.PHONY: help demo test build lint fuzz bench microbench image clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

demo: ## try it: Dex, GATEWAY=nginx|traefik|caddy|envoy|haproxy, an app and Doorward; CHECK=1 signs in by itself
	@cd test && go run ./demo -gateway $(GATEWAY) $(if $(CHECK),-check)

test: ## every test, with real programs; installs what is missing
	@cd test && go run ./tools test
	go test -race ./...
	cd test && go test -race -count=1 -timeout 30m ./...

build: ## bin/doorward, one static file
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/doorward

lint: ## gofmt, go vet, staticcheck and golangci-lint, in every module
	@cd test && go run ./tools lint
	@unformatted=$$(gofmt -l .) && test -z "$$unformatted" || { echo "not gofmt-ed:" $$unformatted; exit 1; }
	@set -e; for module in $(MODULES); do \
		echo "lint $$module"; cd $(CURDIR)/$$module; \
		go vet ./...; \
		$(TOOLS)/staticcheck ./...; \
		$(TOOLS)/golangci-lint run --config $(CURDIR)/.golangci.yml ./...; \
	done

fuzz: ## every fuzz target of internal/ for FUZZTIME each
	@set -e; found=0; packages=$$(go list ./internal/...); \
	for package in $$packages; do \
		targets=$$(go test -list '^Fuzz' $$package); \
		for target in $$targets; do case $$target in Fuzz*) \
			found=$$((found + 1)); echo "fuzz $$package $$target for $(FUZZTIME)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$package;; \
		esac; done; \
	done; \
	test $$found -gt 0 || { echo "no fuzz target found"; exit 1; }

bench: ## what a check costs, beside a bare handler; BENCH_ONLY=checks,nginx for some of it, BENCH_PEER for others beside it
	@cd test && go run ./tools bench && go run ./bench

microbench: ## the benchmarks of every package, as benchstat reads them
	go test -run '^$$' -bench . -benchmem $(if $(COUNT),-count $(COUNT)) ./...

image: ## a container image, with docker or podman
	@for engine in docker podman; do \
		if $$engine info >/dev/null 2>&1; then \
			exec $$engine build --build-arg VERSION=$(VERSION) --tag doorward:$(VERSION) .; \
		fi; \
	done; \
	echo "make image: neither docker nor podman runs here" >&2; exit 1

clean: ## remove what was built and installed below this directory
	rm -rf bin .tools
