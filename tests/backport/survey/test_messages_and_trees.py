# SPDX-License-Identifier: GPL-2.0-or-later
"""What messages claim and trees do not bear out: reverts and origins that are not what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backport.survey.answers import Answers
from tests.backport.survey.stable_repo import answer, make, on, take
from tests.backport.trees import backport, commit, git, lines

FEATURE = lines((3, "feature"), (4, "of two lines"))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """stable-4.10 and stable-4.11 carry a feature of master, which has a fix for it."""
    made = make(tmp_path / "repo")
    feature = commit(made, {"a.c": FEATURE}, "feature")
    take(made, "stable-4.10", feature)
    take(made, "stable-4.11", feature)
    commit(made, {"a.c": FEATURE + "fix\n"}, f"mend\n\nFixes: {feature}")
    return made


def rows(repo: Path, *words: str) -> dict[str, Any]:
    """What is owed; the index keeps answers of what the repository was before, and gives no other ones."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(Answers, "get", lambda *_: None)
        document = answer(repo, "owed", *words)
    answer(repo, "index")
    for _ in range(2):
        assert answer(repo, "owed", *words) == document
    account = document["account"]
    parts = ("carried", "by_subject", "reverted", "base_fixes", "nothing")
    own = [one for one in document["owed"] if one["on"] is None]
    assert account["looked_at"] == sum(account[part] for part in parts) + len(own)
    return {one["subject"]: one for one in document["owed"]}


def traced(repo: Path, subject: str, *words: str) -> dict[str, Any]:
    commits = answer(repo, "provenance", *words)["commits"]
    found: dict[str, Any] = next(one for one in commits if one["subject"] == subject)
    return found


def whys(row: dict[str, Any]) -> list[str]:
    return [claim["why"] for claim in row["claims"]]


def by_hand(repo: Path) -> str:
    return on(repo, "stable-4.10", {"a.c": lines()}, "a.c: simplify")


def with_other_things(repo: Path) -> str:
    files = {"a.c": lines((20, "also")), "b.c": lines((9, "as well"))}
    return on(repo, "stable-4.10", files, "several things")


def naming_another_id(repo: Path) -> str:
    message = f'Revert "feature"\n\nThis reverts commit {"5" * 40}.'
    return on(repo, "stable-4.10", {"a.c": lines()}, message)


@pytest.mark.parametrize("how", [by_hand, with_other_things, naming_another_id])
def test_what_was_taken_back_in_other_words_is_carried_no_more(
    repo: Path, how: Callable[[Path], str]
) -> None:
    assert list(rows(repo)) == ["mend"] and whys(rows(repo)["mend"]) == ["fixes"]
    had = git(repo, "rev-parse", "stable-4.10")
    by = how(repo)
    found = rows(repo)
    assert whys(found["feature"]) == ["newer"]
    said = f"the branch had it as {had[:12]}, and {by[:12]} has taken it back"
    assert found["feature"]["remarks"] == [said]
    assert whys(found["mend"]) == ["fixes"] and found["mend"]["claims"][0]["here"] is None
    own = traced(repo, "feature")
    assert (own["left"], own["reverted_by"]) == ("nothing of it", by)
    assert f"taken back by {by[:12]}" in " ".join(backport(repo, "provenance").output.split())


def test_it_is_found_on_the_side_branch_that_brought_it(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "side", "stable-4.10~1")
    commit(repo, {"s.c": lines()}, "side: make")
    by = commit(repo, {"s.c": None, "t.c": "x\n"}, "side: another way")
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "merge", "-q", "--no-ff", "--no-edit", "side")
    git(repo, "checkout", "-q", "master")
    assert traced(repo, "side: make")["reverted_by"] == by


def test_a_revert_that_never_happened(repo: Path) -> None:
    had = git(repo, "rev-parse", "stable-4.10")
    message = f'Revert "feature"\n\nThis reverts commit {had}.'
    by = on(repo, "stable-4.10", {"a.c": FEATURE + "own\n"}, message)
    found = rows(repo)
    assert list(found) == ["mend"] and found["mend"]["claims"][0]["here"] == had
    own = traced(repo, "feature")
    assert (own["left"], own["reverted_by"], own["void"]) == ("all of it", None, by)
    assert traced(repo, 'Revert "feature"')["whence"] == "nowhere upstream"


def test_what_was_taken_back_whole_is_gone_where_one_file_was_changed_since(repo: Path) -> None:
    """Upstream's revert, and the branch's: the other file alone is as it was before."""
    two = {"a.c": FEATURE + "two\n", "b.c": lines((9, "two"))}
    feature = commit(repo, {**two, "a.c": FEATURE + "fix\n" + "two\n"}, "two files")
    on(repo, "stable-4.11", two, f"two files\n\n(cherry picked from commit {feature})")
    had = on(repo, "stable-4.10", two, f"two files\n\n(cherry picked from commit {feature})")
    back = {"a.c": FEATURE, "b.c": lines()}
    by = on(repo, "stable-4.10", back, f'Revert "two files"\n\nThis reverts commit {had}.')
    on(repo, "stable-4.10", {"b.c": lines((9, "else"))}, "something else")
    assert whys(rows(repo)["two files"]) == ["newer"]
    assert (traced(repo, "two files")["left"], traced(repo, "two files")["reverted_by"]) == (
        "nothing of it",
        by,
    )
    back["a.c"] += "fix\n"
    commit(repo, back, f'Revert "two files"\n\nThis reverts commit {feature}.')
    commit(repo, {"b.c": lines((9, "upstream's"))}, "something else")
    assert "two files" not in rows(repo)


def test_a_revert_that_mends_white_space_is_believed(repo: Path) -> None:
    had = git(repo, "rev-parse", "stable-4.10")
    spaced = lines((3, "  line 3"), (4, "  line 4"))
    on(repo, "stable-4.10", {"a.c": spaced}, f"Back\n\nThis reverts commit {had}.")
    assert whys(rows(repo)["feature"]) == ["newer"]


def test_a_revert_elsewhere_of_what_has_moved_on_is_not_believed(repo: Path) -> None:
    had = git(repo, "rev-parse", "stable-4.10")
    on(repo, "stable-4.10", {"a.c": lines((3, "feature 2"), (4, "of two"))}, "its second version")
    on(repo, "stable-4.10", {"b.c": lines((1, "x"))}, f"Back\n\nThis reverts commit {had}.")
    assert list(rows(repo)) == ["mend"]


@pytest.mark.parametrize("again", ["revert", "by hand"])
def test_taken_back_and_put_on_again(repo: Path, again: str) -> None:
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "revert", "--no-edit", "HEAD")
    if again == "revert":
        git(repo, "revert", "--no-edit", "HEAD")
    else:
        commit(repo, {"a.c": FEATURE + "own\n"}, "the feature, in words of its own")
    git(repo, "checkout", "-q", "master")
    assert list(rows(repo)) == ["mend"]
    assert traced(repo, "feature")["left"] == "all of it"


@pytest.mark.parametrize(("content", "left"), [("x\ny\n", "all of it"), ("z\n", "nothing of it")])
def test_a_file_that_was_reverted_and_made_again(repo: Path, content: str, left: str) -> None:
    made = commit(repo, {"new.c": "x\n"}, "new file\n\nBackport: 4.10")
    take(repo, "stable-4.10", made)
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "checkout", "-q", "master")
    on(repo, "stable-4.10", {"new.c": content}, "a file of that name")
    assert traced(repo, "new file")["left"] == left
    assert ("new file" in rows(repo)) == (left == "nothing of it")


@pytest.mark.parametrize("named", ["origin", "subject"])
def test_a_claim_whose_change_is_not_there(repo: Path, named: str) -> None:
    wanted = commit(repo, {"b.c": lines((3, "wanted"))}, "wanted\n\nBackport: 4.10")
    line = f"\n\n(cherry picked from commit {wanted})" if named == "origin" else ""
    claims = on(repo, "stable-4.10", {"b.c": lines((25, "another"))}, f"wanted{line}")
    found = rows(repo)["wanted"]
    assert found["remarks"] == [
        f"the branch names it in {claims[:12]}, which makes none of its changes"
    ]
    if named == "origin":
        own = traced(repo, "wanted")
        assert own["shares_nothing"]
        assert "1 share no line with their origin" in backport(repo, "provenance").output


@pytest.mark.parametrize("left_out", ["half", "taken back"])
def test_what_is_carried_in_part_is_named(repo: Path, left_out: str) -> None:
    files = {"a.c": FEATURE + "fix\n" + "more\n", "b.c": lines((3, "wanted"))}
    wanted = commit(repo, files, "wanted\n\nBackport: 4.10")
    line = f"wanted\n\n(cherry picked from commit {wanted})"
    half = {"b.c": lines((3, "wanted"))}
    whole = {"a.c": FEATURE + "more\n", **half}
    on(repo, "stable-4.10", half if left_out == "half" else whole, line)
    if left_out == "half":
        on(repo, "stable-4.10", {"a.c": FEATURE + "fix\n"}, "the fix")
    else:
        on(repo, "stable-4.10", {"a.c": FEATURE}, "clean up")
    document = answer(repo, "owed")
    assert "wanted" not in {one["subject"] for one in document["owed"]}
    (part,) = [one for one in document["in_part"] if one["commit"] == wanted]
    words = "not all of it" if left_out == "half" else "has taken part of it back"
    assert words in part["why"]
    assert "carried only in part: 1" in " ".join(backport(repo, "owed").output.split())


@pytest.mark.parametrize("named", [True, False])
def test_what_upstream_has_no_more_of_than_the_branch_is_no_part(repo: Path, named: bool) -> None:
    """Both lost it by one change: the branch took that over, too.  Where its commit names no origin, it is
    not known that this is the same change."""
    files = {"a.c": FEATURE + "fix\n" + "more\n", "b.c": lines((3, "wanted"))}
    wanted = commit(repo, files, "wanted\n\nBackport: 4.10")
    line = f"wanted\n\n(cherry picked from commit {wanted})"
    on(repo, "stable-4.10", {"a.c": FEATURE + "more\n", "b.c": lines((3, "wanted"))}, line)
    tidied = commit(repo, {"a.c": FEATURE + "fix\n"}, "tidy")
    origin = f"\n\n(cherry picked from commit {tidied})" if named else ""
    on(repo, "stable-4.10", {"a.c": FEATURE}, f"tidy it{origin}")
    assert [one["commit"] for one in answer(repo, "owed")["in_part"]] == ([] if named else [wanted])


def test_added_lines_that_upstream_has_no_more_either_are_no_part(repo: Path) -> None:
    wanted = commit(repo, {"b.c": lines((3, "line 3\nnew\nand more"))}, "wanted\n\nBackport: 4.10")
    take(repo, "stable-4.10", wanted)
    on(repo, "stable-4.10", {"b.c": lines((2, "two"), (4, "four"))}, "b.c: tidy")
    commit(repo, {"b.c": lines((1, "one"), (2, "zwei"), (4, "vier"))}, "b.c: tidy otherwise")
    assert answer(repo, "owed")["in_part"] == []


def test_a_backport_with_names_of_its_own_is_there_in_part(repo: Path) -> None:
    """No line is the origin's, but the line that it moves is gone from where it was."""

    def text(name: str, *, moved: bool) -> str:
        late = f"set {name}\n\n" if moved else ""
        early = "" if moved else f"set {name}\n"
        return f"{early}{lines()}idle {name}\n\n{late}unlock\n"

    commit(repo, {"b.c": text("cpu", moved=False)}, "b.c: name it")
    on(repo, "stable-4.10", {"b.c": text("cpuid", moved=False)}, "b.c: name it otherwise")
    wanted = commit(repo, {"b.c": text("cpu", moved=True)}, "wanted\n\nBackport: 4.10")
    line = f"wanted\n\n(cherry picked from commit {wanted})"
    on(repo, "stable-4.10", {"b.c": text("cpuid", moved=True)}, line)
    document = answer(repo, "owed")
    assert "wanted" not in {one["subject"] for one in document["owed"]}
    assert "not all of it" in document["in_part"][0]["why"]


def test_lines_that_are_gone_with_those_beside_them_are_named(repo: Path) -> None:
    wanted = commit(repo, {"b.c": lines((3, "line 3\nnew\nand more"))}, "wanted\n\nBackport: 4.10")
    take(repo, "stable-4.10", wanted)
    on(repo, "stable-4.10", {"b.c": lines((2, "two"), (4, "four"))}, "b.c: tidy")
    (part,) = answer(repo, "owed")["in_part"]
    assert part["commit"] == wanted
    assert part["why"].endswith("no line that it added to b.c is there now")
    assert traced(repo, "wanted")["emptied"] == ["b.c"]
    said = " ".join(backport(repo, "provenance").output.split())
    assert "no line added to b.c is there now" in said


def test_an_adapted_backport_is_carried(repo: Path) -> None:
    """Of what it leaves out nothing goes on."""
    files = {"a.c": FEATURE + "fix\n", "b.c": lines((3, "wanted"), (30, "last"))}
    wanted = commit(repo, files, "wanted\n\nBackport: 4.10")
    adapted = lines((3, "wanted here"), (30, "last here"))
    on(repo, "stable-4.10", {"b.c": adapted}, f"wanted\n\n(cherry picked from commit {wanted})")
    document = answer(repo, "owed")
    assert document["in_part"] == [] and document["account"]["carried"] == 2


def test_upstream_says_that_it_took_it_back_and_did_not(repo: Path) -> None:
    fix = git(repo, "rev-parse", "master")
    by = commit(repo, {"b.c": lines((3, "x"))}, f"Back\n\nThis reverts commit {fix}.")
    found = rows(repo)["mend"]
    assert found["remarks"] == [f"{by[:12]} claims to revert it, but takes nothing back"]


def test_upstream_took_it_back_in_other_words(repo: Path) -> None:
    by = commit(repo, {"a.c": FEATURE, "b.c": lines((3, "x"))}, "another way")
    found = rows(repo)["mend"]
    assert found["remarks"] == [f"upstream has taken it back since: {by[:12]} 'another way'"]


def test_an_upstream_revert_of_what_it_carries_that_took_nothing_back(repo: Path) -> None:
    feature = git(repo, "rev-parse", "master~1")
    commit(repo, {"b.c": lines((3, "x"))}, f"Back\n\nThis reverts commit {feature}.")
    found = rows(repo)["Back"]
    assert whys(found) == ["reverts"]
    assert found["remarks"] == [f"claims to revert {feature[:12]}, but takes nothing back"]


def test_what_a_newer_branch_took_back_in_other_words_does_not_count(repo: Path) -> None:
    taken = commit(repo, {"b.c": lines((3, "x"))}, "taken")
    take(repo, "stable-4.11", taken)
    assert whys(rows(repo)["taken"]) == ["newer"]
    on(repo, "stable-4.11", {"b.c": lines()}, "b.c: as it was")
    assert "taken" not in rows(repo)


def test_quick_believes_messages_and_says_so(repo: Path) -> None:
    by_hand(repo)
    assert list(rows(repo, "--quick")) == ["mend"]
    assert "messages are believed (--quick)" in backport(repo, "owed", "--quick").output


def test_a_blocker_that_was_taken_back_is_lacked(repo: Path) -> None:
    commit(repo, {"a.c": lines((3, "feature"), (4, "of 2 lines")) + "fix\n"}, "reword")
    assert answer(repo, "deps", "master")["patches"][0]["needs"] == []
    by_hand(repo)
    (patch,) = answer(repo, "deps", "master")["patches"]
    (needed,) = patch["needs"]
    assert needed["subject"] == "feature" and needed["on"] == ["stable-4.11"]
