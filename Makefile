# SPDX-License-Identifier: GPL-2.0-or-later
# Every target sets up what it needs (.ci/env); nothing has to be installed by hand first.
BIN := .venv/bin

.PHONY: demo test torture check bench env
demo: env
	@.ci/demo
test: env
	$(BIN)/pytest -q -n auto --dist loadgroup
torture: env
	$(BIN)/pytest -q -n auto --dist loadgroup -m torture
check: env
	@.ci/gates
bench: env
	$(BIN)/python -m tests.bench $(ARGS)
env:
	@.ci/env
