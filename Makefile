# Aliases for people and for CI; what they do stands in scripts/ and in the CMake presets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help bootstrap build test check-long fuzz parity quickstart pictures bench lint format clean
.NOTPARALLEL:

jobs := $(shell nproc)
release := build/release/build.ninja

# Real photographs and models, for the tests and benchmarks that want them; those are skipped without.
VERILABEL_TEST_DATA ?= $(realpath ../shared/data)
override VERILABEL_TEST_DATA := $(abspath $(VERILABEL_TEST_DATA))
ifneq ($(VERILABEL_TEST_DATA),)
export VERILABEL_TEST_DATA
endif

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

bootstrap: ## Install what building needs: Debian packages (as root) and .venv
	@scripts/bootstrap

bootstrap-%:
	@scripts/bootstrap $*

$(release): CMakePresets.json scripts/packages.txt scripts/requirements.txt
	cmake --preset release

build: bootstrap $(release) ## Build the program: build/release/verilabel
	cmake --build --preset release -j $(jobs) --target verilabel

test: bootstrap $(release) ## Build everything and run all tests; VERILABEL_TEST_DATA=folder with photographs and models
	cmake --build --preset release -j $(jobs)
	$(if $(VERILABEL_TEST_DATA),,@echo "VERILABEL_TEST_DATA is not set: tests that need photographs or models are skipped")
	ctest --preset release -j $(jobs)

check-long: test bootstrap-fuzz ## The long runs: sanitizers, kills, a minute with each fuzzer
	scripts/check_long

fuzz: bootstrap-fuzz ## Build the fuzzers and run each for a minute
	scripts/fuzz

parity: ## Make the fixtures of tests/parity anew with the reference implementations; says what that needs
	scripts/parity

quickstart: build ## The whole loop on a drawn world, offline; or on IMAGES=folder with MODEL=model [TRUTH=labels] [CLASSES="a, b"]; [OUTPUT=folder]
	@build/release/verilabel quickstart $${OUTPUT:+"$$OUTPUT"} $${IMAGES:+--images "$$IMAGES"} $${MODEL:+--model "$$MODEL"} \
	  $${TRUTH:+--labels "$$TRUTH"} $${CLASSES:+--classes "$$CLASSES"}

pictures: build bootstrap-browser ## Make docs/pictures anew: what the quickstart's report shows
	@.venv/bin/python scripts/pictures.py

bench: bootstrap-bench ## Build and run the benchmarks: ratios to peers and bounds
	scripts/bench

lint: bootstrap-dev $(release) ## Formatting, clang-tidy, ruff, shellcheck, layers, what may be committed
	@scripts/lint

format: bootstrap-dev ## Format all code
	@scripts/lint --fix

clean: ## Remove everything that was built; .venv stays
	rm -rf build
