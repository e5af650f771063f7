# SPDX-License-Identifier: GPL-2.0-or-later
"""``--only`` and the parts of the graph: what must go with a patch, and what falls without it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from backport.errors import UsageError
from backport.planning.choice import choose_patches
from tests.backport.trees import (
    backport,
    branch_with,
    commit,
    git,
    lines,
    mbox,
    new_repo,
    refs,
    two_files,
)

SUBJECTS = ("alpha: make the file", "beta: use it", "Beta: use it more", "gamma", "gamma again")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["2"], (1,)),
        (["3, 1"], (0, 2)),
        (["5", "1,5"], (0, 4)),
        (["ALPHA"], (0,)),
        (["it more", "1"], (0, 2)),
        (["gamma"], (3,)),
    ],
)
def test_numbers_and_subjects(wanted: list[str], found: tuple[int, ...]) -> None:
    assert choose_patches(wanted, SUBJECTS, "--only") == found


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("0", "--only 0: there is no such patch"),
        ("6", "--only 6: there is no such patch"),
        ("beta", "2 beta: use it\n  3 Beta: use it more"),
        ("delta", "5 gamma again"),
        ("", "no subject contains that"),
    ],
)
def test_what_fits_none_or_several_is_listed(wanted: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        choose_patches([wanted], SUBJECTS, "--only")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``topic``: 3 needs 1, 5 needs 3; 2 and 4 touch other files, and 4 needs 2."""
    return two_files(
        tmp_path / "repo",
        ("a: five", {"a.c": lines((5, "five"))}),
        ("b: seven", {"b.c": lines((7, "seven"))}),
        ("a: capitals", {"a.c": lines((5, "FIVE"))}),
        ("b: capitals", {"b.c": lines((7, "SEVEN"))}),
        ("a: the end", {"a.c": lines((5, "V"))}),
        ("c: new", {"c.c": "c\n"}),
    )


def words(verb: str, *more: str) -> tuple[str, ...]:
    return (verb, "--branch", "stable", "--series", "stable..topic", *more)


@pytest.mark.parametrize("source", ["range", "mbox"])
def test_only_brings_a_patch_and_what_it_needs(repo: Path, tmp_path: Path, source: str) -> None:
    box = tmp_path / "series.mbox"
    box.write_bytes(mbox(repo, "stable..topic"))
    series = str(box) if source == "mbox" else "stable..topic"
    done = backport(
        repo, "apply", "--branch", "stable", "--series", series, "--only", "5", "--to", "to"
    )
    assert done.exit_code == 0, done.output
    log = git(repo, "log", "--reverse", "--format=%s", "stable..to")
    assert log.split("\n") == ["a: five", "a: capitals", "a: the end"]
    assert git(repo, "show", "to:b.c") == lines().rstrip("\n")
    assert "left out by --only: 3 patches" in done.output


def test_plan_says_what_is_left_out(repo: Path) -> None:
    done = backport(repo, *words("plan", "--only", "b: capitals", "--only", "6"))
    assert done.exit_code == 0, done.output
    assert "3 patches onto stable" in done.output
    assert "left out by --only: 3 patches" in done.output
    made = json.loads(backport(repo, *words("plan", "--only", "4", "--json", "-")).stdout)
    assert [one["subject"] for one in made["patches"]] == ["b: seven", "b: capitals"]
    assert made["left_out"] == 4


def test_the_whole_series_leaves_nothing_out(repo: Path) -> None:
    done = backport(repo, *words("apply", "--to", "to"))
    assert "left out" not in done.output


def test_a_wrong_only_changes_nothing(repo: Path) -> None:
    before = refs(repo)
    for wanted in ("7", "a: ", "nothing like it"):
        done = backport(repo, *words("apply", "--only", wanted))
        assert done.exit_code == 2, done.output
        assert refs(repo) == before
    assert backport(repo, "status").output == "no run in progress\n"


def test_only_survives_a_conflict(repo: Path) -> None:
    commit(repo, {"a.c": lines((5, "ours"))}, "stable: the same line")
    base = git(repo, "merge-base", "stable", "topic")
    stopped = backport(
        repo, "apply", "--branch", "stable", "--series", f"{base}..topic", "--only", "3,6"
    )
    assert stopped.exit_code == 3, stopped.output
    done = backport(repo, "skip")
    assert done.exit_code == 3, done.output
    done = backport(repo, "skip")
    assert done.exit_code == 0, done.output
    assert git(repo, "log", "--format=%s", "-2", "stable").split("\n") == [
        "c: new",
        "stable: the same line",
    ]
    assert "left out by --only: 3 patches" in done.output


def test_a_run_cut_before_its_plan_still_knows_only(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("backport.run.phases.make_plan", cut)
        assert backport(repo, *words("apply", "--only", "4")).exit_code == 130
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    assert git(repo, "log", "--format=%s", "-2", "stable").split("\n") == [
        "b: capitals",
        "b: seven",
    ]


def test_only_is_no_setting_of_gits_configuration(repo: Path) -> None:
    git(repo, "config", "backport.only", "1")
    assert backport(repo, *words("plan")).exit_code == 2


# -- graph


def drawn(repo: Path, *more: str) -> Any:
    done = backport(repo, *words("graph", "--format", "json", *more))
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    edges = [(one["from"], one["to"]) for one in made["edges"]]
    return [one["place"] for one in made["patches"]], edges


def test_the_parts_of_the_graph(repo: Path) -> None:
    whole = [(1, 3), (1, 5), (2, 4), (3, 5)]
    nodes, edges = drawn(repo)
    assert nodes == [1, 2, 3, 4, 5, 6]
    assert set(edges) <= set(whole)
    assert drawn(repo, "--needs", "3") == ([1, 3], [(1, 3)])
    assert drawn(repo, "--needed-by", "a: capitals") == ([3, 5], [(3, 5)])
    assert drawn(repo, "--needs", "4", "--needed-by", "6") == ([2, 4, 6], [(2, 4)])
    assert drawn(repo, "--hide-independent")[0] == [1, 2, 3, 4, 5]
    assert drawn(repo, "--needs", "5", "--reduced") == ([1, 3, 5], [(1, 3), (3, 5)])


def test_reduced_draws_less(tmp_path: Path) -> None:
    made = new_repo(tmp_path / "repo", {"a.c": lines()})
    branch_with(
        made,
        "topic",
        "stable",
        ("one", {"a.c": lines((5, "p\nq"))}),
        ("two", {"a.c": lines((5, "P\nq"))}),
        ("three", {"a.c": lines((5, "PP\nQ"))}),
    )
    assert drawn(made)[1] == [(1, 2), (1, 3), (2, 3)]
    assert drawn(made, "--reduced")[1] == [(1, 2), (2, 3)]


@pytest.mark.parametrize("suffix", ["dot", "mmd", "svg"])
def test_places_stay_those_of_the_whole_plan(repo: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"part.{suffix}"
    done = backport(repo, *words("graph", "--needs", "4", "-o", str(out)))
    assert done.output == f"{out}: 2 patches, 1 dependency (4 not shown)\n"
    text = out.read_text()
    assert "b: capitals" in text
    assert "a: capitals" not in text
    assert {"dot": "4. b: capitals", "mmd": "4. b: capitals", "svg": ">4</text>"}[suffix] in text


def test_a_graph_of_nothing_that_is_there(repo: Path) -> None:
    assert backport(repo, *words("graph", "--needs", "9")).exit_code == 2
    assert backport(repo, *words("graph", "--needed-by", "b: ")).exit_code == 2


@pytest.mark.parametrize("blobs", [True, False], ids=["blobs at hand", "by context"])
def test_a_patch_without_its_blobs_needs_who_wrote_its_context(tmp_path: Path, blobs: bool) -> None:
    """Three lines apart a merge keeps two edits apart; where the blobs are not there, context must fit."""
    made = new_repo(tmp_path / "made", {"f": lines()})
    steps = [("one", {"f": lines((5, "5"))}), ("two", {"f": lines((5, "5"), (8, "8"))})]
    branch_with(made, "topic", "stable", *steps)
    series = tmp_path / "series.mbox"
    series.write_bytes(mbox(made, "stable..topic", "-n"))
    repo = made if blobs else new_repo(tmp_path / "repo", {"f": lines()})
    words = ("--branch", "stable", "--series", str(series))
    drawn = backport(repo, "graph", *words, "--needs", "two")
    assert ("1. one" in drawn.output) is not blobs
    done = backport(repo, "apply", *words, "--only", "two", "--to", "to", "--validate", "none")
    assert done.exit_code == 0, done.output
    assert ("one" in git(repo, "log", "--format=%s", "stable..to").split("\n")) is not blobs
