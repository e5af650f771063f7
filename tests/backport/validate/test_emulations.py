# SPDX-License-Identifier: GPL-2.0-or-later
"""What is emulated before a build has come to its end is not emulated again, and counts only if it is what
the build made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backport.config import Settings
from backport.store.cache import ArtefactGone, Cache
from backport.validate.pool import Emulations
from backport.verdicts import State
from emu.object.probe import Answers
from tests.emu import mini

CORE = mini.profile().core_object


class Here(Executor):
    """Runs at once, and counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.broken = 0
        self.dies = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.broken:
            self.broken -= 1
            raise BrokenExecutor
        self.calls += 1
        future: Future[Any] = Future()
        if self.dies:
            future.set_exception(BrokenExecutor())
            return future
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


def test_a_worker_that_dies_takes_no_verdict_of_the_next_step_along(
    emulations: Emulations, here: Here
) -> None:
    bad = emulations.cache.put_blob(mini.core(("return event_op(4, &op);", "return 0;")))
    good = emulations.cache.put_blob(mini.core())
    here.dies = True
    first = emulations.begin({CORE: bad}, None)
    emulations.early(CORE, good, None)  # in the same pool
    here.dies = False
    assert [verdict.state for verdict in first()] == [State.CANNOT_TELL]
    assert [verdict.state for verdict in emulations.begin({CORE: good}, None)()] == [State.PASSED]


def test_what_is_under_way_for_the_step_before_is_not_begun_again(
    emulations: Emulations, here: Here
) -> None:
    sha = emulations.cache.put_blob(mini.core())
    first = emulations.begin({CORE: sha}, None)
    begun = here.calls
    emulations.early(CORE, sha, None)
    first()
    (verdict,) = emulations.begin({CORE: sha}, None)()
    assert here.calls == begun
    assert verdict.cached


def test_there_is_one_pool_whoever_needs_it_first(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Executor] = []

    def slow(*_: object, **__: object) -> Executor:
        time.sleep(0.1)
        made.append(here)
        return here

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", slow)
    emulations = Emulations(Cache(tmp_path), Settings(jobs=2), mini.profile(), booted=False)
    sha = emulations.cache.put_blob(mini.core())
    with ThreadPoolExecutor(2) as threads:
        warmed = threads.submit(emulations.warm)
        threads.submit(emulations.early, CORE, sha, None).result()
        warmed.result()
    emulations.close()
    assert len(made) == 1


def test_what_a_killed_run_left_is_gone(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    left = Emulations(cache, Settings(jobs=1), mini.profile(), booted=False)
    again = Emulations(cache, Settings(jobs=1), mini.profile(), booted=False)
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    again.close()
    left.close()


WARMED = """
import sys, time
from multiprocessing import active_children
from pathlib import Path
from backport.store.cache import Cache
from backport.config import Settings
from backport.validate.pool import Emulations
from tests.emu import mini

if __name__ == "__main__":
    emulations = Emulations(Cache(Path(sys.argv[1])), Settings(jobs=2), mini.profile(), booted=False)
    emulations.warm()
    print(*(worker.pid for worker in active_children()), flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_kills_the_tool_ends_its_workers(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "warmed.py"
    script.write_text(WARMED)
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "cache")],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        workers = [Path("/proc", pid) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        process.send_signal(number)
    until = time.monotonic() + 20
    while any(map(_runs, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(_runs, workers))


def _runs(process: Path) -> bool:
    try:
        return " Z " not in (process / "stat").read_text()
    except OSError:
        return False
