# SPDX-License-Identifier: GPL-2.0-or-later
"""A patch that does not go on: laid out, resolved, skipped, aborted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from backport.errors import Conflict
from backport.run import conflict
from tests.backport.trees import (
    Files,
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


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``topic``'s second of three commits clashes with ``stable``."""
    made = two_files(
        tmp_path / "repo",
        ("one", {"b.c": lines((3, "drei"))}),
        ("two: clashes", {"a.c": lines((5, "theirs")), "b.c": lines((3, "drei"), (20, "zwanzig"))}),
        ("three", {"b.c": lines((3, "drei"), (20, "zwanzig"), (29, "neunundzwanzig"))}),
    )
    commit(made, {"a.c": lines((5, "ours"))}, "stable: the same line")
    return made


def stop(repo: Path, *more: str) -> str:
    words = ("apply", "--branch", "stable", "--series", "topic~3..topic", *more)
    done = backport(repo, *words)
    assert done.exit_code == 3, done.output
    return done.output


def worktree(repo: Path) -> Path:
    return repo / ".git/backport/conflict"


def test_the_conflict_is_laid_out_with_diff3_markers_and_stages(repo: Path) -> None:
    before = refs(repo)
    said = stop(repo)
    assert "patch 2 of 3" in said
    assert "a.c: both sides changed the same lines" in said
    text = (worktree(repo) / "a.c").read_text()
    assert "<<<<<<< stable\nours\n||||||| what" in text
    assert "\nline 5\n=======\ntheirs\n>>>>>>> " in text
    stages = git(worktree(repo), "ls-files", "-u", "--format=%(stage) %(path)")
    assert stages.split("\n") == ["1 a.c", "2 a.c", "3 a.c"]
    assert "zwanzig" in git(worktree(repo), "show", ":b.c"), "what fits is staged"
    ours = [line for line in refs(repo).split("\n") if "refs/backport/" not in line]
    assert "\n".join(ours) == before


def test_status_names_what_is_left(repo: Path) -> None:
    stop(repo)
    assert "unresolved  a.c: both sides" in backport(repo, "status").output
    (worktree(repo) / "a.c").write_text(lines((5, "both")))
    git(worktree(repo), "add", "a.c")
    assert "resolved    a.c" in backport(repo, "status").output
    state = json.loads(backport(repo, "status", "--json", "-").stdout)
    assert state["phase"] == "stopped"
    assert state["conflict"] == [{"path": "a.c", "reason": "both sides changed the same lines"}]


def test_continue_takes_the_resolution_under_the_patchs_name(repo: Path) -> None:
    stop(repo)
    (worktree(repo) / "a.c").write_text(lines((5, "both")))
    git(worktree(repo), "add", "a.c")
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    assert git(repo, "show", "stable:a.c") + "\n" == lines((5, "both"))
    assert git(repo, "log", "-3", "--format=%s", "stable") == "three\ntwo: clashes\none"
    assert not worktree(repo).exists()
    assert "conflict" not in git(repo, "worktree", "list")
    assert "no run in progress" in backport(repo, "status").output


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda tree: None, "still unresolved: a.c"),
        (lambda tree: git(tree, "add", "a.c"), "conflict markers remain in a.c"),
        (
            lambda tree: (
                (git(tree, "checkout", "--ours", "a.c"), git(tree, "add", "a.c"))
                and (tree / "b.c").write_text("forgotten\n")
            ),
            "changed but not added: b.c",
        ),
    ],
)
def test_continue_refuses_half_a_resolution(repo: Path, make: object, said: str) -> None:
    stop(repo)
    assert callable(make)
    make(worktree(repo))
    done = backport(repo, "continue")
    assert done.exit_code == 3
    assert said in done.output
    assert backport(repo, "abort").exit_code == 0


def test_skip_leaves_the_patch_out_and_meets_what_needed_it(repo: Path) -> None:
    stop(repo)
    done = backport(repo, "skip", "--json", "-")
    assert done.exit_code == 0, done.output
    states = [step["state"] for step in json.loads(done.stdout)["steps"]]
    assert states == ["applied", "skipped", "applied"]
    assert "\nzwanzig\n" not in git(repo, "show", "stable:b.c")


def test_abort_leaves_everything_as_it_was(repo: Path) -> None:
    before = refs(repo)
    stop(repo)
    assert "aborted; stable is unchanged at" in backport(repo, "abort").output
    assert refs(repo) == before
    assert not worktree(repo).exists()
    assert "conflict" not in git(repo, "worktree", "list")


def test_a_run_to_a_new_branch_is_told_of_as_that(repo: Path) -> None:
    words = ("apply", "--branch", "stable", "--to", "fresh", "--series", "topic~3..topic")
    assert backport(repo, *words).exit_code == 3
    assert "fresh, to be created from stable: 1 of 3 patches" in backport(repo, "status").output
    assert "aborted; fresh was not created" in backport(repo, "abort").output
    assert "fresh" not in git(repo, "branch", "--list")


def test_a_second_run_refuses_politely(repo: Path) -> None:
    stop(repo)
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic~3..topic")
    assert done.exit_code == 2
    assert "a run onto stable stopped on a conflict (1 of 3 patches)" in done.output


def test_the_worktree_was_deleted_by_hand(repo: Path) -> None:
    import shutil

    stop(repo)
    shutil.rmtree(worktree(repo))
    said = backport(repo, "status").output
    assert "is gone:\n  `backport skip`" in said
    assert "resolved" not in said
    done = backport(repo, "continue")
    assert done.exit_code == 3
    assert "is gone" in done.output
    assert backport(repo, "skip").exit_code == 0


def test_a_file_that_is_not_there_is_laid_out_as_hunks(repo: Path) -> None:
    git(repo, "rm", "-q", "a.c")
    git(repo, "commit", "-q", "-m", "stable: gone")
    said = stop(repo)
    assert "there is no such file here" in said
    assert backport(repo, "skip").exit_code == 0


def carried(repo: Path, code: int, said: str = "") -> None:
    done = backport(repo, "continue")
    assert done.exit_code == code, done.output
    assert said in done.output.replace("\n", " ")


@pytest.mark.parametrize(
    "drop", [("|||||||", "======="), ("<<<<<<<",), ("<<<<<<<", "|||||||", ">>>>>>>")]
)
def test_no_part_of_a_marker_is_left(repo: Path, drop: tuple[str, ...]) -> None:
    stop(repo)
    file = worktree(repo) / "a.c"
    left = [x for x in file.read_text().splitlines(keepends=True) if not x.startswith(drop)]
    file.write_text("".join(left))
    git(worktree(repo), "add", "a.c")
    carried(repo, 3, "conflict markers remain in a.c")


def test_markers_that_the_branch_or_the_patch_hold_are_content(tmp_path: Path) -> None:
    before = "<<<<<<< mine\n" + lines()
    made = new_repo(tmp_path / "repo", {"doc": before})
    change = lines((5, "theirs"), (20, "Heading\n======="))
    branch_with(made, "topic", "stable", ("doc", {"doc": "<<<<<<< mine\n" + change}))
    commit(made, {"doc": "<<<<<<< mine\n" + lines((5, "ours"))}, "ours")
    assert backport(made, "apply", "--branch", "stable", "--series", "stable..topic").exit_code == 3
    (worktree(made) / "doc").write_text("<<<<<<< mine\n" + change)
    git(worktree(made), "add", "doc")
    carried(made, 0)


def test_a_file_made_and_not_added_is_not_lost(repo: Path) -> None:
    stop(repo)
    (worktree(repo) / "a.c").write_text(lines((5, "both")))
    git(worktree(repo), "add", "a.c")
    (worktree(repo) / "helper.h").write_text("int x;\n")
    carried(repo, 3, "created but not added: helper.h")
    assert (worktree(repo) / "helper.h").is_file()
    exclude = repo / ".git/info/exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text("helper.h\n")
    carried(repo, 0)


def test_a_commit_of_the_users_own_gives_its_tree_and_not_its_message(repo: Path) -> None:
    stop(repo)
    (worktree(repo) / "a.c").write_text(lines((5, "both")))
    git(worktree(repo), "commit", "-q", "-a", "-m", "my words", "--author", "Me <me@me>")
    carried(repo, 0, "keeps its own author and message")
    assert git(repo, "log", "-1", "--skip=1", "--format=%an %s", "stable") == (
        "A Maintainer two: clashes"
    )
    assert git(repo, "show", "stable:a.c") + "\n" == lines((5, "both"))


def test_a_worktree_that_was_moved_elsewhere_is_refused(repo: Path) -> None:
    stop(repo)
    (worktree(repo) / "a.c").write_text(lines((5, "both")))
    git(worktree(repo), "commit", "-q", "-a", "-m", "one")
    git(worktree(repo), "commit", "-q", "--allow-empty", "-m", "two")
    carried(repo, 3, "is not one commit on")
    git(worktree(repo), "reset", "-q", "--soft", "HEAD~2")
    carried(repo, 0)
    assert git(repo, "show", "stable:a.c") + "\n" == lines((5, "both"))


def test_a_deletion_against_a_change_is_laid_out_as_git_does(repo: Path) -> None:
    branch_with(repo, "gone", "stable~1", ("no a.c", {"a.c": None}))
    done = backport(repo, "apply", "--branch", "stable", "--series", "gone~1..gone")
    assert done.exit_code == 3
    assert git(worktree(repo), "status", "--porcelain") == "UD a.c"
    git(worktree(repo), "rm", "-q", "a.c")
    carried(repo, 0)
    assert git(repo, "ls-tree", "--name-only", "stable") == "b.c"


def test_a_change_against_a_deletion_has_something_to_resolve(repo: Path) -> None:
    git(repo, "rm", "-q", "a.c")
    git(repo, "commit", "-q", "-m", "stable: gone")
    stop(repo)
    assert git(worktree(repo), "status", "--porcelain", "a.c") == "DU a.c"
    assert (worktree(repo) / "a.c").read_text() == lines((5, "theirs"))


def test_markers_in_a_file_with_crlf_say_whose_they_are(tmp_path: Path) -> None:
    dos = lines().replace("\n", "\r\n")
    made = new_repo(tmp_path / "repo", {"c": dos})
    branch_with(made, "topic", "stable", ("c", {"c": dos.replace("line 5\r", "theirs\r")}))
    commit(made, {"c": dos.replace("line 5\r", "ours\r")}, "ours")
    assert backport(made, "apply", "--branch", "stable", "--series", "stable..topic").exit_code == 3
    text = (worktree(made) / "c").read_bytes()
    assert b"<<<<<<< stable\r\nours\r\n||||||| what" in text
    git(worktree(made), "add", "c")
    carried(made, 3, "conflict markers remain in c")


def test_a_binary_conflict_leaves_both_sides_to_choose_from(tmp_path: Path) -> None:
    ours, theirs = b"\0ours" * 60, b"\0theirs" * 60
    made = new_repo(tmp_path / "repo", {"f": "x\n"})
    branch_with(made, "topic", "stable", ("bin", {"bin": theirs}))
    commit(made, {"bin": ours}, "ours")
    done = backport(made, "apply", "--branch", "stable", "--series", "stable..topic")
    assert done.exit_code == 3
    assert "git checkout --ours" in done.output
    assert (worktree(made) / "bin").read_bytes() == ours
    git(worktree(made), "checkout", "--theirs", "bin")
    assert (worktree(made) / "bin").read_bytes() == theirs
    git(worktree(made), "add", "bin")
    carried(made, 0)


def test_a_name_in_no_encoding_is_shown_with_escapes(tmp_path: Path) -> None:
    made = new_repo(tmp_path / "repo", {os.fsdecode(b"\xe4.c"): lines()})
    branch_with(made, "topic", "stable", ("c", {os.fsdecode(b"\xe4.c"): lines((5, "theirs"))}))
    commit(made, {os.fsdecode(b"\xe4.c"): lines((5, "ours"))}, "ours")
    assert backport(made, "apply", "--branch", "stable", "--series", "stable..topic").exit_code == 3
    assert r"unresolved  \xe4.c: both sides" in backport(made, "status").output
    carried(made, 3, r"still unresolved: \xe4.c")
    git(worktree(made), "add", "-A")
    carried(made, 3, r"conflict markers remain in \xe4.c")


@pytest.mark.parametrize("verb", ["continue", "skip", "abort"])
def test_without_a_run_there_is_nothing_to_do(repo: Path, verb: str) -> None:
    done = backport(repo, verb)
    assert done.exit_code == 2
    assert "no run in progress" in done.output


def test_a_journal_of_another_version_is_not_read(repo: Path) -> None:
    stop(repo)
    state = repo / ".git/backport/run/state.json"
    state.write_text(state.read_text().replace('"version": 4', '"version": 99'))
    done = backport(repo, "continue")
    assert done.exit_code == 2
    assert "another version" in done.output
    state.write_text("{")
    assert "is damaged" in backport(repo, "continue").output
    assert backport(repo, "abort").exit_code == 0


def test_a_journal_of_the_first_version_is_read(repo: Path) -> None:
    """It knows nothing of newer branches: the run goes on without."""
    stop(repo)
    state = repo / ".git/backport/run/state.json"
    old = json.loads(state.read_text())
    del old["siblings"], old["settings"]["sibling"]
    state.write_text(json.dumps({**old, "version": 1}))
    done = backport(repo, "skip")
    assert done.exit_code == 0, done.output


def test_a_submodule_is_taken_from_a_patch(repo: Path, tmp_path: Path) -> None:
    oid = "1" * 40
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "sub.patch").write_text(
        "From: A <a@b>\nSubject: submodule\nDate: Thu, 1 Jan 2015 00:00:00 +0000\n\n"
        f"diff --git a/sub b/sub\nnew file mode 160000\nindex 0000000..{oid[:7]}\n"
        f"--- /dev/null\n+++ b/sub\n@@ -0,0 +1 @@\n+Subproject commit {oid}\n"
    )
    done = backport(repo, "apply", "--branch", "stable", "--series", str(folder))
    assert done.exit_code == 0, done.output
    assert git(repo, "ls-tree", "stable", "sub") == f"160000 commit {oid}\tsub"


@pytest.mark.parametrize(
    ("diff", "status"),
    [
        (
            "diff --git a/none b/none\nindex 1234567..89abcde 100644\n"
            "Binary files a/none and b/none differ\n",
            "DD",
        ),
        ("diff --git a/none b/none\nold mode 100644\nnew mode 100755\n", "DD"),
        (
            "diff --git a/b.c b/b.c\nindex 1234567..89abcde 100644\n"
            "Binary files a/b.c and b/b.c differ\n",
            "AU",
        ),
        (
            "diff --git a/b.c b/b.c\nnew file mode 120000\n--- /dev/null\n+++ b/b.c\n@@ -0,0 +1 @@\n+a.c\n"
            "\\ No newline at end of file\n",
            "AA",
        ),
        (
            f"diff --git a/b.c b/b.c\nnew file mode 160000\n--- /dev/null\n+++ b/b.c\n@@ -0,0 +1 @@\n"
            f"+Subproject commit {'1' * 40}\n",
            "AA",
        ),
        (
            f"diff --git a/b.c b/b.c\nindex 1111111..2222222 160000\n--- a/b.c\n+++ b/b.c\n@@ -1 +1 @@\n"
            f"-Subproject commit {'1' * 40}\n+Subproject commit {'2' * 40}\n",
            "UU",
        ),
    ],
)
def test_whatever_clashes_is_unresolved_until_it_is_settled(
    repo: Path, tmp_path: Path, diff: str, status: str
) -> None:
    mail = "From: A <a@b>\nSubject: odd\nDate: Thu, 1 Jan 2015 00:00:00 +0000\n\nx\n---\n"
    (tmp_path / "odd.patch").write_text(mail + diff)
    words = ("apply", "--branch", "stable", "--series", str(tmp_path / "odd.patch"))
    assert backport(repo, *words).exit_code == 3
    path = "none" if status == "DD" else "b.c"
    assert git(worktree(repo), "status", "--porcelain") == f"{status} {path}"
    carried(repo, 3, f"still unresolved: {path}")
    if status == "DD":
        git(worktree(repo), "rm", "-q", path)
    else:
        git(worktree(repo), "checkout", "--ours", "b.c")
        git(worktree(repo), "add", "b.c")
    done = backport(repo, "continue", "--json", "-")
    assert [step["state"] for step in json.loads(done.stdout)["steps"]] == ["skipped"]


def test_a_submodule_that_clashes_is_settled_by_its_id(repo: Path, tmp_path: Path) -> None:
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'3' * 40},sub")
    git(repo, "commit", "-q", "-m", "sub")
    (repo / "sub").mkdir()
    mail = "From: A <a@b>\nSubject: sub\nDate: Thu, 1 Jan 2015 00:00:00 +0000\n\nx\n---\n"
    (tmp_path / "sub.patch").write_text(
        f"{mail}diff --git a/sub b/sub\nindex 1111111..2222222 160000\n--- a/sub\n+++ b/sub\n"
        f"@@ -1 +1 @@\n-Subproject commit {'1' * 40}\n+Subproject commit {'2' * 40}\n"
    )
    words = ("--branch", "stable", "--series", str(tmp_path / "sub.patch"))
    done = backport(repo, "apply", *words, "--to", "out")
    assert done.exit_code == 3
    assert "--cacheinfo 160000,<commit>,sub" in done.output
    git(worktree(repo), "update-index", "--cacheinfo", f"160000,{'2' * 40},sub")
    carried(repo, 0)
    assert git(repo, "rev-parse", "out:sub") == "2" * 40


@pytest.mark.parametrize("name", [b"out/file", b"out/deep/er/file"])
def test_nothing_is_laid_out_behind_a_link_that_leads_out(tmp_path: Path, name: bytes) -> None:
    folder, outside = tmp_path / "conflict", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "file").write_text("the user's own\n")
    (folder / "out").symlink_to(outside)
    with pytest.raises(Conflict, match="reached through a symbolic link that leaves the worktree"):
        conflict._write_file(folder, name, b"<<<<<<< hostile\n", 0o100644)
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "the user's own\n"
    conflict._write_file(folder, b"deep/er/file", b"inside\n", 0o100755)
    assert os.access(folder / "deep/er/file", os.X_OK)


RENAME: Files = {"old.c": None, "new.c": lines((5, "five"))}


@pytest.mark.parametrize("form", ["range", "mailbox"])
@pytest.mark.parametrize(
    ("here", "left", "wanted"),
    [
        ({"old.c": lines((5, "cinq"))}, "", {"new.c", "h"}),
        ({"new.c": "another\n"}, "", {"new.c", "h"}),
        ({"new.c": "another\n", "old.c": lines((5, "cinq"))}, "old.c", {"new.c", "old.c", "h"}),
    ],
    ids=["lines", "the name", "both"],
)
def test_a_rename_in_conflict_leaves_nothing_under_the_old_name(
    tmp_path: Path, here: Files, left: str, wanted: set[str], form: str
) -> None:
    """As git does it; where the new name is another file's and the lines clash, too, it is said."""
    repo = new_repo(tmp_path / "repo", {"old.c": lines(), "h": "h\n"})
    branch_with(repo, "topic", "stable", ("rename it", RENAME))
    box = tmp_path / "box"
    box.write_bytes(mbox(repo, "stable..topic"))
    commit(repo, here, "a version of its own")
    series = "topic" if form == "range" else str(box)
    done = backport(repo, "apply", "--branch", "stable", "--series", series)
    assert done.exit_code == 3, done.output
    assert not left or f"{left} is left as it was" in " ".join(done.output.split())
    folder = repo / ".git/backport/conflict"
    assert (folder / "old.c").exists() == bool(left)
    (folder / "new.c").write_text(lines((5, "both")))
    git(folder, "add", "new.c")
    assert backport(repo, "continue").exit_code == 0
    assert set(git(repo, "ls-tree", "-r", "--name-only", "stable").split()) == wanted


@pytest.mark.parametrize(("before", "after"), [("-x", "+x"), ("+x", "-x")])
def test_a_mode_that_the_patch_changes_is_in_the_conflict(
    tmp_path: Path, before: str, after: str
) -> None:
    """Of a file whose lines clash, too; the branch keeps its own where the patch changes none."""
    repo = new_repo(tmp_path / "repo", {"f": lines(), "g": lines()})
    git(repo, "update-index", f"--chmod={before}", "f", "g")
    git(repo, "commit", "-q", "--allow-empty", "-m", "modes")
    git(repo, "checkout", "-q", "-f", "-b", "topic")
    for name in ("f", "g"):
        (repo / name).write_text(lines((5, "five")))
    (repo / "f").chmod(0o755 if after == "+x" else 0o644)
    git(repo, "commit", "-q", "-a", "-m", "five")
    git(repo, "checkout", "-q", "stable")
    for name in ("f", "g"):
        (repo / name).write_text(lines((5, "cinq")))
    (repo / "g").chmod(0o755 if after == "+x" else 0o644)
    git(repo, "commit", "-q", "-a", "-m", "a version of its own")
    assert backport(repo, "apply", "--branch", "stable", "--series", "topic").exit_code == 3
    folder = worktree(repo)
    for name in ("f", "g"):
        (folder / name).write_text(lines((5, "both")))
    git(folder, "add", "f", "g")
    assert backport(repo, "continue").exit_code == 0
    wanted = "100755" if after == "+x" else "100644"
    assert [x.split()[0] for x in git(repo, "ls-tree", "stable").splitlines()] == [wanted] * 2


def test_a_rename_of_what_is_not_here_is_open_under_the_new_name(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"old.c": lines(), "h": "h\n"})
    branch_with(repo, "topic", "stable", ("rename it", RENAME))
    commit(repo, {"old.c": None}, "not for us")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic")
    assert done.exit_code == 3
    assert "laid out as new.c" in done.output
    git(worktree(repo), "add", "new.c")
    assert backport(repo, "continue").exit_code == 0
    assert git(repo, "show", "stable:new.c") + "\n" == RENAME["new.c"]
    assert git(repo, "ls-tree", "--name-only", "stable").split() == ["h", "new.c"]


def test_a_rename_of_what_has_another_name_here_names_both(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"old.c": lines(), "h": "h\n"})
    branch_with(repo, "topic", "stable", ("rename it", RENAME))
    commit(repo, {"old.c": None, "ours.c": lines()}, "a name of our own")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic")
    assert done.exit_code == 3
    said = " ".join(done.output.split())
    assert "it is ours.c here, 100% alike: one of the two names has to go" in said
    assert "laid out as new.c" in said
