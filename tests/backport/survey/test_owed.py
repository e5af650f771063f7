# SPDX-License-Identifier: GPL-2.0-or-later
"""What a branch is owed: each reason, each reason against it, and a sum that comes out."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.backport.survey.stable_repo import answer, make, on, take
from tests.backport.trees import backport, commit, git, lines, new_repo, refs


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """master has a feature, which stable-4.10 carries."""
    made = make(tmp_path / "repo")
    feature = commit(made, {"a.c": lines((3, "feature"))}, "feature")
    take(made, "stable-4.10", feature)
    return made


def head(repo: Path, short: int = 12) -> str:
    return git(repo, "rev-parse", "HEAD")[:short]


def owed(repo: Path, *words: str) -> dict[str, list[str]]:
    """By subject: the reasons."""
    document = answer(repo, "owed", *words)
    account = document["account"]
    own = [one for one in document["owed"] if one["on"] is None]
    parts = ("carried", "by_subject", "reverted", "base_fixes", "nothing")
    assert account["looked_at"] == sum(account[part] for part in parts) + len(own)
    return {one["subject"]: [claim["why"] for claim in one["claims"]] for one in document["owed"]}


def one(repo: Path, subject: str, *words: str) -> dict[str, Any]:
    found = [x for x in answer(repo, "owed", *words)["owed"] if x["subject"] == subject]
    assert len(found) == 1
    row: dict[str, Any] = found[0]
    return row


@pytest.mark.parametrize(("key", "digits"), [("Fixes", 8), ("Amends", 12), ("Fixes", 40)])
def test_a_later_fix_of_what_it_carries(repo: Path, key: str, digits: int) -> None:
    feature = head(repo, 40)
    fix = commit(
        repo, {"a.c": lines((3, "feature"), (4, "fix"))}, f'mend\n\n{key}: {feature[:digits]} ("x")'
    )
    assert owed(repo) == {"mend": [key.lower()]}
    found = one(repo, "mend")
    assert found["commit"] == fix
    assert found["claims"][0]["of"] == feature
    assert found["claims"][0]["here"] == git(repo, "rev-parse", "stable-4.10")
    assert found["outlook"]["fate"] == "goes on"
    take(repo, "stable-4.10", fix)
    assert owed(repo) == {}


def test_a_fix_of_what_it_has_under_the_same_subject(repo: Path) -> None:
    """No origin is named: it counts as there, and what mends it is owed."""
    other = commit(repo, {"b.c": lines((3, "other"))}, "other")
    here = on(repo, "stable-4.10", {"b.c": lines((3, "other"))}, "other")
    commit(repo, {"b.c": lines((3, "mended"))}, f"mend other\n\nFixes: {other[:12]}")
    found = one(repo, "mend other")
    assert [(claim["why"], claim["here"]) for claim in found["claims"]] == [("fixes", here)]
    on(repo, "stable-4.10", {"b.c": lines()}, f"Revert other\n\nThis reverts commit {here}.")
    assert owed(repo) == {}


def test_a_fix_of_a_fix_is_owed_with_it(repo: Path) -> None:
    fix = commit(repo, {"a.c": lines((3, "feature"), (4, "fix"))}, f"mend\n\nFixes: {head(repo)}")
    commit(repo, {"a.c": lines((3, "feature"), (4, "better"))}, f"mend again\n\nFixes: {fix[:12]}")
    assert owed(repo) == {"mend": ["fixes"], "mend again": ["fixes"]}


def test_a_revert_of_what_it_carries(repo: Path) -> None:
    git(repo, "revert", "--no-edit", "HEAD")
    assert owed(repo) == {'Revert "feature"': ["reverts"]}
    take(repo, "stable-4.10", "master")
    assert owed(repo) == {}


def test_a_revert_that_was_reverted_is_not_owed(repo: Path) -> None:
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "revert", "--no-edit", "HEAD")
    assert owed(repo) == {}


def test_a_fix_that_upstream_has_taken_back_is_not(repo: Path) -> None:
    commit(repo, {"a.c": lines((3, "feature"), (4, "fix"))}, f"mend\n\nFixes: {head(repo)}")
    git(repo, "revert", "--no-edit", "HEAD")
    assert owed(repo) == {}


def test_what_the_branch_has_taken_back_it_carries_no_more(repo: Path) -> None:
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "checkout", "-q", "master")
    commit(repo, {"a.c": lines((3, "feature"), (4, "fix"))}, f"mend\n\nFixes: {head(repo)}")
    assert owed(repo) == {}


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("4.10", True), ("4.9+", True), ("4.11+", False), ("4.9", False), ("4.10.1", False)],
)
def test_it_asks_for_the_branch(repo: Path, asked: str, meant: bool) -> None:
    commit(repo, {"b.c": lines((3, "x"))}, f"wanted\n\nBackport: {asked} # maybe")
    assert owed(repo) == ({"wanted": ["asks"]} if meant else {})


def test_a_newer_branch_has_taken_it(repo: Path) -> None:
    taken = commit(repo, {"b.c": lines((3, "x"))}, "taken")
    take(repo, "stable-4.11", taken)
    found = one(repo, "taken")
    assert [(claim["why"], claim["of"]) for claim in found["claims"]] == [("newer", "stable-4.11")]
    git(repo, "checkout", "-q", "stable-4.11")
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "checkout", "-q", "master")
    assert owed(repo) == {}, "and taken back"


def test_what_mends_only_what_newer_branches_have_comes_with_those(repo: Path) -> None:
    feature = head(repo)
    taken = commit(repo, {"b.c": lines((3, "x"))}, "taken")
    take(repo, "stable-4.11", taken)
    commit(repo, {"b.c": lines((3, "y"))}, f"mend it\n\nFixes: {taken[:12]}")
    commit(repo, {"a.c": lines((3, "feature"), (9, "z"))}, f"mend\n\nFixes: {feature}")
    assert list(owed(repo)) == ["mend", "taken", "mend it"]
    said = backport(repo, "owed").output
    titles = [line for line in said.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles == ["it mends or reverts what the branch carries:", "newer branches have it:"]
    assert "which is owed as well" in said


def test_what_a_newer_branch_has_of_an_origin_that_is_not_upstream(repo: Path) -> None:
    on(repo, "stable-4.11", {"b.c": lines((3, "x"))}, f"own\n\nmaster commit: {'5' * 40}")
    assert one(repo, "own")["on"] == "stable-4.11"


def test_fixes_to_what_it_had_before_are_counted_and_listed_on_request(repo: Path) -> None:
    base = git(repo, "rev-parse", "stable-4.11")
    commit(repo, {"b.c": lines((3, "x"))}, f"old\n\nFixes: {base[:12]}")
    assert owed(repo) == {}
    assert answer(repo, "owed")["account"]["base_fixes"] == 1
    assert owed(repo, "--all") == {"old": ["fixes base"]}


def test_what_it_mends_besides_may_not_be_there(repo: Path) -> None:
    feature = head(repo)
    other = commit(repo, {"new.c": "1\n"}, "other")
    commit(repo, {"new.c": "2\n"}, f"both\n\nFixes: {feature}\nFixes: {other[:12]}")
    found = one(repo, "both")
    assert found["mends_absent"] == [other]
    assert found["outlook"]["fate"] == "the code is not there"


def test_one_that_conflicts_names_what_it_waits_for(repo: Path) -> None:
    feature = head(repo)
    prep = commit(repo, {"a.c": lines((3, "feature"), (10, "prep"))}, "prep")
    commit(repo, {"a.c": lines((3, "feature"), (10, "prepared"))}, f"mend\n\nFixes: {feature}")
    outlook = one(repo, "mend")["outlook"]
    assert outlook["fate"] == "needs something"
    assert [needed["commit"] for needed in outlook["needs"]] == [prep]
    assert one(repo, "mend", "--quick")["outlook"] is None


def test_a_name_that_the_branch_lacks_is_a_doubt(repo: Path) -> None:
    feature = head(repo)
    commit(repo, {"c.c": "int helper_of_master(void);\n"}, "helper")
    text = lines((3, "feature"), (20, "x = helper_of_master();"))
    commit(repo, {"a.c": text}, f"mend\n\nFixes: {feature}")
    on(
        repo,
        "stable-4.10",
        {"a.c": lines((3, "feature"), (29, "of its own"))},
        "elsewhere in the file",
    )
    outlook = one(repo, "mend")["outlook"]
    assert outlook["fate"] == "goes on, in doubt"
    assert "helper_of_master" in outlook["how"]


def test_what_the_tree_has_already_is_not_owed(repo: Path) -> None:
    feature = head(repo)
    commit(repo, {"b.c": lines((3, "x"))}, f"mend\n\nFixes: {feature}")
    on(repo, "stable-4.10", {"b.c": lines((3, "x"))}, "the same under another name")
    assert one(repo, "mend")["outlook"]["fate"] == "there already"
    said = backport(repo, "owed").output
    assert "stable-4.10: 0 commits owed" in said
    assert "1 of those with a reason are in the tree already" in said


def test_a_subject_that_is_there_counts_as_carried(repo: Path) -> None:
    feature = head(repo)
    commit(repo, {"b.c": lines((3, "x"))}, f"mend\n\nFixes: {feature}")
    on(repo, "stable-4.10", {"b.c": lines((4, "y"))}, "mend")
    document = answer(repo, "owed")
    assert document["owed"] == [] and document["account"]["by_subject"] == 1


@pytest.mark.parametrize("named", ["5" * 12, "abcdef"])
def test_an_id_that_names_nothing_is_said(repo: Path, named: str) -> None:
    made = commit(repo, {"b.c": lines((3, "x"))}, f"mend\n\nFixes: {named}")
    document = answer(repo, "owed")
    assert document["unresolved"] == [{"commit": made, "id": named}]
    assert "name no commit of either, or more than one" in backport(repo, "owed").output


def test_an_ambiguous_id_names_none() -> None:
    from backport.history.statements import Abbreviations
    from series.model import Oid

    ids = Abbreviations(Oid(x * 40) for x in "ab")
    assert ids.find("a" * 8) == (Oid("a" * 40),)
    assert Abbreviations([Oid("a" * 39 + x) for x in "bc"]).find("a" * 8) == (
        Oid("a" * 39 + "b"),
        Oid("a" * 39 + "c"),
    )
    assert ids.find("c" * 8) == ()


def test_what_is_ignored_is_remembered_in_notes(repo: Path) -> None:
    fix = commit(repo, {"a.c": lines((3, "feature"), (4, "fix"))}, f"mend\n\nFixes: {head(repo)}")
    done = backport(repo, "owed", "--ignore", fix, "--because", "nobody reaches it")
    assert done.exit_code == 0, done.output
    assert "git push origin refs/notes/backport-ignored" in done.output
    assert one(repo, "mend")["ignored_because"] == "nobody reaches it"
    assert "mend: nobody reaches it" in backport(repo, "owed").output
    again = backport(repo, "owed", "--ignore", fix, "--because", "still")
    assert again.exit_code == 2 and "is ignored on stable-4.10 already" in again.output
    words = ("owed", "--branch", "stable-4.11", "--ignore", fix, "--because", "elsewhere")
    assert answer(repo, *words)["because"] == "elsewhere"
    assert one(repo, "mend")["ignored_because"] == "nobody reaches it"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ignore", "master"), "go together"),
        (("--because", "x"), "go together"),
        (("--ignore", "master", "--because", " "), "needs one line"),
        (("--ignore", "5555555", "--because", "x"), "names no commit"),
        (("--upstream", "nothing"), "names no commit"),
        (("--branch", "nothing"), "names no commit"),
        (("--upstream", "island"), "share no history"),
    ],
)
def test_bad_input(repo: Path, words: tuple[str, ...], said: str) -> None:
    tree = git(repo, "write-tree")
    island = git(repo, "commit-tree", "-m", "island", tree)
    git(repo, "branch", "island", island)
    before = refs(repo)
    done = backport(repo, "owed", *words)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert refs(repo) == before


def test_without_an_upstream(repo: Path) -> None:
    git(repo, "config", "--unset", "backport.upstream")
    assert "no upstream given" in backport(repo, "owed").output


def test_merges_that_cross_and_octopuses(repo: Path) -> None:
    """The branch merges master, and master the branch; the fix comes with an octopus."""
    feature = head(repo, 40)
    git(repo, "checkout", "-q", "-b", "x", "master")
    commit(repo, {"x.c": "1\n"}, f"mend x\n\nFixes: {feature}")
    git(repo, "checkout", "-q", "-b", "y", "master")
    commit(repo, {"y.c": "1\n"}, f"mend y\n\nFixes: {feature}")
    git(repo, "checkout", "-q", "master")
    git(repo, "merge", "-q", "--no-edit", "x", "y")
    git(repo, "checkout", "-q", "stable-4.11")
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", f"{feature}")
    stable = git(repo, "rev-parse", "stable-4.11")
    git(repo, "checkout", "-q", "master")
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", f"{stable}")
    on(repo, "stable-4.11", {"b.c": lines((9, "z"))}, "later")
    assert owed(repo).keys() == {"mend x", "mend y"}
    assert owed(repo, "--branch", "stable-4.11") == {}, "it reaches the feature itself"
    found = owed(repo, "--branch", "stable-4.11", "--all")
    assert found == {"mend x": ["fixes base"], "mend y": ["fixes base"]}


@pytest.mark.parametrize(("depth", "code"), [(3, 0), (1, 2)])
def test_a_shallow_clone_says_so(tmp_path: Path, depth: int, code: int) -> None:
    repo = tmp_path / "repo"
    new_repo(repo, {"a.c": "1\n"}, "master")
    commit(repo, {"a.c": lines()}, "before")
    git(repo, "branch", "stable-4.10")
    feature = commit(repo, {"a.c": lines((3, "feature"))}, "feature")
    take(repo, "stable-4.10", feature)
    commit(repo, {"b.c": lines((3, "x"))}, f"mend\n\nFixes: {feature[:12]}")
    clone = tmp_path / "clone"
    words = ("--depth", str(depth), "--no-single-branch", f"file://{repo}", str(clone))
    subprocess.run(["git", "clone", "-q", *words], check=True)
    git(clone, "branch", "stable-4.10", "origin/stable-4.10")
    done = backport(clone, "owed", "--branch", "stable-4.10", "--upstream", "origin/master")
    assert done.exit_code == code, done.output
    assert "shallow clone" in done.output
    assert "unshallow" in done.output
    assert ("mends or reverts" in done.output) == (not code)
