# make demo shows captiond at work, make test tests it: both set up all they need.
.PHONY: deps deps-gpu build test lint demo bench bench-check parity doctor

# C code is compiled as Debian compiles its own: it is FFmpeg's bindings, fed by strangers.
export CGO_CFLAGS ?= -g -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
# Test binaries do not lie beside the library that make deps fetched, as bin/captiond does.
test parity: export CAPTIOND_MODEL_LIBRARY ?= $(CURDIR)/lib/libonnxruntime.so.1

lint_version = v2.15.0
linter = .tools/golangci-lint-$(lint_version)/golangci-lint

deps:
	@setup/deps.sh

deps-gpu:
	@setup/deps-gpu.sh

build: deps
	go build -o bin/captiond ./cmd/captiond

test: deps
	setup/pure.sh
	go vet ./...
	go test -race -shuffle=on -timeout=20m ./...

lint: deps $(linter)
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt -w these:"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	$(linter) run ./...

# The linter is installed apart: its modules must not meet ours.
$(linter):
	GOBIN=$(CURDIR)/$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(lint_version)

demo: build
	bin/captiond demo

# Beside its peers, some minutes; the result goes to docs/performance.md and model/bench/results.
bench: build
	model/bench/run.sh $(ARGS)

# A minute: fails where a ratio within captiond is beyond its bound.
bench-check: build
	bin/captiond bench --check $(ARGS)

parity: deps
	model/parity/run.sh $(ARGS)

doctor:
	@setup/doctor.sh
