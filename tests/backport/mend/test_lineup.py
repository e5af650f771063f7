# SPDX-License-Identifier: GPL-2.0-or-later
"""What is no proposal: what ends in another tree, leaves a patch empty, or does not go on cleanly."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.mend.lineup import Lineup, Stage, folded, moved_up, shifted
from backport.mend.pieces import pieces_of, with_pieces
from series.model import Oid
from tests.backport.trees import Files, branch_with, git, lines, new_repo, open_repo


def lineup(tmp_path: Path, *steps: Files) -> tuple[Repo, Lineup]:
    made = new_repo(tmp_path / "repo", {"a": lines(), "b": lines()})
    commits = branch_with(
        made, "topic", "stable", *((f"step {n}", s) for n, s in enumerate(steps, 1))
    )
    repo = open_repo(made)
    start = Oid(git(made, "rev-parse", "stable"))
    stages = tuple(
        Stage(Oid(one), f"step {n}", repo.tree(Oid(one)).id) for n, one in enumerate(commits, 1)
    )
    return repo, Lineup(repo.tree(start).id, stages)


def test_a_move_that_goes_on_cleanly_and_ends_elsewhere(tmp_path: Path) -> None:
    """The second takes the first back and does more: before it there is nothing to take back."""
    repo, was = lineup(tmp_path, {"a": lines((5, "five"))}, {"a": lines((20, "twenty"))})
    assert moved_up(repo, was, [1], 0) is None


def test_a_move_that_ends_in_the_same_tree(tmp_path: Path) -> None:
    repo, was = lineup(tmp_path, {"a": lines((5, "five"))}, {"b": lines((5, "five"))})
    new = moved_up(repo, was, [1], 0)
    assert new is not None
    assert [stage.subject for stage in new.stages] == ["step 2", "step 1"]
    assert new.end == was.end


def test_a_commit_that_changes_nothing_is_in_nobodys_way(tmp_path: Path) -> None:
    repo, was = lineup(tmp_path, {"a": lines((5, "five"))}, {}, {"b": lines((5, "five"))})
    new = moved_up(repo, was, [2], 0)
    assert new is not None
    assert new.end == was.end


def test_a_repair_that_leaves_a_patch_empty(tmp_path: Path) -> None:
    """The later one undoes the first: with that in it, the first would change nothing."""
    repo, was = lineup(
        tmp_path, {"a": lines((5, "five"))}, {"b": lines((9, "n"))}, {"a": lines(), "b": lines()}
    )
    pieces = [p for p in pieces_of(repo, was.before(2), was.stages[2].tree) if p.path == b"a"]
    assert shifted(repo, was, 2, 0, pieces) is None


@pytest.mark.parametrize(
    ("between", "goes"),
    [
        (lines((4, "4"), (5, "typo"), (6, "6")), True),
        (lines((3, "3\n3\n3"), (5, "typo")).replace("line 6\n", ""), True),
        (lines((5, "other typo"), (6, "6")), False),
    ],
)
def test_lines_go_past_a_step_that_changes_those_beside_them(
    tmp_path: Path, between: str, goes: bool
) -> None:
    """A merge takes them for a conflict, in both directions."""
    word = between.replace("other ", "").replace("typo", "word")
    repo, was = lineup(
        tmp_path,
        {"a": lines((5, "typo")), "b": lines((9, "n"))},
        {"a": between},
        {"a": word, "b": lines()},
    )

    def shift(was: Lineup, giver: int, taker: int) -> tuple[Lineup | None, list[str]]:
        pieces = pieces_of(repo, was.before(giver), was.stages[giver].tree)
        new = shifted(repo, was, giver, taker, [piece for piece in pieces if piece.path == b"a"])
        trees = [TreeView(repo.objects, stage.tree) for stage in new.stages] if new else []
        return new, [(tree.read(b"a") or b"").decode() for tree in trees]

    new, texts = shift(was, 2, 0)
    assert texts == ([lines((5, "word")), word, word] if goes else [])
    if new is not None:
        _, texts = shift(new, 0, 2)
        assert texts == [lines(), word.replace("word", "line 5"), word]


def test_a_step_between_that_would_change_nothing(tmp_path: Path) -> None:
    repo, was = lineup(
        tmp_path,
        {"b": lines((9, "n"))},
        {"a": lines((5, "five"))},
        {"a": lines((5, "five"), (20, "twenty"))},
    )
    every = pieces_of(repo, was.before(1), was.stages[1].tree)
    assert shifted(repo, was, 1, 0, every) is None, "the giver is left with nothing"
    same = lineup(
        tmp_path / "2", {"a": lines((5, "five"))}, {"a": lines()}, {"a": lines((5, "five"))}
    )
    assert folded(*same, 2, 0, None) is None, "what is between would do nothing"


def test_parts_together_are_the_whole(tmp_path: Path) -> None:
    repo, was = lineup(
        tmp_path, {"a": lines((5, "five"), (20, "a\nb")), "b": None, "c": b"\0bin", "d": "no end"}
    )
    before, after = was.start, was.stages[0].tree
    pieces = pieces_of(repo, before, after)
    assert len(pieces) == 5
    assert with_pieces(repo, before, after, pieces) == after
    assert with_pieces(repo, before, after, ()) == before
