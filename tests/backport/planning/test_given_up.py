# SPDX-License-Identifier: GPL-2.0-or-later
"""A series whose order is not found within the bounds of the search stops before anything is done."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.backport.trees import backport, branch_with, commit, git, lines, mails, mbox, new_repo


def test_a_search_that_gives_up_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("series.ordering.search._BUDGET", 3)
    repo = new_repo(tmp_path / "repo", {"f": lines()})
    steps = [
        (f"change {n}", {"f": lines(*((m, f"new {m}") for m in range(1, n + 1)))})
        for n in range(1, 9)
    ]
    branch_with(repo, "topic", "stable", *steps)
    commit(repo, {"f": "more\n" + lines((15, "line 15\nand more"))}, "a version of its own")
    parts = [
        re.sub(rb"\nDate: .*|\nindex .*", b"", mail)
        for mail in mails(mbox(repo, "topic~8..topic", "-N"))
    ]
    random.Random(1).shuffle(parts)
    box = tmp_path / "series.mbox"
    box.write_bytes(b"\n\n".join(part.rstrip(b"\n") for part in parts) + b"\n")
    before = git(repo, "rev-parse", "stable")
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box))
    assert done.exit_code == 2, done.output
    assert "no order was found for" in done.output
    assert "series.mbox:" in done.output
    assert git(repo, "rev-parse", "stable") == before
    assert "no run" in backport(repo, "status").output
