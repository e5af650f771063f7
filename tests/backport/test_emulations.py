# SPDX-License-Identifier: GPL-2.0-or-later
"""What is emulated before a build has come to its end is not emulated again, and counts only if it is what
the build made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any

import pytest

from backport.cache import ArtefactGone, Cache
from backport.config import Settings
from backport.emulations import Emulations
from backport.verdicts import State
from emu.probe import Answers
from tests.emu import mini

CORE = mini.profile().core_object


class Here(Executor):
    """Runs at once, and counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.broken = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.broken:
            self.broken -= 1
            raise BrokenExecutor
        self.calls += 1
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as exc:
            future.set_exception(exc)
        return future


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture
def emulations(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulations]:
    monkeypatch.setattr(Emulations, "_pool", lambda self: here)
    found = Emulations(Cache(tmp_path), Settings(jobs=2), mini.profile(), booted=False)
    yield found
    found.close()
    assert not any((tmp_path / "tmp").iterdir())


def test_what_was_begun_early_is_gone_on_with(emulations: Emulations, here: Here) -> None:
    sha = emulations.cache.put_blob(mini.core())
    emulations.early(CORE, sha, None)
    begun = here.calls
    (verdict,) = emulations.begin({CORE: sha}, None)()
    assert here.calls == begun == 2
    assert verdict.state is State.PASSED


def test_what_was_begun_early_and_is_not_what_was_made_does_not_count(
    emulations: Emulations, here: Here
) -> None:
    good = emulations.cache.put_blob(mini.core())
    bad = emulations.cache.put_blob(mini.core(("return event_op(4, &op);", "return 0;")))
    emulations.early(CORE, good, None)
    begun = here.calls
    (verdict,) = emulations.begin({CORE: bad}, None)()
    assert here.calls == 2 * begun
    assert verdict.state is State.FAILED


def test_a_tree_that_says_otherwise_than_the_last_is_judged_by_what_it_says(
    emulations: Emulations, here: Here
) -> None:
    sha = emulations.cache.put_blob(mini.core())
    emulations.early(CORE, sha, None)
    begun = here.calls
    answers = Answers({"ECS_FREE": 0})
    (verdict,) = emulations.begin({CORE: sha}, answers)()
    assert (here.calls > begun) == bool(verdict.how)


def test_a_pool_that_broke_is_replaced(emulations: Emulations, here: Here) -> None:
    sha = emulations.cache.put_blob(mini.core())
    here.broken = 2  # early, and once more
    emulations.early(CORE, sha, None)
    (verdict,) = emulations.begin({CORE: sha}, None)()
    assert verdict.state is State.PASSED


def test_an_artefact_that_is_gone_is_said_to_be(emulations: Emulations) -> None:
    with pytest.raises(ArtefactGone):
        emulations.begin({CORE: "0" * 64}, None)
