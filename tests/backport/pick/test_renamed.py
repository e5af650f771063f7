# SPDX-License-Identifier: GPL-2.0-or-later
"""A file that has another name on the branch, held against git cherry-pick."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from backport.gateway.commits import commit_patch
from backport.gateway.objects import Objects
from backport.pick.outcome import How, Picked
from backport.pick.patch import pick_patch
from backport.pick.renamed import Renames
from series.model import Oid
from series.reading.mail import read_mbox
from tests.backport.trees import Files, backport, branch_with, git, lines, mbox, new_repo, open_repo

BASE = {"old/amd.c": lines(), "old/intel.c": lines((3, "intel"), (4, "intel")), "keep.c": "k\n"}
MOVED: Files = {"new/amd.c": lines(), "old/amd.c": None}


def make(
    folder: Path, upstream: tuple[Files, ...], branch: Files | None = None
) -> tuple[Path, Oid]:
    """Upstream moves the file and goes on; the branch keeps the old name. The last commit upstream."""
    repo = new_repo(folder, BASE)
    made = branch_with(repo, "upstream", "stable", ("move", MOVED), *(("x", u) for u in upstream))
    if branch:
        git(repo, "checkout", "-q", "stable")
        branch_with(repo, "moved", "stable", ("on the branch", branch))
        git(repo, "checkout", "-q", "-B", "stable", "moved")
    return repo, Oid(made[-1])


def pick(repo: Path, commit: Oid) -> Picked:
    opened = open_repo(repo)
    patch = commit_patch(opened, commit)
    tree = opened.tree(opened.commit("stable"))
    picked = pick_patch(opened.objects, tree, patch, lambda: opened.made_on(patch))
    opened.objects.store()
    return picked


def cherry_picked(repo: Path, commit: Oid) -> str | None:
    """The tree that git makes of it; None where it conflicts."""
    git(repo, "checkout", "-q", "--detach", "stable")
    done = subprocess.run(
        ["git", "-C", str(repo), "cherry-pick", commit], capture_output=True, check=False
    )
    if done.returncode:
        git(repo, "cherry-pick", "--abort")
        return None
    return git(repo, "rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize(
    ("upstream", "branch"),
    [
        (({"new/amd.c": lines((20, "fix"))},), {}),
        (({"new/amd.c": lines((20, "fix"))},), {"old/amd.c": lines((5, "ours"))}),
        (({"new/amd.c": lines((20, "up"))}, {"new/amd.c": lines((20, "up"), (28, "fix"))}), {}),
        (({"new/amd.c": lines((20, "fix")), "keep.c": "kept\n"},), {}),
    ],
    ids=["only the name", "both changed it", "upstream had gone on", "and another file"],
)
def test_goes_to_the_name_on_the_branch(
    tmp_path: Path, upstream: tuple[Files, ...], branch: Files
) -> None:
    repo, commit = make(tmp_path / "repo", upstream, branch)
    picked = pick(repo, commit)
    assert picked.clean, picked.clashes
    assert picked.tree.id == cherry_picked(repo, commit)
    change = next(change for change in picked.changes if change.notes)
    assert "is new/amd.c in the patch" in change.notes[0]
    assert change.how is not How.EXACT or change.path == b"old/amd.c"


def test_both_sides_changed_the_same_lines(tmp_path: Path) -> None:
    repo, commit = make(
        tmp_path / "repo", ({"new/amd.c": lines((20, "fix"))},), {"old/amd.c": lines((20, "ours"))}
    )
    picked = pick(repo, commit)
    assert cherry_picked(repo, commit) is None
    (clash,) = picked.clashes
    assert clash.path == b"old/amd.c"
    assert clash.content is not None and b"<<<<<<<" in clash.content
    assert "both sides changed the same lines (is new/amd.c in the patch" in clash.reason


@pytest.mark.parametrize("branch", [{}, {"old/amd.c": lines((20, "ours"))}])
def test_deleted_upstream_is_for_the_user(tmp_path: Path, branch: Files) -> None:
    repo, commit = make(tmp_path / "repo", ({"new/amd.c": None},), branch)
    picked = pick(repo, commit)
    assert cherry_picked(repo, commit) is None
    (clash,) = picked.clashes
    assert clash.path == b"old/amd.c" and clash.deleted
    assert clash.reason.startswith("the patch deletes new/amd.c, which is this file")


def test_less_than_half_alike_is_another_file(tmp_path: Path) -> None:
    other = "".join(f"other {n}\n" for n in range(18)) + "".join(
        f"line {n}\n" for n in range(1, 13)
    )
    repo, commit = make(
        tmp_path / "repo", ({"new/amd.c": lines((20, "fix"))},), {"old/amd.c": other}
    )
    (clash,) = pick(repo, commit).clashes
    assert "there is no such file here" in clash.reason
    assert cherry_picked(repo, commit) is None


def test_a_file_that_upstream_has_as_well_is_not_it(tmp_path: Path) -> None:
    """old/intel.c is nearly the same, but upstream has it under that very name."""
    repo, commit = make(
        tmp_path / "repo", ({"new/amd.c": lines((20, "fix"))},), {"old/amd.c": None}
    )
    (clash,) = pick(repo, commit).clashes
    assert "there is no such file here" in clash.reason
    assert cherry_picked(repo, commit) is None


def test_two_that_are_equally_alike_are_for_the_user(tmp_path: Path) -> None:
    repo, commit = make(
        tmp_path / "repo",
        ({"new/amd.c": lines((20, "fix"))},),
        {"old/amd.c": None, "a.c": lines((5, "a")), "b.c": lines((6, "b"))},
    )
    (clash,) = pick(repo, commit).clashes
    assert "it may be a.c (97%) or b.c (97%)" in clash.reason


def test_a_mail_whose_commit_is_at_hand_goes_the_same_way(tmp_path: Path) -> None:
    repo, commit = make(tmp_path / "repo", ({"new/amd.c": lines((20, "fix"))},))
    series = tmp_path / "s.mbox"
    series.write_bytes(mbox(repo, f"{commit}^..{commit}"))
    wanted = cherry_picked(repo, commit)
    git(repo, "checkout", "-q", "upstream")
    done = backport(
        repo, "apply", "--branch", "stable", "--series", str(series), "--validate", "none"
    )
    assert done.exit_code == 0, done.output
    assert "is new/amd.c in the patch, 100% alike" in done.output
    assert git(repo, "rev-parse", "stable^{tree}") == wanted


@pytest.mark.parametrize("named", ["0" * 40, "1" * 40, "tree", "root"])
def test_a_commit_that_a_mail_names_and_is_none(tmp_path: Path, named: str) -> None:
    repo, commit = make(tmp_path / "repo", ({"new/amd.c": lines((20, "fix"))},))
    if named == "tree":
        named = git(repo, "rev-parse", "stable^{tree}")
    if named == "root":
        named = git(repo, "rev-list", "--max-parents=0", "stable")
    mail = mbox(repo, f"{commit}^..{commit}").replace(commit.encode(), named.encode())
    opened = open_repo(repo)
    (patch,) = read_mbox(mail, "s.mbox").patches
    assert opened.made_on(patch) is None


@pytest.mark.parametrize(
    "other",
    [
        "".join(f"line {n}\n" for n in range(1, 13)),
        lines() + "".join(f"more {n}\n" for n in range(40)),
    ],
    ids=["a part of it", "all of it, in a longer one"],
)
def test_the_longer_of_the_two_is_the_measure(tmp_path: Path, other: str) -> None:
    """One file holds all of the other, which is less than half of it: to git that is no rename."""
    repo, commit = make(
        tmp_path / "repo", ({"new/amd.c": lines((20, "fix"))},), {"old/amd.c": other}
    )
    (clash,) = pick(repo, commit).clashes
    assert "there is no such file here" in clash.reason
    assert cherry_picked(repo, commit) is None


def test_the_very_content_settles_which_file_it_is(tmp_path: Path) -> None:
    """Another one is 97% alike, and would leave it open."""
    repo, commit = make(
        tmp_path / "repo",
        ({"new/amd.c": lines((20, "fix"))},),
        {"old/amd.c": None, "there.c": lines(), "near.c": lines((5, "near"))},
    )
    picked = pick(repo, commit)
    assert picked.clean and picked.tree.id == cherry_picked(repo, commit)
    assert "is new/amd.c in the patch, 100% alike" in picked.changes[0].notes[0]


def test_the_last_part_of_the_name_settles_which_file_it_is(tmp_path: Path) -> None:
    """Two are nearly as much alike, and one of them has the name."""
    repo, commit = make(
        tmp_path / "repo",
        ({"new/amd.c": lines((20, "fix"))},),
        {"old/amd.c": lines((5, "ours"), (6, "ours")), "near.c": lines((5, "near"))},
    )
    picked = pick(repo, commit)
    assert picked.clean and picked.tree.id == cherry_picked(repo, commit)
    assert picked.tree.read(b"old/amd.c") == lines((5, "ours"), (6, "ours"), (20, "fix")).encode()


def test_a_search_that_gives_up_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backport.pick.renamed._MOST_COMPARED", 1)
    repo, commit = make(
        tmp_path / "repo",
        ({"new/amd.c": lines((20, "fix"))},),
        {"old/amd.c": None, "a.c": lines((5, "a")), "b.c": lines((6, "b"))},
    )
    (clash,) = pick(repo, commit).clashes
    assert "2 files are on this branch alone: too many to look for it" in clash.reason


def test_each_file_is_read_once_for_a_whole_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cost is that of the files, not of the files times those that the patch touches."""
    before = {f"old/{n}.c": lines((n, "own"), (n + 1, "own")) for n in range(1, 9)}
    repo = new_repo(tmp_path / "repo", before)
    moved: Files = {f"new/{n}.x": text for n, text in enumerate(before.values(), 1)}
    away: Files = dict.fromkeys(before)
    fixed = {name: str(text).replace("line 25", "fixed") for name, text in moved.items()}
    made = branch_with(repo, "up", "stable", ("move", {**moved, **away}), ("fix", fixed))
    ours = {name: text.replace("line 15", "ours") for name, text in before.items()}
    git(repo, "checkout", "-q", "-B", "stable", branch_with(repo, "o", "stable", ("o", ours))[0])
    read: list[str] = []
    whole = Objects.blob

    def counted(self: Objects, oid: Oid) -> bytes:
        read.append(oid)
        return whole(self, oid)

    opened = open_repo(repo)
    patch = commit_patch(opened, Oid(made[-1]))
    renames = Renames(
        opened.objects,
        opened.tree(opened.commit("stable")),
        opened.tree(opened.parents(Oid(made[-1]))[0]),
    )
    monkeypatch.setattr(Objects, "blob", counted)
    for change in patch.changes:
        assert change.old_path is not None and change.old_blob is not None
        assert renames.find(change.old_path, change.old_blob)
    assert len(read) == len(set(read)) == 16


def test_a_name_that_only_the_content_suggests_is_for_the_user(tmp_path: Path) -> None:
    """A mail whose commit is nowhere: any file that is like it may be it, or stand beside it upstream."""
    repo, commit = make(tmp_path / "repo", ({"new/amd.c": lines((9, "nine"))},))
    mail = mbox(repo, f"{commit}^..{commit}", "--zero-commit", "--full-index")
    (patch,) = read_mbox(mail, "one.mbox").patches
    opened = open_repo(repo)
    picked = pick_patch(opened.objects, opened.tree(opened.commit("stable")), patch)
    (clash,) = picked.clashes
    assert clash.path == b"new/amd.c"
    assert "no such file here; it may be old/amd.c (100%)" in clash.reason
