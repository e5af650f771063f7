# SPDX-License-Identifier: GPL-2.0-or-later
# Every target sets up what it needs (.ci/env); nothing has to be installed by hand first.
BIN := .venv/bin
# One more than there are cores: a quarter of the time tests wait for processes and the disk.
WORKERS := $(shell expr $$(nproc) + 1)

.PHONY: demo test torture fuzz check bench env
demo: env
	@.ci/demo
# pytest caches the asserts that it rewrites, even where the user has switched bytecode files off.
test torture: export PYTHONDONTWRITEBYTECODE :=
test: env
	$(BIN)/pytest -q -n $(WORKERS) --dist loadgroup
torture: env
	$(BIN)/pytest -q -n $(WORKERS) --dist loadgroup -m torture
# As `make fuzz ARGS='mails --seconds 3600'`; by atheris after `.venv/bin/pip install .[fuzz]`.
fuzz: env
	$(BIN)/python -m tests.fuzz $(or $(ARGS),all --seconds 60)
check: env
	@.ci/gates
bench: env
	$(BIN)/python -m tests.bench $(ARGS)
env:
	@.ci/env
