# Two commands on a fresh machine: `make demo` shows what the agent does, `make test` runs every test.

.DEFAULT_GOAL := help
.PHONY: help demo build check test test-all test-under-load test-dependencies test-sanitized test-threads compare bench bench-neighbours soak fuzz install uninstall format lint clean dependencies toolchain

export PKG_CONFIG_PATH := $(CURDIR)/.deps/openvino/lib/pkgconfig

help:
	@echo 'make demo              show recommendations for a sample catalogue'
	@echo 'IMAGES=/path make demo show them for your own photos'
	@echo 'make build             build the agent (.build/release/imgrec-agent)'
	@echo 'make install           install it with its units under PREFIX (default /usr/local)'
	@echo 'make uninstall         take that away again'
	@echo 'make check             format, build and unit tests, in some minutes'
	@echo 'make test              run every test'
	@echo 'make test-all          also under load, with sanitizers, against Keras and PyTorch, and a change of model with 5,000 products'
	@echo 'make test-under-load   run the tests while both cores are busy with 16 other things'
	@echo 'make compare           compare models with Keras and PyTorch, over real photos'
	@echo 'make test-sanitized    run the imaging tests with the address sanitizer'
	@echo 'make test-threads      run the unit tests with the thread sanitizer'
	@echo 'make bench             measure it beside OpenVINO alone and the Keras recipe'
	@echo 'make bench-neighbours  measure the neighbour table beside FAISS and numpy'
	@echo 'make soak              change, move, delete and kill at random, and compare with a clean run'
	@echo 'make fuzz              throw made-up bytes at the decoders; SECONDS=1800 make fuzz for longer'
	@echo 'make lint              check the format of the code'
	@echo 'make format            format the code'
	@echo 'make clean             remove what was built (not what was downloaded)'

toolchain:
	@command -v swift >/dev/null || { echo 'Swift 6.3 is needed and there is no swift here: https://www.swift.org/install/linux' >&2; exit 1; }

dependencies: toolchain
	@Scripts/install-debian-packages build
	@Scripts/fetch-openvino
	@Scripts/fetch-model

build: dependencies
	@echo '==> building the agent (release); the first time takes some minutes'
	@swift build --configuration release --static-swift-stdlib -Xswiftc -use-ld=lld --product imgrec-agent

demo: build
	@Scripts/demo

test-dependencies: toolchain
	@Scripts/install-debian-packages test
	@Scripts/fetch-openvino
	@Scripts/fetch-model efficientnet-lite0 efficientnet-lite1 efficientnet-lite2
	@Scripts/make-test-fixtures

test: test-dependencies
	@echo '==> building and running the tests; the first time takes some minutes'
	@Scripts/test

check: lint test-dependencies
	@echo '==> building and running the unit tests; the first time takes some minutes'
	@Scripts/test --skip EndToEndTests

test-all: test test-under-load compare
	@Scripts/change-model
	@Scripts/test-sanitized imaging
	@Scripts/test-sanitized threads

test-under-load: test-dependencies
	@Scripts/test-under-load

compare: build
	@Scripts/install-debian-packages test
	@Scripts/compare-with-keras
	@Scripts/compare-with-pytorch

test-sanitized:
	@Scripts/test-sanitized imaging

test-threads: test-dependencies
	@Scripts/test-sanitized threads

bench: build
	@Scripts/install-debian-packages test
	@Scripts/bench

bench-neighbours: build
	@Scripts/install-debian-packages test
	@Scripts/bench-neighbours

soak: build
	@Scripts/install-debian-packages test
	@Scripts/soak

fuzz: dependencies
	@Scripts/fuzz $(SECONDS)

install: build
	@Scripts/install

uninstall:
	@Scripts/uninstall

format:
	@swift format --in-place --recursive Sources Tests Package.swift

lint:
	@swift format lint --strict --recursive Sources Tests Package.swift

clean:
	@rm -rf .build .build-*
