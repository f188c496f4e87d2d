# make recognize [AUDIO=file]  set up once, then print what is said in a recording (or in ours)
# make test                    style, types and tests
# make sanitize                the native code's tests with address and undefined-behaviour checks
#
# Standard output holds results only; setting up reports on standard error.

PYTHON ?= python3
SAMPLE := recognizer/samples/synthetic.flac
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# What pip does for packages that are not editable, so that commands start quickly at once.
COMPILE = $(BIN)/python -m compileall -q recognizer
NATIVE := CMakeLists.txt $(wildcard */csrc/* */csrc/*/*)
SANITIZE := build/sanitize

.PHONY: recognize test sanitize clean
.DELETE_ON_ERROR:

recognize: $(VENV)/installed
	@$(BIN)/recognize "$(or $(AUDIO),$(SAMPLE))"

test: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON) is not Python 3.10 or later (choose one: make PYTHON=...)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>&- || \
	  { echo "$(PYTHON) lacks venv or pip (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import sysconfig, os, sys; h = sysconfig.get_path("include"); \
	  sys.exit(not os.path.exists(h + "/Python.h"))' || \
	  { echo "$(PYTHON) lacks Python.h (Debian, Ubuntu: apt install python3-dev)" >&2; exit 1; }
	@command -v c++ >&2 || command -v g++ >&2 || command -v clang++ >&2 || \
	  { echo "no C++ compiler (Debian, Ubuntu: apt install g++)" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)" >&2
	@$(PYTHON) -m venv $(VENV) >&2

$(VENV)/installed: pyproject.toml $(NATIVE) | $(BIN)/python
	@echo "Installing the recognizer into $(VENV) (once: a few minutes)" >&2
	@$(PIP) install --editable . >&2
	@$(COMPILE)
	@touch $@

$(VENV)/installed-test: pyproject.toml constraints.txt $(NATIVE) | $(BIN)/python
	@echo "Installing the recognizer with what training and tests need into $(VENV)" >&2
	@$(PIP) install --constraint constraints.txt --editable '.[train,cluster,test]' >&2
	@$(COMPILE)
	@touch $@ $(VENV)/installed

# A second environment sees the first one's packages, but holds our own built with sanitizers.
sanitize: $(VENV)/installed-test
	@$(BIN)/python -m venv --without-pip --clear $(SANITIZE)/venv
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
	  $$($(SANITIZE)/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/peers.pth
	@$(PIP) --python $(SANITIZE)/venv install --no-deps --ignore-installed \
	  --config-settings=build-dir=$(SANITIZE)/build \
	  --config-settings=cmake.define.SANITIZE=ON \
	  --config-settings=cmake.build-type=RelWithDebInfo . >&2
	cd $(SANITIZE) && ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 \
	  LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	  venv/bin/python -m pytest --config-file ../../pyproject.toml --rootdir ../.. \
	  ../../tests/lm ../../tests/decoding ../../tests/am/nnet/test_inference_native.py \
	  ../../tests/am/nnet/test_inference_kinds.py \
	  ../../tests/recognizer/test_recognizer.py

clean:
	rm -rf build $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
