# SPDX-License-Identifier: GPL-2.0-or-later
"""The numbers add up: mails, patches, steps; and what a series declares is there, or named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from backport.errors import ExitCode, Unaccounted
from backport.history.siblings import Chosen, Siblings
from backport.planning.items import Posted
from backport.planning.plan import Plan
from backport.run.accounting import read_words, tally
from backport.run.steps import Reason, Step, StepState
from series.model import Account, Fate, Identity, Patch, Series
from tests.backport.trees import (
    backport,
    commit,
    git,
    lines,
    mbox,
    new_repo,
    two_files,
)

SEPARATOR = b"From x@y Fri Apr 15 09:20:00 2022\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``stable``, and ``topic`` with three patches more."""
    return two_files(
        tmp_path / "repo",
        ("a: five", {"a.c": lines((5, "five"))}),
        ("b: five", {"b.c": lines((5, "five"))}),
        ("a: FIVE", {"a.c": lines((5, "FIVE"))}),
    )


def applied(repo: Path, box: Path, *words: str) -> dict[str, Any]:
    done = backport(
        repo, "apply", "--branch", "stable", "--series", str(box), "--json", "-", *words
    )
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_the_sum_comes_out(repo: Path, tmp_path: Path) -> None:
    box = tmp_path / "t.mbox"
    reply = b"From: B <b@c.d>\nSubject: Re: [PATCH 1/3] a: five\n\nFine.\n\n"
    box.write_bytes(mbox(repo, "stable..topic") + b"\n" + SEPARATOR + reply)
    git(repo, "cherry-pick", "topic~1")
    said = applied(repo, box)
    counts = said["tally"]
    assert counts["patches"] == 3 == counts["applied"] + counts["already"]
    assert counts["already"] == 1
    assert counts["fates"] == {"patch": 3, "reply": 1}
    assert [one["fate"] for one in said["accounts"]] == ["patch", "patch", "patch", "reply"]
    assert sum(counts["fates"].values()) == len(said["accounts"])


def test_the_summary_says_what_was_read(repo: Path, tmp_path: Path) -> None:
    box = tmp_path / "t.mbox"
    box.write_bytes(mbox(repo, "stable..topic") + b"\n" + SEPARATOR + b"Subject: hi\n\nx\n")
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box))
    assert "of 4 mails and files: 3 patches, 1 no patch" in done.output


def test_the_words_are_of_the_number() -> None:
    fates = {Fate.PATCH: 2, Fate.COVER: 2, Fate.REPLY: 1, Fate.OLDER: 3, Fate.REPEATED: 2}
    wanted = "2 patches, 2 cover letters, 1 reply, 3 older versions, 2 sent again"
    assert read_words(fates) == f"of 10 mails and files: {wanted}"


def _plan(count: int, *, accounts: int | None = None) -> Plan:
    patches = tuple(
        Patch(f"{n}", Identity(b"A", b"a@b"), None, b"s\n", (), position=n) for n in range(count)
    )
    known = tuple(Account(f"{n}", b"s", Fate.PATCH) for n in range(accounts or count))
    return Plan(Series(patches, "t", accounts=known), tuple(map(Posted, range(count))))


def _steps(*positions: int) -> tuple[Step, ...]:
    return tuple(Step(Posted(n), StepState.ALREADY, Reason("x"), None) for n in positions)


def test_a_sum_that_does_not_come_out_stops() -> None:
    assert tally(_plan(2), _steps(0, 1)).already == 2
    short = replace(_plan(2), items=(Posted(0),))
    assert tally(short, _steps(0), only=True).left_out == 1
    for plan, steps in (
        (_plan(2), _steps(0)),
        (_plan(2), _steps(0, 0)),
        (_plan(2, accounts=3), _steps(0, 1)),
        (short, _steps(0)),
    ):
        with pytest.raises(Unaccounted) as info:
            tally(plan, steps)
        assert info.value.exit_code is ExitCode.BUG


def _declaring(repo: Path, box: Path, line: str) -> None:
    text = mbox(repo, "topic~3..topic~2").replace(b"---\n", b"---\n" + line.encode() + b"\n", 1)
    box.write_bytes(text)


def _patch_id(repo: Path, revision: str) -> str:
    shown = subprocess.run(
        ["git", "-C", str(repo), "show", revision], capture_output=True, check=True
    ).stdout
    done = subprocess.run(
        ["git", "patch-id", "--stable"], input=shown, capture_output=True, check=True
    )
    return done.stdout.decode().split()[0]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("how", ["patch id", "commit", "subject", "message id"])
def test_what_is_declared_is_looked_for(repo: Path, tmp_path: Path, how: str, there: bool) -> None:
    git(repo, "checkout", "-q", "topic~1", "-b", "other")
    commit(repo, {"z.c": "z\n"}, "z: new\n\nLink: https://lore.example.org/r/77@example.org")
    wanted = git(repo, "rev-parse", "HEAD").strip()
    line = {
        "patch id": f"prerequisite-patch-id: {_patch_id(repo, 'HEAD')}",
        "commit": f'Depends-on: {wanted[:12]} ("z: new")',
        "subject": "Depends-on: z: new",
        "message id": "prerequisite-message-id: <77@example.org>",
    }[how]
    git(repo, "checkout", "-q", "stable")
    if there:
        git(repo, "cherry-pick", wanted)
    box = tmp_path / "t.mbox"
    _declaring(repo, box, line)
    words = ("--branch", "stable", "--series", str(box))
    done = backport(repo, "apply", *words)
    if there:
        assert done.exit_code == 0, done.output
        return
    # A stop that names it, as nothing is built; where steps are, it is a note and the build decides.
    assert done.exit_code == ExitCode.CONFLICT, done.output
    assert line in " ".join(done.output.split())
    assert backport(repo, "abort").exit_code == 0
    foreseen = backport(repo, "plan", *words)
    assert foreseen.exit_code == ExitCode.CONFLICT and line in " ".join(foreseen.output.split())
    for wanted in ("stop", "take"):
        stopped = backport(repo, "apply", *words, "--prerequisites", wanted)
        assert stopped.exit_code == ExitCode.PREREQUISITE, stopped.output
        assert line in " ".join(stopped.output.split())
        planned = backport(repo, "plan", *words, "--prerequisites", wanted)
        assert planned.exit_code == ExitCode.PREREQUISITE
    before = git(repo, "rev-parse", "stable")
    accepted = backport(repo, "apply", *words, "--accept", "doubt")
    assert accepted.exit_code == 0 and line in " ".join(accepted.output.split())
    git(repo, "reset", "-q", "--hard", before)
    ignored = backport(repo, "apply", *words, "--prerequisites", "ignore")
    assert ignored.exit_code == 0, ignored.output


def test_a_declared_patch_of_the_series_itself_is_there(repo: Path, tmp_path: Path) -> None:
    box = tmp_path / "t.mbox"
    line = f"prerequisite-patch-id: {_patch_id(repo, 'topic~2')}\n".encode()
    box.write_bytes(mbox(repo, "stable..topic").replace(b"---\n", b"---\n" + line, 1))
    assert applied(repo, box)["tally"]["applied"] == 3


def test_a_base_that_the_branch_lacks_is_noted_and_used(repo: Path, tmp_path: Path) -> None:
    base = git(repo, "rev-parse", "topic").strip()
    box = tmp_path / "t.patch"
    diff = git(repo, "diff", "stable", "topic~2")
    bare = "\n".join(x for x in diff.split("\n") if not x.startswith("index "))
    old = git(repo, "rev-parse", "stable").strip()
    box.write_text(f"From: A <a@b.c>\nSubject: s\n\nbase-commit: {base}\n---\n{bare}\n")
    said = applied(repo, box)
    assert any(
        f"made on {base[:12]} (base-commit), which the branch does not contain" in x
        for x in said["notes"]
    )
    git(repo, "reset", "-q", "--hard", old)
    commit(repo, {"a.c": lines((3, "three"))}, "nearby")
    box.write_text(f"From: A <a@b.c>\nSubject: s\n\nbase-commit: {old}\n---\n{bare}\n")
    (step,) = applied(repo, box)["steps"]
    assert step["how"] == "merged"


def test_a_patch_that_is_there_in_part_says_so(repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-q", "-b", "both", "stable")
    commit(repo, {"a.c": lines((5, "five")), "b.c": lines((5, "five"))}, "both: five")
    box = tmp_path / "t.mbox"
    box.write_bytes(mbox(repo, "stable..both"))
    git(repo, "checkout", "-q", "stable")
    git(repo, "cherry-pick", "topic~2")
    (step,) = applied(repo, box)["steps"]
    assert "in part already: a.c, 1 of 2 files" in step["notes"]


def test_a_file_that_picking_forgets_stops(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = Siblings.choose

    def forgetful(*given: Any, **named: Any) -> Chosen:
        chosen = choose(*given, **named)
        return replace(chosen, picked=replace(chosen.picked, changes=chosen.picked.changes[1:]))

    monkeypatch.setattr(Siblings, "choose", forgetful)
    box = tmp_path / "t.mbox"
    box.write_bytes(mbox(repo, "stable..topic"))
    before = git(repo, "rev-parse", "stable")
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box))
    assert done.exit_code == ExitCode.BUG
    assert "0 of 1 file of" in done.output
    assert git(repo, "rev-parse", "stable") == before


def test_a_patch_without_a_date_has_its_branchs(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = tmp_path / "five.patch"
    box.write_bytes(
        b"From: A <a@b.c>\nSubject: [PATCH] a: five\n\n"
        + git(repo, "diff", "topic~3", "topic~2").encode()
        + b"\n"
    )
    tip = git(repo, "log", "-1", "--format=%ct", "stable")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1700000000 +0000")
    applied(repo, box)
    assert git(repo, "log", "-1", "--format=%s %at", "stable").strip() == f"a: five {tip.strip()}"


@pytest.mark.parametrize("clashes", [True, False], ids=["the first conflicts", "the first goes on"])
def test_a_missing_declaration_is_asked_about_once(tmp_path: Path, clashes: bool) -> None:
    """At the first patch that goes on by itself, also where that is not the first one; and once answered,
    by accepting it or by a result of one's own, it is answered for the run."""
    repo = new_repo(tmp_path / "repo", {"f": lines()})
    line = "Depends-on: 1234567890123456789012345678901234567890"
    steps = [(5, f"five\n\n{line}"), (10, "ten"), (15, "fifteen")]
    git(repo, "checkout", "-q", "-b", "topic")
    for at, message in steps:
        commit(repo, {"f": lines(*((n, f"new {n}") for n in (5, 10, 15) if n <= at))}, message)
    box = tmp_path / "s.mbox"
    box.write_bytes(mbox(repo, "stable..topic", "-n"))
    git(repo, "checkout", "-q", "stable")
    if clashes:
        commit(repo, {"f": lines((5, "another"))}, "ours")
    words = ("--branch", "stable", "--series", str(box), "--to", "made", "--validate", "none")
    done = backport(repo, "apply", *words)
    assert done.exit_code == ExitCode.CONFLICT, done.output
    folder = repo / ".git/backport/conflict"
    if clashes:
        git(folder, "checkout", "-q", "--theirs", "f")
        git(folder, "add", "f")
        done = backport(repo, "continue")
        assert done.exit_code == ExitCode.CONFLICT, done.output
    assert line in " ".join(done.output.split())
    assert "goes on, but may be wrong" in " ".join(done.output.split())
    (folder / "f").write_text((folder / "f").read_text() + "mine\n")
    git(folder, "add", "f")
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    assert git(repo, "log", "--format=%s", "stable..made").split("\n") == ["fifteen", "ten", "five"]
