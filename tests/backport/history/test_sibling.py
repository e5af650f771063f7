# SPDX-License-Identifier: GPL-2.0-or-later
"""A patch as the next newer stable branch has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backport.errors import UnknownRevision, UsageError
from backport.history.siblings import find_siblings
from tests.backport.trees import (
    Files,
    backport,
    branch_with,
    commit,
    git,
    lines,
    mbox,
    new_repo,
    open_repo,
    refs,
)

UP: Files = {"a.c": lines((10, "upstream moved on"), (11, "the fix"))}
ADAPTED: Files = {"a.c": lines((11, "the fix, adapted"))}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """master moves line 10 and fixes 11, so that the fix clashes; stable-4.11 has adapted it."""
    repo = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": lines()}, "master")
    for name in ("stable-4.9", "stable-4.10", "stable-4.11", "stable-4.12"):
        git(repo, "branch", name)
    commit(repo, {"a.c": lines((10, "upstream moved on"))}, "move")
    commit(repo, UP, "the fix\n\nBecause.")
    return repo


def adapt(repo: Path, branch: str, files: Files, origin: str | None = None, how: str = "") -> str:
    named = origin or git(repo, "rev-parse", "master")
    line = how or f"(cherry picked from commit {named})"
    git(repo, "checkout", "-q", branch)
    made = commit(repo, files, f"the fix\n\nBecause, elsewhere.\n\n{line}")
    git(repo, "checkout", "-q", "master")
    return made


def apply(repo: Path, *words: str, series: str = "master~1..master") -> tuple[int, str]:
    where = ("--branch", "stable-4.10", "--series", series, "--validate", "none")
    done = backport(repo, "apply", *where, *words)
    return done.exit_code, done.output


def test_the_newer_branch_has_it_and_its_version_goes_on(repo: Path) -> None:
    made = adapt(repo, "stable-4.11", ADAPTED)
    code, output = apply(repo)
    assert code == 0, output
    assert git(repo, "show", "stable-4.10:a.c") + "\n" == ADAPTED["a.c"]
    assert f"stable-4.11 has it as {made[:12]}; the patch itself clashes in a.c" in output
    assert "1 as stable-4.11 has it" in output
    assert git(repo, "log", "-1", "--format=%B", "stable-4.10") == "the fix\n\nBecause."


def test_xens_way_to_name_the_origin(repo: Path) -> None:
    origin = git(repo, "rev-parse", "master")
    adapt(repo, "stable-4.11", ADAPTED, how=f"master commit: {origin}")
    assert apply(repo)[0] == 0


def test_the_nearest_counts(repo: Path) -> None:
    adapt(repo, "stable-4.12", {"a.c": lines((11, "of 4.12"))})
    adapt(repo, "stable-4.11", ADAPTED)
    code, output = apply(repo)
    assert code == 0 and "as stable-4.11 has it" in output


def test_both_go_on_and_differ(repo: Path) -> None:
    commit(repo, {"a.c": UP["a.c"], "b.c": lines((20, "more"))}, "more")
    made = adapt(repo, "stable-4.11", {"b.c": lines((20, "more, adapted"))})
    code, output = apply(repo)
    assert code == 0
    assert (
        f"stable-4.11 has it as {made[:12]}; the patch itself would give another result in b.c"
        in (output)
    )
    assert git(repo, "show", "stable-4.10:b.c") + "\n" == lines((20, "more, adapted"))


def test_both_make_the_same_and_nothing_is_said(repo: Path) -> None:
    commit(repo, {"a.c": UP["a.c"], "b.c": lines((20, "more"))}, "more")
    adapt(repo, "stable-4.11", {"b.c": lines((20, "more"))})
    code, output = apply(repo)
    assert code == 0 and "4.11" not in output


def test_only_the_patch_itself_goes_on(repo: Path) -> None:
    git(repo, "checkout", "-q", "stable-4.11")
    commit(repo, {"b.c": lines((19, "of 4.11"))}, "only there")
    git(repo, "checkout", "-q", "master")
    commit(repo, {"a.c": UP["a.c"], "b.c": lines((20, "more"))}, "more")
    adapt(repo, "stable-4.11", {"b.c": lines((19, "of 4.11"), (20, "more"), (21, "x"))})
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"b.c": lines((22, "of 4.10"))}, "only here")
    git(repo, "checkout", "-q", "master")
    code, output = apply(repo)
    assert code == 0, output
    assert "which clashes in b.c" in output
    assert git(repo, "show", "stable-4.10:b.c") + "\n" == lines((20, "more"), (22, "of 4.10"))


def test_neither_goes_on_and_the_clash_names_the_version(repo: Path) -> None:
    made = adapt(repo, "stable-4.11", ADAPTED)
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"a.c": lines((11, "other"))}, "in the way")
    git(repo, "checkout", "-q", "master")
    code, output = apply(repo)
    assert code == 3
    assert f"(stable-4.11 has it: `git show {made[:12]}`)" in output
    assert backport(repo, "abort").exit_code == 0


@pytest.mark.parametrize("words", [("--sibling", "none"), ("--sibling", "stable-4.12")])
def test_what_the_user_names_counts(repo: Path, words: tuple[str, ...]) -> None:
    adapt(repo, "stable-4.11", ADAPTED)
    assert apply(repo, *words)[0] == 3


def test_the_configuration_names_it(repo: Path) -> None:
    git(repo, "branch", "-m", "stable-4.11", "lts")
    adapt(repo, "lts", ADAPTED)
    git(repo, "config", "backport.sibling", "lts")
    assert apply(repo)[0] == 0


def test_a_reverted_version_does_not_count(repo: Path) -> None:
    made = adapt(repo, "stable-4.11", ADAPTED)
    git(repo, "checkout", "-q", "stable-4.11")
    git(repo, "revert", "--no-edit", made)
    git(repo, "checkout", "-q", "master")
    assert apply(repo)[0] == 3


def test_a_version_taken_back_in_other_words_does_not_count(repo: Path) -> None:
    made = adapt(repo, "stable-4.11", ADAPTED)
    git(repo, "checkout", "-q", "stable-4.11")
    commit(repo, {"a.c": lines()}, "it broke the boot")
    git(repo, "checkout", "-q", "master")
    code, output = apply(repo)
    assert code == 3
    said = " ".join(output.split())
    assert f"stable-4.11 has it as {made[:12]}, and has taken it back" in said


def test_a_mail_that_names_the_commit_and_holds_it(repo: Path, tmp_path: Path) -> None:
    adapt(repo, "stable-4.11", ADAPTED)
    (tmp_path / "s.mbox").write_bytes(mbox(repo, "master~1..master"))
    code, output = apply(repo, series=str(tmp_path / "s.mbox"))
    assert code == 0 and "as stable-4.11 has it" in output


def test_a_mail_that_names_the_commit_and_holds_something_else(repo: Path, tmp_path: Path) -> None:
    adapt(repo, "stable-4.11", ADAPTED)
    mail = mbox(repo, "master~1..master").replace(b"+the fix", b"+another fix")
    (tmp_path / "s.mbox").write_bytes(mail)
    code, output = apply(repo, series=str(tmp_path / "s.mbox"))
    assert code == 3, output


def test_one_commit_there_for_two_patches_here(repo: Path) -> None:
    """It would bring the second patch along with the first."""
    commit(repo, {"a.c": UP["a.c"], "b.c": lines((20, "more"))}, "more")
    one, two = git(repo, "rev-parse", "master~1"), git(repo, "rev-parse", "master")
    both = f"(cherry picked from commit {one})\n(cherry picked from commit {two})"
    adapt(repo, "stable-4.11", {**ADAPTED, "b.c": lines((20, "more"))}, how=both)
    code, output = apply(repo, series="master~2..master")
    assert code == 3 and "patch 1 of 2" in output


def test_a_remote_branch_is_a_sibling(repo: Path, tmp_path: Path) -> None:
    adapt(repo, "stable-4.11", ADAPTED)
    git(repo, "clone", "-q", str(repo), str(tmp_path / "clone"))
    clone = tmp_path / "clone"
    git(clone, "branch", "stable-4.10", "origin/stable-4.10")
    code, output = apply(clone)
    assert code == 0 and "as origin/stable-4.11 has it" in output


def test_a_continued_run_keeps_to_where_the_sibling_stood(repo: Path) -> None:
    commit(repo, {"a.c": UP["a.c"], "b.c": lines((20, "more"))}, "more")
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"a.c": lines((11, "other"))}, "in the way")
    git(repo, "checkout", "-q", "master")
    assert apply(repo, series="master~2..master")[0] == 3
    adapt(repo, "stable-4.11", {"b.c": lines((20, "too late"))})
    done = backport(repo, "skip")
    assert done.exit_code == 0, done.output
    assert git(repo, "show", "stable-4.10:b.c") + "\n" == lines((20, "more"))


def test_the_plan_says_so_too(repo: Path) -> None:
    adapt(repo, "stable-4.11", ADAPTED)
    before = refs(repo)
    where = ("--branch", "stable-4.10", "--series", "master~1..master")
    done = backport(repo, "plan", *where, "--json", "-")
    assert json.loads(done.stdout)["patches"][0]["how"] == "as stable-4.11 has it"
    assert refs(repo) == before


# --- which branches ---


@pytest.mark.parametrize(
    ("branch", "others", "found"),
    [
        ("stable-4.10", ("stable-4.9", "stable-4.11", "stable-4.12", "stable-5.0"), "4.11 4.12"),
        ("stable-4.9", ("stable-4.11", "stable-4.10"), "4.10 4.11"),
        ("linux-5.10.y", ("linux-5.15.y", "linux-6.1.y", "linux-5.4.y"), "5.15 6.1"),
        ("v3", ("v4", "v5", "w4"), "4 5"),
        ("stable-4.10", ("staging-4.11",), ""),
        ("2024/stable-4.10", ("2025/stable-4.11", "2024/stable-4.11"), "4.11"),
        ("topic", ("stable-4.11",), ""),
        ("a-1.2-b-3.4", ("a-1.3-b-3.4",), ""),
    ],
)
def test_the_next_newer_ones_by_name(
    tmp_path: Path, branch: str, others: tuple[str, ...], found: str
) -> None:
    repo = new_repo(tmp_path / "repo", {"a": "a\n"}, branch)
    for name in others:
        git(repo, "branch", name)
    siblings = find_siblings(open_repo(repo), f"refs/heads/{branch}", ("auto",)).siblings
    names = [one.name for one in siblings if not one.older]
    wanted = found.split()
    assert len(names) == len(wanted)
    assert all(version in name for version, name in zip(wanted, names, strict=True))


def test_a_sibling_that_is_not_there(repo: Path) -> None:
    with pytest.raises(UnknownRevision):
        find_siblings(open_repo(repo), "stable-4.10", ("stable-9.9",))
    assert apply(repo, "--sibling", "stable-9.9")[0] == 2


def test_auto_stands_alone(repo: Path) -> None:
    with pytest.raises(UsageError, match="stand alone"):
        find_siblings(open_repo(repo), "stable-4.10", ("auto", "stable-4.11"))


def test_a_commit_is_a_series_of_one(repo: Path) -> None:
    commit(repo, {"a.c": UP["a.c"], "b.c": lines((20, "more"))}, "more")
    code, output = apply(repo, series="master")
    assert code == 0, output
    assert git(repo, "log", "-1", "--format=%s", "stable-4.10") == "more"


def test_a_merge_is_no_series_of_one(repo: Path) -> None:
    branch_with(repo, "side", "master~1", ("side", {"c.c": "c\n"}))
    git(repo, "merge", "-q", "--no-ff", "-m", "merge", "side")
    code, output = apply(repo, series="master")
    assert code == 2 and "is a merge" in output


def remote(repo: Path, name: str, tip: str) -> None:
    git(repo, "update-ref", f"refs/remotes/origin/{name}", tip)


def test_the_fresher_of_a_branch_and_its_remote_one_counts(repo: Path) -> None:
    made = adapt(repo, "stable-4.11", ADAPTED)
    remote(repo, "stable-4.11", made)
    git(repo, "branch", "-f", "stable-4.11", "stable-4.12")
    code, output = apply(repo)
    assert code == 0, output
    assert "origin/stable-4.11 is 1 commit ahead of stable-4.11, and counts" in output
    assert f"origin/stable-4.11 has it as {made[:12]}" in output


def test_a_local_branch_that_is_ahead_counts(repo: Path) -> None:
    remote(repo, "stable-4.11", git(repo, "rev-parse", "stable-4.11"))
    made = adapt(repo, "stable-4.11", ADAPTED)
    code, output = apply(repo)
    assert code == 0, output
    assert "note: newer branch: stable-4.11 is 1 commit ahead of origin/stable-4.11" in output
    assert f"  stable-4.11 has it as {made[:12]}" in output


def test_nothing_is_said_where_both_are_the_same(repo: Path) -> None:
    made = adapt(repo, "stable-4.11", ADAPTED)
    remote(repo, "stable-4.11", made)
    code, output = apply(repo)
    assert code == 0, output
    assert "newer branch" not in output


@pytest.mark.parametrize("later", ["stable-4.11", "origin/stable-4.11"])
def test_diverged_the_later_one_counts(
    repo: Path, monkeypatch: pytest.MonkeyPatch, later: str
) -> None:
    git(repo, "checkout", "-q", "stable-4.11")
    commit(repo, {"c.c": "c\n"}, "early")
    early = git(repo, "rev-parse", "HEAD")
    git(repo, "reset", "-q", "--hard", "stable-4.12")
    git(repo, "checkout", "-q", "master")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1516009999 +0000")
    made = adapt(repo, "stable-4.11", ADAPTED)
    if later == "stable-4.11":
        remote(repo, "stable-4.11", early)
    else:
        remote(repo, "stable-4.11", made)
        git(repo, "branch", "-f", "stable-4.11", early)
    code, output = apply(repo)
    assert code == 0, output
    other = "stable-4.11" if later != "stable-4.11" else "origin/stable-4.11"
    assert f"newer branch: {later} and {other} have diverged" in output
    assert git(repo, "show", "stable-4.10:a.c") + "\n" == ADAPTED["a.c"]


def test_a_branch_that_was_named_counts_and_the_fresher_is_mentioned(repo: Path) -> None:
    made = adapt(repo, "stable-4.11", ADAPTED)
    remote(repo, "stable-4.11", made)
    git(repo, "branch", "-f", "stable-4.11", "stable-4.12")
    code, output = apply(repo, "--sibling", "stable-4.11")
    assert code == 3, output
    assert "origin/stable-4.11 is ahead of stable-4.11, which was named and counts" in output


@pytest.mark.parametrize(("words", "said"), [((), True), (("--sibling", "none"), False)])
def test_a_name_without_a_version_is_said(repo: Path, words: tuple[str, ...], said: bool) -> None:
    git(repo, "branch", "debian/sid", "stable-4.10")
    where = ("--branch", "debian/sid", "--series", "master~1..master")
    for verb in ("plan", "apply"):
        output = backport(repo, verb, *where, *words).output
        assert ("no newer branch was looked for: 'debian/sid' names no version" in output) is said
        assert ("--sibling NAME names one" in " ".join(output.split())) is said


@pytest.mark.parametrize("name", ["origin/stable-4.10", "refs/remotes/origin/stable-4.10"])
def test_a_remote_branch_has_the_newer_branches_of_its_name(repo: Path, name: str) -> None:
    """The branch itself need not be here: its own remote's, and local ones, are newer than it."""
    made = adapt(repo, "stable-4.11", ADAPTED)
    git(repo, "update-ref", "refs/remotes/origin/stable-4.10", "stable-4.10")
    where = ("--branch", name, "--to", "wip", "--series", "master~1..master")
    done = backport(repo, "apply", *where, "--validate", "none")
    assert done.exit_code == 0, done.output
    assert f"stable-4.11 has it as {made[:12]}" in done.output
    assert git(repo, "show", "wip:a.c") + "\n" == ADAPTED["a.c"]
    owed = backport(repo, "owed", "--branch", name, "--upstream", "master", "--json", "-")
    found = json.loads(owed.stdout)
    assert {one["why"] for row in found["owed"] for one in row["claims"]} == {"newer"}


def test_a_name_that_no_branch_has_is_said(repo: Path) -> None:
    git(repo, "tag", "RELEASE-4.10.0", "stable-4.10")
    where = ("--branch", "RELEASE-4.10.0", "--to", "wip", "--series", "master~1..master")
    output = backport(repo, "apply", *where).output
    said = "no newer branch was looked for: no branch is named as 'RELEASE-4.10.0' is"
    assert said in " ".join(output.split())


def test_an_older_branch_counts_where_nothing_else_goes_on(repo: Path) -> None:
    """Adapted on stable-4.9 first: the patch clashes on stable-4.10, no newer branch has it."""
    made = adapt(repo, "stable-4.9", ADAPTED)
    code, output = apply(repo)
    assert code == 0, output
    assert git(repo, "show", "stable-4.10:a.c") + "\n" == ADAPTED["a.c"]
    assert f"stable-4.9 has it as {made[:12]}; the patch itself clashes" in output
    assert "as stable-4.9 has it" in output


def test_an_older_branch_does_not_count_where_the_patch_goes_on(repo: Path) -> None:
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"a.c": lines((10, "upstream moved on"))}, "move, here too")
    git(repo, "checkout", "-q", "master")
    adapt(repo, "stable-4.9", ADAPTED)
    code, output = apply(repo)
    assert code == 0, output
    assert git(repo, "show", "stable-4.10:a.c") + "\n" == UP["a.c"]


def test_an_older_branch_is_remembered_over_a_stop(repo: Path) -> None:
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"b.c": lines((3, "own"))}, "own")
    git(repo, "checkout", "-q", "master")
    commit(repo, {"b.c": lines((3, "theirs"))}, "another")
    adapt(repo, "stable-4.9", ADAPTED, origin=git(repo, "rev-parse", "master~1"))
    code, output = apply(repo, series="master~2..master")
    assert code == 3, output
    state = json.loads((repo / ".git/backport/run/state.json").read_text())
    assert ["stable-4.9", git(repo, "rev-parse", "stable-4.9"), True, []] in state["siblings"]
    done = backport(repo, "skip")
    assert done.exit_code == 0, done.output
    assert git(repo, "show", "stable-4.10:a.c") + "\n" == ADAPTED["a.c"]
