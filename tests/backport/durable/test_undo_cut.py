# SPDX-License-Identifier: GPL-2.0-or-later
"""Undo of several branches, killed or refused at each durable act: `undo` brings all back, `abort` none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backport.durable.machine import Ended, Fault
from tests.backport.durable.seen import difference, seen
from tests.backport.durable.test_several_cut import FAULTS, NAMES, Several, without_logs
from tests.backport.trees import git


class Applied(Several):
    """The three branches have moved, and nothing else holds what they moved to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        done = self.apply()
        assert done.code == 0, done.said
        git(self.repo, "branch", "-q", "-D", "topic")
        self.moved = self.tips()
        shutil.rmtree(folder / "template")
        shutil.copytree(self.repo, folder / "template", symlinks=True)

    def undo(self, at: int = 0, fault: Fault = Fault.KILL, sticky: bool = False) -> Ended:
        """The command, on what was applied."""
        self.fresh()
        return self.machine.run(self.repo, "undo", at=at, fault=fault, sticky=sticky)


@pytest.fixture
def applied(tmp_path: Path) -> Iterator[Applied]:
    found = Applied(tmp_path)
    yield found
    found.machine.close()


@pytest.mark.parametrize(
    ("verb", "step"),
    [
        ("undo", 41),
        ("abort", 41),
        pytest.param("undo", 1, marks=pytest.mark.torture),
        pytest.param("abort", 1, marks=pytest.mark.torture),
    ],
)
def test_cut_anywhere(applied: Applied, verb: str, step: int) -> None:
    whole = applied.undo()
    assert whole.code == 0, whole.said
    assert applied.tips() == applied.old
    ends = {"undo": seen(applied.repo)}
    applied.fresh()
    ends["abort"] = seen(applied.repo)
    waited = 0
    for many, at in enumerate(range(3, whole.calls + 1, step)):
        fault, sticky = FAULTS[many % len(FAULTS)]
        cut = applied.undo(at, fault, sticky)
        case = (at, fault, sticky, cut.said)
        assert cut.code < 128, case
        plan = applied.repo / ".git/backport/undoing.json"
        if not plan.exists():
            # Before the first act, or put back at once, or behind the last.
            assert applied.tips() in (applied.old, applied.moved), case
            assert cut.code or applied.tips() == applied.old, case
            continue
        waited += 1
        assert {*applied.tips().items()} <= {*applied.old.items(), *applied.moved.items()}, case
        again = applied.machine.run(applied.repo, verb)
        assert again.code == 0, (case, again.said)
        assert applied.left() == [], case
        assert applied.tips() == (applied.old if verb == "undo" else applied.moved), case
        end = difference(*map(without_logs, (ends[verb], seen(applied.repo))))
        assert end == "", (case, end)
        last = applied.machine.run(applied.repo, "undo")
        assert (last.code, applied.tips()) == (2 if verb == "undo" else 0, applied.old), (
            case,
            last.said,
        )
    assert waited


def test_the_branch_that_is_checked_out_has_its_files_again(applied: Applied) -> None:
    assert applied.undo().code == 0
    assert git(applied.repo, "rev-parse", "--abbrev-ref", "HEAD") == NAMES[1]
    assert git(applied.repo, "status", "--porcelain") == ""
