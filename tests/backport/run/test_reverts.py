# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches that are taken back and put on again: the tree of ``git am -3``, and nothing lost."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from backport.history import presence
from tests.backport.trees import Files, backport, commit, git, lines, mails, mbox, new_repo

START = {"f": lines(), "other": "x\n"}
A = lines((20, "twenty"))
B = lines((20, "twenty"), (10, "ten"))

STORIES: Mapping[str, tuple[tuple[str, Files], ...]] = {
    "a, other, revert a": (
        ("f: 20 in words", {"f": A}),
        ("other: new", {"other": "y\n"}),
        ('Revert "f: 20 in words"', {"f": lines()}),
    ),
    "a, revert a, a again": (
        ("f: 20 in words", {"f": A}),
        ('Revert "f: 20 in words"', {"f": lines()}),
        ("f: 20 in words", {"f": A}),
    ),
    "a, revert a, b, a again": (
        ("f: 20 in words", {"f": A}),
        ('Revert "f: 20 in words"', {"f": lines()}),
        ("f: 10 in words", {"f": lines((10, "ten"))}),
        ('Reapply "f: 20 in words"', {"f": B}),
    ),
    "a and back, twice": (
        ("f: 20 in words", {"f": A}),
        ('Revert "f: 20 in words"', {"f": lines()}),
        ("f: 20 in words", {"f": A}),
        ('Revert "f: 20 in words"', {"f": lines()}),
        ("f: 10 in words", {"f": lines((10, "ten"))}),
    ),
    "several taken back at once": (
        ("f: 20 in words", {"f": A}),
        ("f: 10 in words", {"f": B}),
        ("Revert what was done to f", {"f": lines()}),
        ("f: 20 in words", {"f": A}),
        ("f: 10 in words", {"f": B}),
    ),
    "renamed there and back": (
        ("rename f to g", {"f": None, "g": lines()}),
        ("g: 20 in words", {"g": A}),
        ("rename g to f", {"g": None, "f": A}),
        ("f: 10 in words", {"f": B}),
    ),
    "made, deleted, made again": (
        ("new: it", {"new": lines()}),
        ("new: 20 in words", {"new": A}),
        ("new: drop it", {"new": None}),
        ("new: it, once more", {"new": B}),
    ),
}

BRANCHES: Mapping[str, Files] = {
    "the same": {},
    "a line more at the start": {"f": "zero\n" + lines()},
    "a line more at the end": {"f": lines() + "more\n"},
}


def written(repo: Path, story: str) -> None:
    """The story on ``topic``, a minute between its commits."""
    git(repo, "checkout", "-q", "-b", "topic")
    for minute, (subject, files) in enumerate(STORIES[story]):
        commit(repo, files, subject)
        git(repo, "commit", "-q", "--amend", "--no-edit", f"--date=2024-01-01T10:{minute:02}:00Z")
    git(repo, "checkout", "-q", "stable")


def am(repo: Path, box: Path) -> str:
    """The tree that ``git am -3`` makes of the mailbox."""
    git(repo, "checkout", "-q", "-B", "am", "stable")
    done = subprocess.run(
        ["git", "-C", str(repo), "am", "-q", "-3", str(box)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    git(repo, "checkout", "-q", "stable")
    return git(repo, "rev-parse", "am^{tree}")


@pytest.mark.parametrize("branch", [*BRANCHES, "the first is there"])
@pytest.mark.parametrize("story", STORIES)
def test_the_tree_of_git_am(tmp_path: Path, story: str, branch: str) -> None:
    """Of a numbered mailbox, the same shuffled, and shuffled without numbers."""
    repo = new_repo(tmp_path / "repo", START)
    written(repo, story)
    right = tmp_path / "right.mbox"
    right.write_bytes(mbox(repo, "stable..topic", "-n") + b"\n")
    parts = [mail.rstrip(b"\n") + b"\n\n" for mail in mails(right.read_bytes())]
    shuffled = random.Random(f"{story}{branch}").sample(parts, len(parts))
    unnumbered = [re.sub(rb"\[PATCH \d/\d\]", b"[PATCH]", mail) for mail in shuffled]
    if branch == "the first is there":
        git(repo, "merge", "-q", "--ff-only", f"topic~{len(parts) - 1}")
    elif BRANCHES[branch]:
        commit(repo, BRANCHES[branch], "a version of its own")
    # git am does not see that a rename is there already.
    ends = branch in ("the same", "the first is there")
    wanted = git(repo, "rev-parse", "topic^{tree}") if ends else am(repo, right)
    forms = {"numbered": parts, "shuffled": shuffled, "unnumbered": unnumbered}
    for form, given in forms.items():
        box = tmp_path / f"{form}.mbox"
        box.write_bytes(b"".join(given))
        done = backport(repo, "apply", "--branch", "stable", "--series", str(box), "--to", form)
        assert done.exit_code == 0, (form, done.output)
        assert git(repo, "rev-parse", f"{form}^{{tree}}") == wanted, (form, done.output)
        if form != "unnumbered":
            assert "circle" not in done.output, form


def test_the_same_patch_twice(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", START)
    written(repo, "a, other, revert a")
    first = mbox(repo, "stable..topic~2", "-n").replace(b"[PATCH 1/1]", b"[PATCH 1/2]") + b"\n\n"
    box = tmp_path / "series.mbox"
    box.write_bytes(first + first.replace(b"[PATCH 1/2]", b"[PATCH 2/2]"))
    commit(repo, BRANCHES["a line more at the start"], "a version of its own")
    wanted = am(repo, box)
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box), "--to", "made")
    assert done.exit_code == 0, done.output
    assert git(repo, "rev-parse", "made^{tree}") == wanted, done.output
    assert "already there: 1" in done.output


@pytest.mark.parametrize("kind", ["lines", "short lines", "mode", "binary"])
def test_a_revert_that_the_branch_has_from_before(tmp_path: Path, kind: str) -> None:
    """The branch once took the change under another name and reverted it: the series does both again."""
    texts = {
        "lines": (lines(), A),
        "short lines": (lines((20, "i = 0;")), lines((20, "i = 1;"))),
        "mode": (lines(), lines()),
        "binary": ("\0one\n", "\0two\n"),
    }
    old, new = texts[kind]
    repo = new_repo(tmp_path / "repo", {"f": old, "other": "x\n"})

    def change(text: str, subject: str, minute: int, *, mode: str = "-x") -> None:
        commit(repo, {"f": text}, subject) if text != "" else None
        if kind == "mode":
            git(repo, "update-index", f"--chmod={mode}", "f")
            git(repo, "commit", "-q", "-m", subject)
            git(repo, "checkout", "-q", "f")
        git(repo, "commit", "-q", "--amend", "--no-edit", f"--date=2024-01-01T10:{minute:02}:00Z")

    def both(first: str) -> None:
        text = "" if kind == "mode" else new
        change(text, first, 1, mode="+x")
        change("" if kind == "mode" else old, 'Revert "change it"', 2)

    git(repo, "checkout", "-q", "-b", "topic")
    both("change it")
    git(repo, "checkout", "-q", "stable")
    both("another name")
    box = tmp_path / "series.mbox"
    box.write_bytes(mbox(repo, "stable~2..topic", "-n") + b"\n")
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box), "--to", "made")
    assert done.exit_code == 0, done.output
    assert git(repo, "rev-parse", "made^{tree}") == git(repo, "rev-parse", "topic^{tree}")


PIC = b"\x00\x01\x02" * 40
DONE_AND_UNDONE: Mapping[str, tuple[Files, Files]] = {
    "a line changed": ({"f": A}, {"f": lines()}),
    "a line added": ({"f": lines((20, "line 20\ntwenty")) + "end\n"}, {"f": lines()}),
    "a line removed": ({"f": lines().replace("line 20\n", "")}, {"f": lines()}),
    "a short line": ({"f": lines((20, "}"))}, {"f": lines()}),
    "made": ({"new": "it\n"}, {"new": None}),
    "deleted": ({"other": None}, {"other": "x\n"}),
    "binary": ({"pic": PIC + b"1"}, {"pic": PIC}),
    "one of two files": ({"f": A, "other": "y\n"}, {"f": lines()}),
}


@pytest.mark.parametrize("form", ["mailbox", "range"])
@pytest.mark.parametrize("more", [{}, {"f": "zero\n"}], ids=["alone", "and another change"])
@pytest.mark.parametrize("kind", DONE_AND_UNDONE)
def test_what_the_branch_has_taken_back_in_other_words(
    tmp_path: Path, kind: str, more: Files, form: str
) -> None:
    """Its commit that did so names no commit of its own, so no message says it."""
    done, undone = DONE_AND_UNDONE[kind]
    repo = new_repo(tmp_path / "repo", {**START, "pic": PIC})
    git(repo, "checkout", "-q", "-b", "topic")
    commit(repo, done, "it: as we want it")
    git(repo, "checkout", "-q", "stable")
    commit(repo, done, "it: as we want it")
    commit(repo, undone, "it broke the boot")
    for name, text in more.items():
        commit(repo, {name: str(text) + (repo / name).read_text()}, "a version of its own")
    box = tmp_path / "series.mbox"
    box.write_bytes(mbox(repo, "topic~1..topic", "-n", "--binary") + b"\n")
    series = str(box) if form == "mailbox" else "topic~1..topic"
    made = backport(repo, "apply", "--branch", "stable", "--series", series, "--to", "made")
    assert made.exit_code == 0, made.output
    assert "and has taken it back" in " ".join(made.output.split())
    assert git(repo, "rev-parse", "made^{tree}") == am(repo, box)


def test_taken_back_and_renamed_since(tmp_path: Path) -> None:
    """The file is followed to its new name."""
    repo = new_repo(tmp_path / "repo", START)
    git(repo, "checkout", "-q", "-b", "topic")
    commit(repo, {"f": A}, "f: 20 in words")
    git(repo, "checkout", "-q", "stable")
    commit(repo, {"f": A}, "f: 20 in words")
    commit(repo, START, "it broke the boot")
    commit(repo, {"f": None, "g": lines()}, "f is g")
    done = backport(
        repo, "apply", "--branch", "stable", "--series", "topic~1..topic", "--to", "made"
    )
    assert done.exit_code == 0, done.output
    assert git(repo, "show", "made:g") + "\n" == A


@pytest.mark.parametrize("since", ["deleted", "moved", "moved twice"])
def test_another_file_of_the_same_content_is_no_new_name(tmp_path: Path, since: str) -> None:
    """The branch deletes what the patch made, and makes another like it; or moves it."""
    repo = new_repo(tmp_path / "repo", START)
    git(repo, "checkout", "-q", "-b", "topic")
    commit(repo, {"new": A}, "new: it")
    git(repo, "checkout", "-q", "stable")
    commit(repo, {"new": A}, "new: it")
    if since == "deleted":
        commit(repo, {"new": None}, "it broke the boot")
        commit(repo, {"like": A}, "like: by itself")
    else:
        commit(repo, {"new": None, "like": A}, "new is like")
    if since == "moved twice":
        commit(repo, {"like": None, "far/like": A}, "like is far")
    done = backport(
        repo, "apply", "--branch", "stable", "--series", "topic~1..topic", "--to", "made"
    )
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert ("has taken it back" in said) == (since == "deleted"), said
    if since == "deleted":
        assert git(repo, "show", "made:new") + "\n" == A
    else:
        assert "stable has the patch already" in said


def test_taken_back_with_a_line_beside_it(tmp_path: Path) -> None:
    """The patch does not go on: the branch has it no more, so that it stops."""
    repo = new_repo(tmp_path / "repo", START)
    git(repo, "checkout", "-q", "-b", "topic")
    commit(repo, {"f": A}, "f: 20 in words")
    git(repo, "checkout", "-q", "stable")
    commit(repo, {"f": A}, "f: 20 in words")
    commit(repo, {"f": lines((19, "another"), (21, "more"))}, "it broke the boot")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic~1..topic")
    said = " ".join(done.output.split())
    assert "and has taken it back" in said
    assert "already there" not in said


@pytest.mark.parametrize("since", ["changed further", "a line of it stays"])
def test_lines_that_are_only_added_and_gone_are_noted(tmp_path: Path, since: str) -> None:
    """Changed further, or taken back with what is beside them: that is for a person to see."""
    repo = new_repo(tmp_path / "repo", START)
    git(repo, "checkout", "-q", "-b", "topic")
    commit(repo, {"f": lines((20, "line 20\ntwenty\nand more"))}, "f: 20 in words")
    git(repo, "checkout", "-q", "-B", "stable")
    left = "line 20\nand more" if since == "a line of it stays" else "line 20"
    commit(repo, {"f": lines((19, "another"), (20, left), (21, "more"))}, "f: as it should be")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic~1..topic")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "already there: 1" in said
    assert ("none of the lines that" in said) == (since == "changed further"), said


@pytest.mark.parametrize("since", ["written anew", "added to"])
def test_a_file_that_the_patch_made_and_others_changed(tmp_path: Path, since: str) -> None:
    repo = new_repo(tmp_path / "repo", START)
    git(repo, "checkout", "-q", "-b", "topic")
    commit(repo, {"new": A}, "new: it")
    git(repo, "checkout", "-q", "-B", "stable")
    text = "of another kind\n" if since == "written anew" else A + "more\n"
    commit(repo, {"new": text}, "new: as it should be")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic~1..topic")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "already there: 1" in said or "it has the patch already" in said, said
    assert ("none of the lines that" in said) == (since == "written anew"), said


def test_what_a_later_commit_changed_is_not_taken_back(tmp_path: Path) -> None:
    """The lines that the first patch adds are gone, and so is the place where it added them."""
    repo = new_repo(tmp_path / "repo", START)
    git(repo, "checkout", "-q", "-b", "topic")
    for text in ("line 20\ntwenty", "line 20\ntwenty and more", "line 20\nmore than twenty"):
        commit(repo, {"f": lines((20, text))}, f"f: {text[8:]}")
    git(repo, "checkout", "-q", "-B", "stable", "topic")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic~3..topic")
    assert done.exit_code == 0, done.output
    assert "nothing to do, it has all 3 patches already" in done.output
    assert "none of the lines" not in done.output


def test_all_is_there_however_far_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a patch and its revert: both are there, and neither is put on again."""
    monkeypatch.setattr(presence, "_MOST_COMMITS", 2)
    repo = new_repo(tmp_path / "repo", START)
    written(repo, "a, revert a, b, a again")
    git(repo, "checkout", "-q", "topic")
    for number in range(4):
        commit(repo, {"other": f"{number}\n"}, f"other: {number}")
    git(repo, "checkout", "-q", "-B", "stable")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic~8..topic")
    assert done.exit_code == 0, done.output
    assert "nothing to do, it has all 8 patches already" in done.output


def test_a_mode_that_the_branch_has_taken_back(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", START)
    git(repo, "checkout", "-q", "-b", "topic")
    for branch in ("topic", "stable"):
        git(repo, "checkout", "-q", branch)
        git(repo, "update-index", "--chmod=+x", "f")
        git(repo, "commit", "-q", "-m", "f: run it")
        git(repo, "checkout", "-q", "f")
    git(repo, "update-index", "--chmod=-x", "f")
    git(repo, "commit", "-q", "-m", "it broke the boot")
    git(repo, "checkout", "-q", "f")
    done = backport(
        repo, "apply", "--branch", "stable", "--series", "topic~1..topic", "--to", "made"
    )
    assert done.exit_code == 0, done.output
    assert git(repo, "ls-tree", "made", "f").startswith("100755")
