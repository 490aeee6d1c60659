# make demo | studio | test | test-studio | types | lint | bench | docs | pictures — each makes .venv first if it is not there.
# PYTHON: which Python to make it with. ONE_IN: types are enforced in one test out of so many. TESTS: options of `make test`.
PYTHON ?= python3.11
ONE_IN ?= 4
BIN := .venv/bin
ENFORCED := --jaxtyping-packages=descend,enforced.typechecker
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo studio test test-studio types lint bench docs pictures clean

demo: .venv/core
	$(BIN)/descend fit sample:digits --target target

studio: .venv/studio
	$(BIN)/descend studio

test: .venv/test
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(TESTS)

# The studio's page, as a person uses it, in the system's Chromium.
test-studio: .venv/browser
	$(BIN)/python -m pytest -m browser tests/studio

# Tests with the types of all functions enforced, which slows every call; in a process of their own they are not. Types
# are those of a function, which several tests call: so one test in four is enough of each module, and all its doctests.
types: .venv/test
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ENFORCED) --one-in $(ONE_IN)

lint: .venv/lint
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/house.py

bench: .venv/peers .venv/browser
	$(BIN)/python -m benchmarks.fetch
	for name in engine first_step many start tables optimizers matrix_rules torch_step torch_minimize searches linear linear_defaults linear_growth calibration untuned untuned_more neural small_networks lenet texts language bits rl insight doctor studio; do $(BIN)/python -m benchmarks $$name || exit 1; done

# The book, into build/book/site, checked; it trains all that it shows, for some minutes.
docs: .venv/docs
	$(BIN)/python -m tools.book

# The pictures of the README and the book, taken in the system's Chromium; they lie in the repository.
pictures: .venv/browser
	$(BIN)/python tools/pictures.py

.venv/core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	touch $@

.venv/test .venv/lint .venv/docs .venv/peers .venv/studio .venv/browser: .venv/%: .venv/core
	$(INSTALL) --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv
