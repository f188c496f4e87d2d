# make recognize [AUDIO=file]  set up once, then print what is said in a recording (or in ours)
# make train                   adds what training needs; nothing is compiled again
# make test                    style, types and tests
# make docs                    the documentation, in build/site
# make sanitize                the native code's tests with address and undefined-behaviour checks
#
# Standard output holds results only; setting up reports on standard error.

PYTHON ?= python3
SAMPLE := recognizer/samples/synthetic.flac
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Modules are compiled to bytecode when they are first imported; most never are.
INSTALL := install --no-compile
NATIVE := CMakeLists.txt $(wildcard */csrc/* */csrc/*/*)
SANITIZE := build/sanitize
# Test files run side by side, each in one process.
TEST_PROCESSES ?= 2

.PHONY: recognize train test docs sanitize clean
.DELETE_ON_ERROR:

recognize: $(VENV)/installed
	@$(BIN)/recognize "$(or $(AUDIO),$(SAMPLE))"

train: $(VENV)/installed-train
	@echo "$(BIN)/recognizer can train models now" >&2

test: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

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

# They stay in the environment, so that later installations compile only what changed.
$(VENV)/build-tools: pyproject.toml | $(BIN)/python
	@echo "Installing the build tools" >&2
	@$(PIP) $(INSTALL) $$(sed -n 's/^requires = \[\(.*\)\]/\1/p' pyproject.toml | tr -d '",') >&2
	@missing=$$($(BIN)/python -c 'from scikit_build_core import build; \
	  print(*build.get_requires_for_build_editable())') && \
	  { [ -z "$$missing" ] || $(PIP) $(INSTALL) $$missing >&2; }  # CMake, Ninja
	@touch $@

$(VENV)/installed: pyproject.toml $(NATIVE) $(VENV)/build-tools
	@echo "Compiling what recognising needs and installing the recognizer (once: about a minute)" >&2
	@$(PIP) $(INSTALL) --no-build-isolation --editable . \
	  --config-settings=cmake.define.RECOGNITION_ONLY=ON >&2
	@touch $@

# What is compiled stays as it is; the rest is added to it.
$(VENV)/installed-whole: $(VENV)/installed
	@echo "Compiling what training needs" >&2
	@$(PIP) $(INSTALL) --no-build-isolation --no-deps --editable . \
	  --config-settings=cmake.define.RECOGNITION_ONLY=OFF >&2
	@touch $@

# The name stands for what is installed already; only what the extras name is added.
$(VENV)/installed-train: $(VENV)/installed-whole
	@echo "Installing what training needs" >&2
	@$(PIP) $(INSTALL) 'recognizer[train]' >&2
	@touch $@

$(VENV)/installed-test: constraints.txt $(VENV)/installed-whole
	@echo "Installing what training and tests need" >&2
	@$(PIP) $(INSTALL) --constraint constraints.txt 'recognizer[train,cluster,test]' >&2
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed
	@echo "Installing what the documentation needs" >&2
	@$(PIP) $(INSTALL) 'recognizer[docs]' >&2
	@touch $@

# A second environment sees the first one's packages, but holds our own built with sanitizers.
sanitize: $(VENV)/installed-test
	@$(BIN)/python -m venv --without-pip --clear $(SANITIZE)/venv
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
	  $$($(SANITIZE)/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/peers.pth
	@$(PIP) --python $(SANITIZE)/venv $(INSTALL) --no-build-isolation --no-deps --ignore-installed \
	  --config-settings=build-dir=$(SANITIZE)/build \
	  --config-settings=cmake.define.SANITIZE=ON \
	  --config-settings=cmake.build-type=RelWithDebInfo . >&2
	cd $(SANITIZE) && ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 \
	  LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	  venv/bin/python -m pytest --config-file ../../pyproject.toml --rootdir ../.. \
	  ../../tests/lm ../../tests/decoding ../../tests/am/nnet/test_inference_native.py \
	  ../../tests/am/nnet/test_inference_kinds.py \
	  ../../tests/am/training/criteria/test_sequence_native.py \
	  ../../tests/recognizer/evaluation/test_word_alignment.py \
	  ../../tests/recognizer/test_recognizer.py

clean:
	rm -rf build $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
