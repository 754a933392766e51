# "make" or "make help" lists the targets. Those that need programs of Debian
# install them first ("make deps"), for which they must run as root; those that
# are compiled from Go modules are compiled once and kept in a cache
# (${XDG_CACHE_HOME:-~/.cache}/schemagate).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

# What the image is called where it is loaded; config/manager uses this name.
IMAGE ?= schemagate:dev

# The architectures that the image is built for.
ARCHITECTURES ?= amd64 arm64

# The version and the time are those of the commit, so that the same sources
# give the same program. Sources outside a repository have neither.
VERSION ?= $(shell git describe --tags --match 'v*' --always --dirty 2>/dev/null || echo unknown)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

PACKAGE := github.com/schemagate/schemagate
LDFLAGS = -s -w \
	-X $(PACKAGE)/internal/version.version=$(VERSION) \
	-X $(PACKAGE)/internal/version.commit=$(COMMIT) \
	-X $(PACKAGE)/internal/version.date=$(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ)
GO_BUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'

OUT := _out
MODULES := . $(patsubst %/go.mod,%,$(wildcard hack/*/go.mod test/*/go.mod))
CLUSTER_TOOL := go -C hack/cluster run .

# Licenses that let the binary be distributed under Apache-2.0. The lower
# confidence recognizes a BSD license that says "authors" for "copyright holder".
LICENSES := Apache-2.0,BSD-2-Clause,BSD-3-Clause,ISC,MIT
LICENSE_FLAGS := --confidence_threshold=0.8 --logtostderr=false --log_file=/dev/null --stderrthreshold=ERROR

##@ Develop

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the program for this machine: bin/schemagate.
	$(GO_BUILD) -o bin/schemagate .

.PHONY: generate
generate: ## Generate code, manifests and the API reference from the sources.
	hack/tool controller-gen object applyconfiguration crd paths=./api/... output:crd:dir=config/crd
	hack/tool controller-gen rbac:roleName=schemagate-manager paths=./controllers/... output:rbac:dir=config/rbac/role
	go generate ./...
	mkdir -p docs/api
	hack/tool crd-ref-docs --log-level=ERROR --max-depth=20 --source-path=api/v1alpha1 \
		--config=hack/docs/crd-ref-docs.yaml --renderer=markdown --output-path=docs/api/v1alpha1.md
	go -C hack/chart run . ../../config ../../charts/schemagate/files
	hack/tool helm-docs --chart-search-root=charts --sort-values-order=file --log-level=warning

.PHONY: fmt
fmt: ## Format the Go code.
	for module in $(MODULES); do \
		(cd $$module && "$(CURDIR)/hack/tool" golangci-lint-kube-api-linter fmt --config "$(CURDIR)/.golangci.yml"); \
	done

.PHONY: clean
clean: ## Remove what was built in the tree; the caches stay.
	rm -rf bin $(OUT)

##@ Check

.PHONY: verify
verify: ## Check all that can be checked without running it; a clean tree stays clean.
	hack/verify/unchanged $(MAKE) --no-print-directory generate
	$(MAKE) --no-print-directory lint licenses render

.PHONY: lint
lint: ## Lint the Go code of all modules, and check that their requirements are tidy.
	hack/tool golangci-lint-kube-api-linter config verify
	for module in $(MODULES); do \
		echo "==> $$module"; \
		(cd $$module && go mod tidy -diff && \
			"$(CURDIR)/hack/tool" golangci-lint-kube-api-linter run --config "$(CURDIR)/.golangci.yml" ./...); \
	done

.PHONY: licenses
licenses: ## Check the licenses of what the program is compiled from.
	hack/tool go-licenses check . --allowed_licenses=$(LICENSES) $(LICENSE_FLAGS)

.PHONY: render
render: ## Render every kustomization below config/ but components, and check the manifests.
	@for file in $$(find config -name kustomization.yaml -not -path 'config/components/*' | sort); do \
		result=$$(hack/tool kustomize build "$${file%/*}" | go -C hack/verify run . -crd ../../config/crd); \
		echo "$${file%/*}: $$result"; \
	done

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities, in the database at vuln.go.dev.
	hack/tool govulncheck ./...

##@ Test

.PHONY: test
test: deps ## Run all tests: unit, integration, those of hack/, end to end, of the chart.
	hack/test unit integration hack e2e chart

.PHONY: test-unit
test-unit: ## Run the tests that need nothing but Go.
	hack/test unit

.PHONY: test-integration
test-integration: deps ## Run the tests with a real API server, PostgreSQL and PgBouncer.
	hack/test integration

.PHONY: test-hack
test-hack: deps ## Run the tests of the tools below hack/, the node's included.
	hack/test hack

.PHONY: test-e2e
test-e2e: deps ## Run the tests on a real node, which is started and removed.
	hack/test e2e

.PHONY: chart-test
chart-test: deps ## Run the tests of the Helm charts, on a node that is started and removed.
	hack/test chart

.PHONY: test-chaos
test-chaos: deps ## Break everything there is to break, in the order of SEED=…, on a node of its own.
	SEED=$(SEED) CHAOS_LIMIT= TEST_FORMAT=standard-verbose TEST_FLAGS="-p=2 -timeout=60m -run=TestChaos" hack/test e2e

.PHONY: bench
bench: deps ## Run the benchmarks.
	SCHEMAGATE_CLUSTER_BIN=$$($(CLUSTER_TOOL) build) go test -run='^$$' -bench=. -benchmem $$(go list ./... | grep -v /test/bench$$)

##@ Image

.PHONY: image
image: ## Build the image, and load it into the node if one runs.
	hack/licenses $(OUT)/licenses
	for arch in $(ARCHITECTURES); do \
		GOOS=linux GOARCH=$$arch $(GO_BUILD) -o $(OUT)/image/schemagate-$$arch .; \
	done
	go -C hack/image run . build -tag $(IMAGE) -entrypoint /schemagate \
		$(foreach arch,$(ARCHITECTURES),-binary linux/$(arch)=$(CURDIR)/$(OUT)/image/schemagate-$(arch)) \
		-file $(CURDIR)/$(OUT)/licenses=/licenses \
		-annotation org.opencontainers.image.title=schemagate \
		-annotation org.opencontainers.image.description='Keeps pods from starting against a database schema they cannot use' \
		-annotation org.opencontainers.image.source=https://$(PACKAGE) \
		-annotation org.opencontainers.image.licenses=Apache-2.0 \
		-annotation org.opencontainers.image.version=$(VERSION) \
		-annotation org.opencontainers.image.revision=$(COMMIT) \
		-layout $(CURDIR)/$(OUT)/image/oci -out $(CURDIR)/$(OUT)/image/schemagate.tar
	@if [ "$${CLUSTER:-}" != current ] && $(CLUSTER_TOOL) status >/dev/null 2>&1; then \
		$(CLUSTER_TOOL) load $(CURDIR)/$(OUT)/image/schemagate.tar; \
	fi

##@ Release

.PHONY: release
release: deps ## Build everything that a release consists of: make release VERSION=v0.1.0.
	go -C hack/release run . -version '$(VERSION)' -out $(CURDIR)/$(OUT)/release

##@ Node

.PHONY: cluster-up
cluster-up: deps ## Start a Kubernetes node on this machine; CLUSTER_NAME tells several apart.
	$(CLUSTER_TOOL) up

.PHONY: cluster-status
cluster-status: ## Show what runs of it.
	$(CLUSTER_TOOL) status

.PHONY: cluster-down
cluster-down: ## Stop and remove the node.
	$(CLUSTER_TOOL) down

.PHONY: cluster-binaries
cluster-binaries: ## Build the node's programs and print where they are.
	@$(CLUSTER_TOOL) build

# The demonstration has a node of its own, which it removes.
demo demo-down: export CLUSTER_NAME ?= demo

.PHONY: demo
demo: cluster-up ## Start a node and a database, and show an upgrade; DEMO_KEEP=1 leaves them running.
	$(MAKE) --no-print-directory image ARCHITECTURES=$$(go env GOARCH)
	hack/standin 0.3.6 0.3.8 0.6.6 0.6.32 0.9.5 0.9.6 0.10.2
	hack/demo

.PHONY: demo-down
demo-down: ## Remove the demonstration.
	hack/demo-database stop
	$(CLUSTER_TOOL) down

.PHONY: bench-cluster
bench-cluster: deps ## Measure the operator on a node of its own.
	hack/bench-cluster

.PHONY: deps
deps: ## Install what is missing of Debian; needs root only then.
	@hack/deps/install
