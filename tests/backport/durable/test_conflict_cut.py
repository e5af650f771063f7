# SPDX-License-Identifier: GPL-2.0-or-later
"""Cut while a conflict is laid out, dropped or skipped: the next verb finds its way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backport.durable.machine import Ended, Fault, Machine
from tests.backport.durable.seen import Seen, difference, seen
from tests.backport.durable.survey import Shape, arguments, make
from tests.backport.durable.sweep import fresh
from tests.backport.trees import commit, lines

CLASH = lines((5, "other"), (6, "other"))
BESIDE = lines((6, "other"))
"""Next to the line that the patch changes: laid out resolved, as a proposal."""
FAULTS = ((Fault.KILL, False), (Fault.HALF, False), (Fault.ENOSPC, False), (Fault.ENOSPC, True))


class Stopping:
    """A repository whose run stops on a conflict."""

    def __init__(self, folder: Path, other: str) -> None:
        self.machine = Machine(folder / "machine")
        self.folder = folder
        repo = make(folder / "repo", Shape.PLAIN)
        commit(repo, {"b.c": other}, "clash")
        repo.rename(folder / "template")
        self.repo = fresh(folder)
        self.state = self.repo / ".git/backport/run/state.json"
        self.file = self.repo / ".git/backport/conflict/b.c"
        self.open = other == CLASH
        """Whether nothing is proposed."""
        self.before = seen(self.repo)

    def apply(self, at: int = 0, fault: Fault = Fault.KILL, sticky: bool = False) -> Ended:
        """A run from the beginning."""
        fresh(self.folder)
        words = arguments(self.repo, "none", Shape.PLAIN)
        return self.machine.run(self.repo, *words, at=at, fault=fault, sticky=sticky)

    def differs(self, wanted: Seen) -> str:
        """What is not as it should be."""
        return difference(wanted, seen(self.repo))


@pytest.fixture(params=[CLASH, BESIDE], ids=["conflict", "proposal"])
def stopping(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stopping]:
    found = Stopping(tmp_path, request.param)
    yield found
    found.machine.close()


@pytest.mark.parametrize("step", [41, pytest.param(1, marks=pytest.mark.torture)])
def test_while_it_is_laid_out(stopping: Stopping, step: int) -> None:
    whole = stopping.apply()
    assert whole.code == 3, whole.said
    laid_out = stopping.file.read_text()
    assert ("<<<<<<<" in laid_out) == stopping.open, whole.said
    many = 0
    for at in range(100, whole.calls + 1, step):
        fault, sticky = FAULTS[many % len(FAULTS)]
        many += 1
        cut = stopping.apply(at, fault, sticky)
        assert cut.code < 128, (at, fault, cut.said)
        if not stopping.state.exists():
            continue
        again = stopping.machine.run(stopping.repo, "continue")
        assert again.code == 3, (at, fault, again.said)
        assert stopping.file.read_text() == laid_out, (at, fault, again.said)
        done = stopping.machine.run(stopping.repo, "abort")
        assert done.code == 0, (at, fault, done.said)
        assert stopping.differs(stopping.before) == "", (at, fault)
    assert many > 2


@pytest.mark.parametrize("step", [31, pytest.param(1, marks=pytest.mark.torture)])
@pytest.mark.parametrize("verb", ["abort", "skip"])
def test_while_it_goes(stopping: Stopping, verb: str, step: int) -> None:
    stopping.apply()
    whole = stopping.machine.run(stopping.repo, verb)
    assert whole.code == 0, whole.said
    end = seen(stopping.repo)
    many = 0
    for at in range(1, whole.calls + 1, step):
        fault, sticky = FAULTS[many % len(FAULTS)]
        many += 1
        stopping.apply()
        cut = stopping.machine.run(stopping.repo, verb, at=at, fault=fault, sticky=sticky)
        assert cut.code < 128, (at, fault, cut.said)
        if stopping.state.exists():
            stands = '"phase": "stopped"' in stopping.state.read_text()
            again = stopping.machine.run(stopping.repo, verb if stands else "continue")
            assert again.code == 0, (at, fault, again.said)
        assert stopping.differs(end) == "", (at, fault)
    assert many > 1
