# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch needs that a branch lacks: by lines, by names, by clashes, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.backport.survey.stable_repo import answer, make, on, take
from tests.backport.trees import backport, commit, git, lines, mbox, refs


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make(tmp_path / "repo")


def needed(repo: Path, *words: str) -> dict[str, Any]:
    (patch,) = answer(repo, "deps", *(words or ("master",)))["patches"]
    assert isinstance(patch, dict)
    return patch


def by_subject(patch: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["subject"]: one for one in patch["needs"]}


def kinds(need: dict[str, Any]) -> set[str]:
    return {one["kind"] for one in need["evidence"]}


def test_what_it_clashes_for_is_named_and_can_be_taken(repo: Path) -> None:
    prep = commit(repo, {"a.c": lines((10, "prep"))}, "prep")
    commit(repo, {"a.c": lines((10, "prep"), (11, "fix"))}, "fix")
    patch = needed(repo)
    assert patch["outlook"]["fate"] == "conflicts"
    need = by_subject(patch)["prep"]
    assert need["commit"] == prep
    assert kinds(need) == {"lines", "clash"}
    assert need["advice"] == "take"
    take(repo, "stable-4.10", prep)
    assert needed(repo)["needs"] == []


def test_text_that_goes_on_has_blockers_too(repo: Path) -> None:
    commit(repo, {"a.c": lines((10, "written before"))}, "before")
    commit(repo, {"a.c": lines((10, "written before"), (13, "fix"))}, "fix")
    on(repo, "stable-4.10", {"a.c": lines((10, "written before"))}, "the same line, of its own")
    patch = needed(repo)
    assert patch["outlook"]["fate"] == "goes on"
    need = by_subject(patch)["before"]
    assert kinds(need) == {"lines"}
    assert (need["advice"], need["because"]) == (
        "adapt without it",
        "the patch goes on without it",
    )


def test_a_name_that_another_commit_brings(repo: Path) -> None:
    commit(repo, {"h.c": "int brought_in(void)\n{\n\treturn 1;\n}\n"}, "bring")
    commit(repo, {"h.c": "int brought_in(void)\n{\n\treturn 2;\n}\n"}, "later, and not needed")
    commit(repo, {"a.c": lines((10, "\tx = brought_in();"))}, "use")
    on(repo, "stable-4.10", {"a.c": lines((29, "own"))}, "own")
    need = by_subject(needed(repo))["bring"]
    assert kinds(need) == {"names"}
    assert need["advice"] == "take"
    assert "brought_in" in need["evidence"][0]["text"]
    assert by_subject(needed(repo)).keys() == {"bring"}


def test_a_name_whose_file_was_renamed_since(repo: Path) -> None:
    text = "int brought_in(void)\n{\n\treturn 1;\n}\n"
    commit(repo, {"h.c": text}, "bring")
    commit(repo, {"h.c": None, "new.c": text}, "rename")
    commit(repo, {"h\u00e9 2.c": text, "new.c": None}, "again")
    commit(repo, {"a.c": lines((10, "\tx = brought_in();"))}, "use")
    assert by_subject(needed(repo)).keys() == {"bring"}


def test_what_a_blocker_pulls_in_and_the_closure(repo: Path) -> None:
    first = commit(repo, {"a.c": lines((10, "one"))}, "first")
    second = commit(repo, {"a.c": lines((10, "one"), (11, "two"))}, "second")
    commit(repo, {"a.c": lines((11, "two, mended"), (10, "one"))}, "fix")
    patch = needed(repo)
    assert by_subject(patch)["second"]["pulls"] == [first]
    assert by_subject(patch)["second"]["advice"] == "adapt without it"
    assert patch["closure"] is None
    assert needed(repo, "master", "--closure")["closure"] == [first, second]
    said = backport(repo, "deps", "master", "--closure").output
    assert "with all that these need in their turn: 2 commits" in said


@pytest.mark.parametrize("how", ["Fixes", "revert"])
def test_one_that_upstream_has_mended_since_waits(repo: Path, how: str) -> None:
    prep = commit(repo, {"a.c": lines((10, "prep"))}, "prep")
    commit(repo, {"a.c": lines((10, "prep"), (11, "fix"))}, "fix")
    word = f"Fixes: {prep[:12]}" if how == "Fixes" else f"This reverts commit {prep}."
    commit(repo, {"b.c": lines((1, "elsewhere"))}, f"since\n\n{word}")
    need = by_subject(needed(repo, "master~1"))["prep"]
    assert need["advice"] == "wait"
    assert "'since'" in need["because"]


def test_one_whose_revert_was_reverted_does_not_wait(repo: Path) -> None:
    prep = commit(repo, {"a.c": lines((10, "prep"))}, "prep")
    commit(repo, {"a.c": lines((10, "prep"), (11, "fix"))}, "fix")
    back = commit(repo, {"b.c": lines((1, "x"))}, f"back\n\nThis reverts commit {prep}.")
    commit(repo, {"b.c": lines((1, "y"))}, f"again\n\nThis reverts commit {back}.")
    need = by_subject(needed(repo, "master~2"))["prep"]
    assert need["advice"] == "take"


def test_a_patch_that_is_there_needs_nothing_to_be_taken(repo: Path) -> None:
    commit(repo, {"a.c": lines((10, "x"))}, "x")
    git(repo, "revert", "--no-edit", "HEAD")
    need = by_subject(needed(repo))["x"]
    assert (need["advice"], need["because"]) == (
        "adapt without it",
        "the branch has all of the patch",
    )


def test_from_a_folder_below_the_top(repo: Path) -> None:
    commit(repo, {"a.c": lines((10, "prep")), "sub/x.c": "1\n"}, "prep")
    commit(repo, {"a.c": lines((10, "prep"), (11, "fix"))}, "fix")
    assert kinds(by_subject(needed(repo / "sub"))["prep"]) == {"lines", "clash"}


def test_a_wide_one_is_not_taken_for_one_fix(repo: Path) -> None:
    many = {f"f{number}.c": "x\n" for number in range(12)}
    commit(repo, {**many, "a.c": lines((10, "prep"))}, "prep")
    commit(repo, {"a.c": lines((10, "prep"), (11, "fix"))}, "fix")
    need = by_subject(needed(repo))["prep"]
    assert (need["advice"], need["because"]) == ("adapt without it", "it changes 13 files")


def test_a_newer_branch_that_has_it_is_named(repo: Path) -> None:
    prep = commit(repo, {"a.c": lines((10, "prep"))}, "prep")
    commit(repo, {"a.c": lines((10, "prep"), (11, "fix"))}, "fix")
    take(repo, "stable-4.11", prep)
    need = by_subject(needed(repo))["prep"]
    assert need["on"] == ["stable-4.11"]
    assert "stable-4.11 took it" in need["because"]


def test_one_that_the_branch_has_reverted_is_lacking_again(repo: Path) -> None:
    prep = commit(repo, {"a.c": lines((10, "prep"))}, "prep")
    commit(repo, {"a.c": lines((10, "prep"), (11, "fix"))}, "fix")
    take(repo, "stable-4.10", prep)
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "checkout", "-q", "master")
    assert by_subject(needed(repo)).keys() == {"prep"}


def test_a_mail_names_its_commit_or_says_what_was_not_looked_for(
    repo: Path, tmp_path: Path
) -> None:
    commit(repo, {"a.c": lines((10, "prep"))}, "prep")
    commit(repo, {"a.c": lines((10, "prep"), (11, "fix"))}, "fix")
    box = tmp_path / "fix.mbox"
    data = mbox(repo, "master~1..master")
    box.write_bytes(data)
    assert kinds(by_subject(needed(repo, "--series", str(box)))["prep"]) == {"lines", "clash"}
    head = git(repo, "rev-parse", "master").encode()
    box.write_bytes(data.replace(head, b"5" * 40))
    patch = needed(repo, "--series", str(box))
    assert "only what clashes was looked for" in patch["note"]
    assert kinds(by_subject(patch)["prep"]) == {"clash"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "no such mailbox"),
        ((), "no series given"),
        (("master", "--upstream", "nothing"), "names no commit"),
        (("master", "--branch", "nothing"), "names no commit"),
        (("master", "--upstream", "island"), "share no history"),
    ],
)
def test_bad_input(repo: Path, words: tuple[str, ...], said: str) -> None:
    commit(repo, {"a.c": lines((10, "prep"))}, "prep")
    git(repo, "branch", "island", git(repo, "commit-tree", "-m", "island", git(repo, "write-tree")))
    before = refs(repo)
    done = backport(repo, "deps", *words)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert refs(repo) == before
