# SPDX-License-Identifier: GPL-2.0-or-later
"""Which commit of upstream a patch waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.history import upstream
from backport.history.upstream import Blocker, find_blockers
from backport.pick.outcome import Clash
from series.model import Oid, Patch
from series.reading.mail import read_mbox
from tests.backport.trees import Files, branch_with, lines, mbox, new_repo, open_repo


def blockers(folder: Path, clash: Clash, *steps: Files) -> tuple[Blocker, ...]:
    """What the last of ``steps`` waits for, which are on upstream and not on the branch."""
    repo = new_repo(folder, {"f": lines(), "other": lines()})
    steps = (*steps[:-1], {"between": "x\n"}, steps[-1])
    subjects = [(f"step {number}", files) for number, files in enumerate(steps, 1)]
    branch_with(repo, "upstream", "stable", *subjects)
    (patch,) = read_mbox(mbox(repo, "upstream^..upstream"), "s.mbox").patches
    opened = open_repo(repo)
    ends = (opened.commit("upstream"), opened.commit("stable"))
    return find_blockers(opened, *ends, patch, (clash,), frozenset())


def test_one_file_is_compared_and_not_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(*_: object) -> Patch:
        raise AssertionError("a whole commit was diffed to see one file")

    monkeypatch.setattr(upstream, "commit_patch", whole)
    (found,) = blockers(
        tmp_path / "r",
        Clash(b"f", "", ours=Oid("1" * 40), missing=(b"needed",)),
        {"f": lines((9, "needed")), "other": lines((3, "x"))},
        {"f": lines((9, "needed"), (20, "unrelated"))},
    )
    assert (found.subject, found.path, found.lines) == ("step 1", b"f", (b"needed",))


def test_lines_of_a_file_that_a_commit_renames(tmp_path: Path) -> None:
    """Those that it adds, and not all of the file."""
    (found,) = blockers(
        tmp_path / "r",
        Clash(b"g", "", ours=Oid("1" * 40), missing=(b"needed", b"line 3")),
        {"f": None, "g": lines((9, "needed"))},
        {"g": lines((9, "needed"), (20, "x"))},
    )
    assert (found.subject, found.lines) == ("step 1", (b"needed",))


def test_the_commit_that_makes_the_file(tmp_path: Path) -> None:
    (found,) = blockers(
        tmp_path / "r",
        Clash(b"new", "", missing=(b"one",)),
        {"new": "one\ntwo\n"},
        {"new": "one\nthree\n"},
    )
    assert (found.subject, found.lines) == ("step 1", ())
