# SPDX-License-Identifier: GPL-2.0-or-later
"""One patch on one tree, held against git am where git has an answer."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.pick.outcome import How, Picked
from backport.pick.patch import pick_patch
from series.model import Patch
from series.reading.mail import read_mbox
from tests.backport.trees import branch_with, commit, git, lines, mbox, new_repo, open_repo

MAIL = b"From: A <a@b>\nSubject: [PATCH] t\nDate: Thu, 1 Jan 2015 00:00:00 +0000\n\nbody\n---\n"
FUNCTION = (
    "static int f%s(void)\n{\n    int rc;\n\n    lock();\n    rc = %s;\n    if ( rc )\n"
    "        goto out;\n    unlock();\n}\n\n"
)


@dataclass(frozen=True)
class Given:
    """A repository, and a patch as a mail."""

    repo: Path
    mail: bytes

    @property
    def opened(self) -> Repo:
        return open_repo(self.repo)

    def patch(self) -> Patch:
        (found,) = read_mbox(self.mail, "one.mbox").patches
        return found

    def pick(self, onto: str = "HEAD", patch: Patch | None = None) -> Picked:
        repo = self.opened
        return pick_patch(repo.objects, repo.tree(repo.commit(onto)), patch or self.patch())

    def am(self, onto: str = "HEAD") -> str | None:
        """The tree that git am makes of it; None when it refuses."""
        git(self.repo, "checkout", "-q", "-f", "--detach", onto)
        done = subprocess.run(
            ["git", "-C", str(self.repo), "am", "-q", "--keep-cr"],
            input=self.mail,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            git(self.repo, "am", "--abort")
            return None
        return git(self.repo, "rev-parse", "HEAD^{tree}")


def plain(repo: Path, diff: bytes) -> Given:
    """A patch whose blobs nobody has."""
    return Given(repo, MAIL + diff)


def last(repo: Path, onto: Path | None = None) -> Given:
    """The last commit as a mail, to be put on ``onto``."""
    return Given(onto or repo, mbox(repo, "HEAD^..HEAD", "--binary", "--full-index"))


def same_as_am(given: Given, onto: str = "HEAD") -> None:
    picked = given.pick(onto)
    assert picked.clean, picked.clashes
    assert picked.tree.id == given.am(onto)


def link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


# -- what the branch seems to have already


def test_a_twin_of_the_block_is_not_the_change(tmp_path: Path) -> None:
    """fa is to go from 3 to 4, the branch has it at 7; fb has 4, in the very same lines."""
    repo = new_repo(tmp_path / "r", {"f": FUNCTION % ("a", 3) + FUNCTION % ("b", 4)})
    commit(repo, {"f": FUNCTION % ("a", 4) + FUNCTION % ("b", 4)}, "fa: use 4")
    diverged = FUNCTION % ("a", 7) + FUNCTION % ("b", 4)
    other = new_repo(tmp_path / "o", {"f": diverged})
    commit(repo, {"f": diverged}, "diverged")
    mail = mbox(repo, "HEAD~2..HEAD~1")
    for where in (repo, other):
        given = Given(where, mail)
        (clash,) = given.pick().clashes
        assert clash.content is not None
        assert given.am() is None
    assert "looks applied at line 14 already: `backport skip` leaves it out" in clash.reason


def test_a_hunk_does_not_go_to_the_twin_of_what_has_it(tmp_path: Path) -> None:
    base = {"f": FUNCTION % ("a", 3) + FUNCTION % ("b", 3)}
    repo = new_repo(tmp_path / "r", base)
    commit(repo, {"f": FUNCTION % ("a", 4) + FUNCTION % ("b", 3)}, "fa: use 4")
    other = new_repo(tmp_path / "o", {"f": FUNCTION % ("a", 4) + FUNCTION % ("b", 3) + "/**/\n"})
    (clash,) = last(repo, other).pick().clashes
    assert "looks applied at line" in clash.reason


def test_what_stands_where_it_belongs_is_already_there(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": FUNCTION % ("a", 3)})
    commit(repo, {"f": FUNCTION % ("a", 4)}, "fa: use 4")
    other = new_repo(tmp_path / "o", {"f": "#include <x.h>\n" * 7 + FUNCTION % ("a", 4)})
    assert last(repo, other).pick().already


def test_the_same_content_in_another_place_of_the_file(tmp_path: Path) -> None:
    """With the base at hand the 3-way result alone counts."""
    repo = new_repo(tmp_path / "r", {"f": lines()})
    commit(repo, {"f": lines((5, "five"))}, "five")
    given = last(repo)
    git(repo, "checkout", "-q", "--detach", "HEAD^")
    commit(repo, {"f": lines((5, "five"), (20, "twenty"))}, "both")
    assert given.pick().already


# -- renames


def test_a_rename_is_not_there_because_its_target_is(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines()})
    git(repo, "mv", "f", "g")
    commit(repo, {}, "move")
    given, native = last(repo), commit_patch(open_repo(repo), open_repo(repo).commit("HEAD"))
    git(repo, "checkout", "-q", "--detach", "HEAD^")
    commit(repo, {"f": None, "g": "something else\n"}, "other")
    for patch in (given.patch(), native):
        (clash,) = given.pick(patch=patch).clashes
        assert clash.reason.startswith("the patch makes g of it, but there is no such file here")
        assert "g exists: if it is the same file" in clash.reason
    assert given.am() is None
    assert given.pick("stable", native).already, "the branch has that very rename"


def test_a_rename_made_before_takes_the_rest_of_the_change(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines()})
    git(repo, "mv", "f", "g")
    commit(repo, {"g": lines((5, "five"))}, "move and change")
    given = last(repo)
    git(repo, "checkout", "-q", "--detach", "HEAD^")
    git(repo, "mv", "f", "g")
    commit(repo, {"g": lines((20, "twenty"))}, "moved before")
    picked = given.pick()
    assert picked.tree.read(b"g") == lines((5, "five"), (20, "twenty")).encode()
    assert picked.changes[0].notes == ("was already renamed from f",)
    git(repo, "checkout", "-q", "--detach", "stable")
    assert given.pick().already


def test_a_rename_of_a_file_that_has_the_content_still_moves_it(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines()})
    git(repo, "mv", "f", "g")
    commit(repo, {"g": lines((5, "five"))}, "move and change")
    given = last(repo)
    git(repo, "checkout", "-q", "--detach", "HEAD^")
    commit(repo, {"f": lines((5, "five"))}, "changed before")
    picked = given.pick()
    assert picked.clean
    assert not picked.already
    assert picked.tree.entry(b"f") is None


def test_two_files_swap_their_names(tmp_path: Path) -> None:
    one, two = lines(), lines(count=50)
    repo = new_repo(tmp_path / "r", {"f": one, "g": two})
    given = plain(
        repo,
        b"diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n"
        b"diff --git a/g b/f\nsimilarity index 100%\nrename from g\nrename to f\n",
    )
    same_as_am(given, "stable")
    picked = given.pick("stable")
    assert picked.tree.read(b"f") == two.encode()
    assert picked.tree.read(b"g") == one.encode()


def test_a_new_file_under_the_old_name(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines()})
    away = b"diff --git a/f b/f2\nsimilarity index 100%\nrename from f\nrename to f2\n"
    fresh = (
        b"diff --git a/f b/f\nnew file mode 100644\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+fresh\n"
    )
    for diff in (away + fresh, fresh + away):
        given = plain(repo, diff)
        same_as_am(given, "stable")
        assert given.pick("stable").tree.read(b"f2") == lines().encode()


def test_a_rename_whose_new_name_is_open_makes_room(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines(), "f2": "in the way\n"})
    given = plain(
        repo,
        b"diff --git a/f b/f\nnew file mode 100644\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+fresh\n"
        b"diff --git a/f b/f2\nsimilarity index 100%\nrename from f\nrename to f2\n",
    )
    picked = given.pick()
    (clash,) = picked.clashes
    assert clash.path == b"f2"
    assert clash.theirs is not None
    assert picked.tree.objects.blob(clash.theirs) == lines().encode()
    assert picked.tree.read(b"f") == b"fresh\n"
    assert given.am() is None


# -- several changes to one path


def test_a_second_section_works_on_what_the_first_one_made(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines()})
    section = (
        b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -%d,3 +%d,3 @@\n line %d\n-%s\n+%s\n line %d\n"
    )
    for second in (
        section % (19, 19, 19, b"line 20", b"twenty", 21),
        section % (2, 2, 2, b"three", b"drei", 4),
    ):
        same_as_am(plain(repo, section % (2, 2, 2, b"line 3", b"three", 4) + second), "stable")
    given = plain(
        repo, section % (2, 2, 2, b"no", b"yes", 4) + section % (19, 19, 19, b"a", b"b", 2)
    )
    (clash,) = given.pick("stable").clashes
    assert (clash.content or b"").count(b"<<<<<<< file\n") == 2


@pytest.mark.parametrize("native", [False, True])
def test_a_file_becomes_a_link(tmp_path: Path, native: bool) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines(), "d/g": "x\n"})
    link(repo / "d/g", "../f")
    commit(repo, {}, "link")
    given = last(repo)
    patch = commit_patch(given.opened, given.opened.commit("HEAD")) if native else given.patch()
    picked = given.pick("stable~1", patch)
    assert picked.clean, picked.clashes
    assert picked.tree.id == given.am("stable~1") == git(repo, "rev-parse", "stable^{tree}")
    assert given.pick("stable", patch).already
    git(repo, "checkout", "-q", "--detach", "stable~1")
    commit(repo, {"d/g": "changed\n"}, "other")
    (clash,) = given.pick(patch=patch).clashes
    assert clash.their_mode == 0o120000


# -- modes and types


def test_a_creation_of_what_is_there_with_another_mode(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": "x\n", "new": "hi\n"})
    diff = b"diff --git a/new b/new\nnew file mode 100755\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+hi\n"
    picked = plain(repo, diff).pick()
    assert picked.clean
    assert not picked.already
    assert picked.tree.mode(b"new") == 0o100755
    assert "existed with mode 100644" in picked.changes[0].notes[0]


def test_a_creation_of_a_link_where_a_file_holds_its_target(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": "x\n", "new": "f"})
    given = plain(
        repo,
        b"diff --git a/new b/new\nnew file mode 120000\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+f\n"
        b"\\ No newline at end of file\n",
    )
    (clash,) = given.pick().clashes
    assert clash.reason == "the patch makes a symbolic link there, and here it is a file"
    assert given.am() is None


def test_a_change_to_a_file_does_not_go_through_a_link(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": "x\n"})
    link(repo / "f", "target")
    commit(repo, {}, "link")
    given = plain(
        repo,
        b"diff --git a/f b/f\nindex 1234567..89abcde 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-target\n"
        b"\\ No newline at end of file\n+other\n\\ No newline at end of file\n",
    )
    (clash,) = given.pick().clashes
    assert "is a symbolic link here" in clash.reason
    assert given.am() is None


def test_a_mode_is_changed_where_the_content_is_there(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines()})
    (repo / "f").chmod(0o755)
    commit(repo, {"f": lines((5, "five"))}, "five, to be run")
    given = last(repo)
    git(repo, "checkout", "-q", "-f", "--detach", "HEAD^")
    commit(repo, {"f": lines((5, "five"))}, "five")
    picked = given.pick()
    assert not picked.already
    assert picked.tree.mode(b"f") == 0o100755


# -- submodules


def _module(old: str | None, new: str | None) -> bytes:
    removed = f"-Subproject commit {old}\n" if old else ""
    added = f"+Subproject commit {new}\n" if new else ""
    head = f"index {(old or '0' * 40)[:7]}..{(new or '0' * 40)[:7]}"
    head += " 160000\n" if old and new else "\n"
    head = ("" if old else "new file mode 160000\n") + head
    head = ("" if new else "deleted file mode 160000\n") + head
    names = f"--- {'a/sub' if old else '/dev/null'}\n+++ {'b/sub' if new else '/dev/null'}\n"
    hunk = f"@@ -{'1' if old else '0,0'} +{'1' if new else '0,0'} @@\n"
    return f"diff --git a/sub b/sub\n{head}{names}{hunk}{removed}{added}".encode()


def _with_module(tmp_path: Path, oid: str) -> Path:
    repo = new_repo(tmp_path / "r", {"f": "x\n"})
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{oid},sub")
    git(repo, "commit", "-q", "-m", "submodule")
    return repo


ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


def test_a_submodule_is_added_moved_and_removed(tmp_path: Path) -> None:
    repo = _with_module(tmp_path, ONE)
    same_as_am(plain(repo, _module(None, ONE)), "stable~1")
    same_as_am(plain(repo, _module(ONE, TWO)), "stable")
    assert plain(repo, _module(ONE, TWO)).pick("stable").tree.oid(b"sub") == TWO
    gone = plain(repo, _module(ONE, None)).pick("stable")
    assert gone.clean
    assert gone.tree.entry(b"sub") is None
    for diff in (_module(None, ONE), _module(TWO, ONE)):
        assert plain(repo, diff).pick("stable").already


@pytest.mark.parametrize(("old", "new"), [(None, TWO), (THREE, TWO), (THREE, None)])
def test_a_submodule_elsewhere_clashes(tmp_path: Path, old: str | None, new: str | None) -> None:
    given = plain(_with_module(tmp_path, ONE), _module(old, new))
    (clash,) = given.pick().clashes
    assert clash.ours == ONE
    assert given.am() is None


# -- binary files


def test_binary_content_goes_only_on_what_it_was_made_from(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"bin": bytes(range(256)) * 3})
    commit(repo, {"bin": b"\0new" * 90}, "b1")
    given = last(repo)
    same_as_am(given, "stable~1")
    other = new_repo(tmp_path / "o", {"bin": b"\0ours" * 50})
    strange = Given(other, given.mail)
    (clash,) = strange.pick().clashes
    assert clash.reason.startswith("is binary")
    assert clash.content is None
    assert strange.am() is None


def test_two_binary_creations_are_not_merged(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": "x\n"})
    commit(repo, {"bin": b"\0theirs" * 20}, "b")
    given = last(repo)
    git(repo, "checkout", "-q", "--detach", "HEAD^")
    commit(repo, {"bin": b"\0ours" * 50}, "ours")
    (clash,) = given.pick().clashes
    assert clash.content is None
    assert "git checkout --ours" in clash.reason


# -- what is missing


def test_a_file_that_is_gone_keeps_its_side_of_the_conflict(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines(), "g": "x\n"})
    commit(repo, {"f": lines((5, "five"))}, "five")
    given = last(repo)
    git(repo, "checkout", "-q", "--detach", "HEAD^")
    commit(repo, {"f": None}, "gone")
    (clash,) = given.pick().clashes
    assert clash.ours is None
    assert clash.theirs == git(repo, "rev-parse", "stable:f")
    assert clash.content == lines((5, "five")).encode()


def test_every_reason_leaves_its_path_to_who_prints_it(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"some-file": lines()})
    given = plain(
        repo,
        b"diff --git a/some-file b/some-file\n--- a/some-file\n+++ b/some-file\n@@ -1,3 +1,3 @@\n a\n"
        b"-b\n+c\n d\n",
    )
    (clash,) = given.pick().clashes
    assert "some-file" not in clash.reason
    assert clash.reason.startswith("line 1, hunk 1: does not fit")


def test_how_says_the_least_safe_way(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines()})
    commit(repo, {"f": lines((5, "five"))}, "five")
    assert last(repo).pick("stable~1").how is How.EXACT


@pytest.mark.parametrize("changed", [False, True])
def test_a_copy_of_what_the_branch_has_changed_says_so(tmp_path: Path, changed: bool) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines()})
    branch_with(repo, "topic", "stable", ("copy it", {"g": lines((20, "twenty"))}))
    given = Given(repo, mbox(repo, "stable..topic", "-C", "-C", "--find-copies-harder"))
    if changed:
        commit(repo, {"f": lines((5, "five"))}, "a version of its own")
    picked = given.pick()
    assert (
        picked.tree.read(b"g")
        == lines((20, "twenty"), *([(5, "five")] if changed else [])).encode()
    )
    (change,) = picked.changes
    assert ("is a copy of f as it is here" in " ".join(change.notes)) == changed


def test_a_file_without_a_place_is_open_and_not_done(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"g": lines()})
    branch_with(repo, "topic", "stable", ("both", {"g": lines((5, "five")), "a": "made\n"}))
    given = Given(repo, mbox(repo, "stable..topic"))
    commit(repo, {"a/x": "x\n"}, "a folder")
    picked = given.pick()
    assert [clash.path for clash in picked.clashes] == [b"a"]
    assert [change.path for change in picked.changes] == [b"g"]


@pytest.mark.parametrize("old", [b"a/f", b"/dev/null"])
def test_a_plain_diff_fills_an_empty_file(tmp_path: Path, old: bytes) -> None:
    """Whether it makes the file or changes an empty one it does not say, and patch(1) takes both."""
    repo = new_repo(tmp_path / "r", {"f": b"", "g": b"g\n"})
    (repo / "f").chmod(0o755)
    commit(repo, {}, "executable")
    picked = plain(repo, b"--- " + old + b"\n+++ b/f\n@@ -0,0 +1 @@\n+one\n").pick()
    assert picked.clean and picked.how is How.EXACT
    entry = picked.tree.entry(b"f")
    assert entry is not None and entry.mode == 0o100755
    assert not plain(repo, b"--- /dev/null\n+++ b/g\n@@ -0,0 +1 @@\n+one\n").pick().clean


@pytest.mark.parametrize("how", ["rename", "mode"])
def test_a_binary_file_that_the_branch_has_changed_gets_another_name_or_mode(
    tmp_path: Path, how: str
) -> None:
    """Nothing of its content is asked for."""
    repo = new_repo(tmp_path / "r", {"a.bin": b"\0one" * 30, "g": "g\n"})
    git(repo, "checkout", "-q", "-b", "topic")
    if how == "rename":
        git(repo, "mv", "a.bin", "b.bin")
    else:
        (repo / "a.bin").chmod(0o755)
    made = commit(repo, {}, how)
    git(repo, "checkout", "-q", "stable")
    commit(repo, {"a.bin": b"\0one" * 29 + b"\0two"}, "the branch's own")
    opened = open_repo(repo)
    picked = pick_patch(
        opened.objects,
        opened.tree(opened.commit("stable")),
        commit_patch(opened, opened.commit(made)),
    )
    assert picked.clean, picked.clashes
    git(repo, "cherry-pick", made)
    assert picked.tree.id == git(repo, "rev-parse", "HEAD^{tree}")
