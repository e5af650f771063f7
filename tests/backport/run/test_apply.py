# SPDX-License-Identifier: GPL-2.0-or-later
"""``backport apply``: the same trees as git's own tools, and nothing touched when it cannot."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from backport.gateway import worktrees
from backport.gateway.branch import BranchMove
from backport.gateway.repository import Repo
from tests.backport.trees import (
    backport,
    branch_with,
    commit,
    git,
    lines,
    mails,
    mbox,
    new_repo,
    refs,
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``stable`` with two files, ``topic`` four commits ahead of it."""
    made = new_repo(tmp_path / "repo", {"a.c": lines(), "dir/b.c": lines(count=12)})
    branch_with(
        made,
        "topic",
        "stable",
        ("one: first change", {"a.c": lines((5, "five"))}),
        ("two: new file", {"new.h": "#define NEW 1\n"}),
        ("three: near the first", {"a.c": lines((5, "five"), (6, "six"))}),
        ("four: elsewhere", {"dir/b.c": lines((2, "zwei"), count=12), "new.h": None}),
    )
    return made


def tree(repo: Path, name: str) -> str:
    return git(repo, "rev-parse", f"{name}^{{tree}}")


@pytest.mark.parametrize("seed", range(4))
def test_a_shuffled_mailbox_yields_the_tree_it_came_from(
    repo: Path, tmp_path: Path, seed: int
) -> None:
    shuffled = mails(mbox(repo, "stable..topic"))
    random.Random(seed).shuffle(shuffled)
    box = tmp_path / "series.mbox"
    box.write_bytes(b"\n\n".join(mail.rstrip(b"\n") for mail in shuffled) + b"\n")
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box))
    assert done.exit_code == 0, done.output
    assert tree(repo, "stable") == tree(repo, "topic")
    assert git(repo, "log", "--format=%s", "stable", "-4").split("\n") == [
        "four: elsewhere",
        "three: near the first",
        "two: new file",
        "one: first change",
    ]


def test_author_date_and_message_are_git_ams(repo: Path, tmp_path: Path) -> None:
    box = tmp_path / "series.mbox"
    box.write_bytes(mbox(repo, "stable..topic"))
    git(repo, "checkout", "-q", "-b", "by-am", "stable")
    git(repo, "am", "-q", str(box))
    git(repo, "checkout", "-q", "stable")
    assert backport(repo, "apply", "--branch", "stable", "--series", str(box)).exit_code == 0
    form = "--format=%an|%ae|%ad|%B|%T"
    assert git(repo, "log", form, "stable", "-4") == git(repo, "log", form, "by-am", "-4")


def test_a_range_is_taken_as_it_stands(repo: Path) -> None:
    done = backport(
        repo, "apply", "--branch", "stable", "--series", "stable..topic", "--to", "result"
    )
    assert done.exit_code == 0, done.output
    assert tree(repo, "result") == tree(repo, "topic")
    assert "nothing was proven" in done.output
    assert git(repo, "rev-parse", "stable") != git(repo, "rev-parse", "result")


def test_the_checked_out_branch_moves_with_its_files_and_a_reflog_entry(repo: Path) -> None:
    assert backport(repo, "apply", "--branch", "stable", "--series", "stable..topic").exit_code == 0
    assert (repo / "a.c").read_text() == lines((5, "five"), (6, "six"))
    assert git(repo, "status", "--porcelain") == ""
    assert "backport: 4 patches" in git(repo, "reflog", "-1", "stable")


def test_a_merge_is_made_against_the_blob_that_the_patch_names(repo: Path) -> None:
    commit(repo, {"a.c": lines((25, "stable's own"))}, "stable: its own change")
    done = backport(
        repo, "apply", "--branch", "stable", "--series", "topic~4..topic", "--json", "-"
    )
    assert done.exit_code == 0, done.output
    steps = json.loads(done.stdout)["steps"]
    assert [step["how"] for step in steps] == ["merged", "exact", "merged", "exact"]
    assert "stable's own" in git(repo, "show", "stable:a.c")


def test_plain_diffs_go_on_by_context_and_say_where(repo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "patches"
    folder.mkdir()
    diff = git(repo, "diff", "topic~4", "topic~3")
    bare = "\n".join(line for line in diff.split("\n") if not line.startswith("index "))
    (folder / "one.patch").write_text(f"From: A <a@b.c>\nSubject: one\n\n{bare}\n")
    commit(repo, {"a.c": "new first line\n" + lines()}, "stable: shift")
    done = backport(repo, "apply", "--branch", "stable", "--series", str(folder), "--json", "-")
    assert done.exit_code == 0, done.output
    step = json.loads(done.stdout)["steps"][0]
    assert step["how"] == "by context"
    assert step["notes"] == ["a.c: hunk 1: 1 line later"]


def test_what_is_there_already_is_recognised(repo: Path, tmp_path: Path) -> None:
    box = tmp_path / "series.mbox"
    box.write_bytes(mbox(repo, "stable..topic"))
    commit(repo, {"z.c": "z\n"}, "stable: something else")
    git(repo, "cherry-pick", "topic~3")
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box), "--json", "-")
    assert done.exit_code == 0, done.output
    steps = json.loads(done.stdout)["steps"]
    assert [step["state"] for step in steps] == ["already", "applied", "applied", "applied"]
    assert "same patch-id" in steps[0]["how"]
    assert git(repo, "diff", "--name-only", "stable", "topic") == "z.c"


def test_content_alone_tells_that_a_patch_is_there(repo: Path, tmp_path: Path) -> None:
    box = tmp_path / "series.mbox"
    box.write_bytes(mbox(repo, "stable..topic~3"))
    commit(repo, {"a.c": lines((5, "five"))}, "under another name")
    before = refs(repo)
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box))
    assert done.exit_code == 0, done.output
    assert "nothing to do" in done.output
    assert refs(repo) == before


def test_provenance_in_xens_style(repo: Path) -> None:
    words = ("apply", "--branch", "stable", "--series", "topic~4..topic~3", "--record", "xen")
    assert backport(repo, *words).exit_code == 0
    message = git(repo, "log", "-1", "--format=%B", "stable")
    assert f"master commit: {git(repo, 'rev-parse', 'topic~3')}" in message
    assert "master date: 2018-01-15 07:06:40 +0000" in message


def test_a_prerequisite_on_upstream_is_named_then_taken(repo: Path, tmp_path: Path) -> None:
    branch_with(
        repo,
        "master",
        "stable",
        ("prep: what is needed", {"a.c": lines((10, "prepared"))}),
        ("unrelated", {"other.c": "x\n"}),
    )
    branch_with(repo, "work", "master", ("use it", {"a.c": lines((10, "prepared"), (11, "used"))}))
    box = tmp_path / "series.mbox"
    box.write_bytes(mbox(repo, "master..work"))
    git(repo, "branch", "-q", "-D", "work")
    before = refs(repo)
    words = ("apply", "--branch", "stable", "--series", str(box), "--upstream", "master")
    refused = backport(repo, *words, "--prerequisites", "stop")
    assert refused.exit_code == 4
    assert "'prep: what is needed' writes 'prepared'" in refused.output
    assert refs(repo) == before
    taken = backport(repo, *words, "--prerequisites", "take")
    assert taken.exit_code == 0, taken.output
    log = git(repo, "log", "--format=%s", "-2", "stable").split("\n")
    assert log == ["use it", "prep: what is needed"]
    wanted = f"(cherry picked from commit {git(repo, 'rev-parse', 'master~1')})"
    assert wanted in git(repo, "log", "-1", "--format=%B", "stable~1")


BAD_BODIES = {
    "leaves the tree": b"--- a/../evil\n+++ b/../evil\n@@ -0,0 +1 @@\n+x\n",
    "absolute": b"diff --git a/a.c b/b.c\nsimilarity index 100%\nrename from a.c\nrename to /etc/x\n",
    "into .git": b"--- /dev/null\n+++ b/.git/hooks/pre-commit\n@@ -0,0 +1 @@\n+x\n",
    "a million lines": b"--- a/a.c\n+++ b/a.c\n@@ -1,1000000 +1,1000000 @@\n line 1\n",
    "cut short": b"--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,3 @@\n line 1\n-line 2\n",
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_hostile_and_broken_patches_are_refused_by_name(
    repo: Path, tmp_path: Path, name: str
) -> None:
    head = b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
    head += b"From: E <e@example.org>\nDate: Mon, 15 Jan 2018 07:06:40 +0000\n"
    head += b"Subject: [PATCH] bad\n\nm\n---\n"
    box = tmp_path / "bad.mbox"
    box.write_bytes(head + BAD_BODIES[name])
    before = refs(repo)
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box))
    assert done.exit_code == 2, done.output
    assert "bad.mbox" in done.output
    assert refs(repo) == before
    assert not (tmp_path / "evil").exists()


def test_a_path_through_a_symbolic_link_is_refused(repo: Path, tmp_path: Path) -> None:
    (repo / "link").symlink_to(tmp_path)
    commit(repo, {}, "a link out of the tree")
    folder = tmp_path / "patches"
    folder.mkdir()
    (folder / "x.patch").write_bytes(
        b"From: A <a@b.c>\nSubject: through the link\n\n--- /dev/null\n+++ b/link/evil\n@@ -0,0 +1 @@\n+x\n"
    )
    done = backport(repo, "apply", "--branch", "stable", "--series", str(folder))
    assert done.exit_code == 2, done.output
    assert "link is a symbolic link here" in done.output
    assert not (tmp_path / "evil").exists()
    assert "no run in progress" in backport(repo, "status").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--branch", "stabel", "--series", "stable..topic"), "'stabel' names no commit"),
        (("--series", "stable..topic"), "no branch given"),
        (("--branch", "stable"), "no series given"),
        (("--branch", "stable", "--series", "nowhere.mbox"), "no such mailbox"),
        (("--branch", "stable", "--series", "topic..topic"), "no commits there"),
        (("--branch", "stable", "--series", "a...b"), "symmetric difference"),
        (
            ("--branch", "stable", "--series", "stable..topic", "--to", "topic"),
            "that branch exists",
        ),
        (
            ("--branch", "stable", "--series", "stable..topic", "--to", "a..b"),
            "not a valid branch name",
        ),
        (
            ("--branch", "stable", "--series", "stable..topic", "--validate", "build"),
            "needs a build command",
        ),
    ],
)
def test_usage_errors_say_what_to_do(repo: Path, words: tuple[str, ...], said: str) -> None:
    before = refs(repo)
    done = backport(repo, "apply", *words)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert refs(repo) == before


def test_a_mailbox_cut_short_is_refused(repo: Path, tmp_path: Path) -> None:
    whole = mails(mbox(repo, "stable..topic"))
    box = tmp_path / "cut.mbox"
    box.write_bytes(b"\n".join(whole[:2]) + b"\n")
    before = refs(repo)
    words = ("apply", "--branch", "stable", "--series", str(box))
    refused = backport(repo, *words)
    assert refused.exit_code == 2
    assert "holds 2 of 4 patches: 3, 4 missing" in refused.output
    assert refs(repo) == before
    assert backport(repo, *words, "--partial").exit_code == 0


def test_a_mailbox_cut_inside_a_patch_names_the_line(repo: Path, tmp_path: Path) -> None:
    data = mbox(repo, "stable..topic")
    box = tmp_path / "cut.mbox"
    box.write_bytes(data[: data.rindex(b"+six") + 2])
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box))
    assert done.exit_code == 2
    assert "cut.mbox:" in done.output


def test_a_dirty_worktree_of_the_target_is_refused(repo: Path) -> None:
    (repo / "a.c").write_text("mine\n")
    done = backport(repo, "apply", "--branch", "stable", "--series", "stable..topic")
    assert done.exit_code == 2
    assert "a.c" in done.output
    assert (repo / "a.c").read_text() == "mine\n"
    assert (
        backport(
            repo, "apply", "--branch", "stable", "--series", "stable..topic", "--to", "n"
        ).exit_code
        == 0
    )


def test_a_bare_repository_will_do(repo: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git(repo, "clone", "-q", "--bare", str(repo), str(bare))
    done = backport(bare, "apply", "--branch", "stable", "--series", "stable..topic")
    assert done.exit_code == 0, done.output
    assert tree(bare, "stable") == tree(bare, "topic")


def test_outside_any_repository(tmp_path: Path) -> None:
    done = backport(tmp_path, "apply", "--branch", "stable", "--series", "a..b")
    assert done.exit_code == 2
    assert "is not in a git repository" in done.output


def test_somebody_else_moves_the_branch_meanwhile(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = worktrees.checked_out

    def moved_under_us(opened: Repo, ref: str) -> object:
        git(repo, "update-ref", "refs/heads/other", "topic~3")
        return genuine(opened, ref)

    git(repo, "branch", "other", "stable")
    monkeypatch.setattr(worktrees, "checked_out", moved_under_us)
    done = backport(repo, "apply", "--branch", "other", "--series", "stable..topic")
    assert done.exit_code == 2, done.output
    assert "has moved since this run began" in done.output
    assert git(repo, "rev-parse", "other") == git(repo, "rev-parse", "topic~3")


def test_a_new_branch_that_somebody_else_makes_meanwhile_is_theirs(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = BranchMove.lock

    def made_under_us(move: BranchMove) -> None:
        if move.now is None:
            git(repo, "update-ref", move.ref, "topic~3")
        genuine(move)

    monkeypatch.setattr(BranchMove, "lock", made_under_us)
    words = ("apply", "--branch", "stable", "--to", "other", "--series", "stable..topic")
    done = backport(repo, *words)
    assert done.exit_code == 2, done.output
    assert "somebody else has created other since this run began" in done.output
    assert git(repo, "rev-parse", "other") == git(repo, "rev-parse", "topic~3")


def test_an_untracked_file_in_the_way_keeps_the_run_and_both_versions(repo: Path) -> None:
    (repo / "new.h").write_text("mine\n")
    before = git(repo, "rev-parse", "stable")
    branch = ("apply", "--branch", "stable", "--series", "stable..topic~2")
    done = backport(repo, *branch)
    assert done.exit_code == 2, done.output
    assert "is in the way" in done.output
    assert git(repo, "rev-parse", "stable") == before
    assert (repo / "new.h").read_text() == "mine\n"
    (repo / "new.h").unlink()
    assert backport(repo, "continue").exit_code == 0
    assert (repo / "new.h").read_text() == "#define NEW 1\n"


def test_a_commit_made_meanwhile_is_left_alone_with_its_files(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = worktrees.checked_out

    def commit_first(opened: Repo, ref: str) -> object:
        if opened.state_dir.joinpath("run/state.json").exists():
            commit(repo, {"users.c": "mine\n"}, "the user's own")
        return genuine(opened, ref)

    monkeypatch.setattr(worktrees, "checked_out", commit_first)
    done = backport(repo, "apply", "--branch", "stable", "--series", "stable..topic")
    assert done.exit_code == 2
    assert "left alone" in done.output
    assert git(repo, "log", "-1", "--format=%s") == "the user's own"
    assert git(repo, "status", "--porcelain") == ""


def test_resolutions_survive_a_later_failure(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"a.c": lines(), "b.c": lines()})
    branch_with(repo, "topic", "stable", ("clash", {"a.c": lines((5, "theirs"))}))
    commit(repo, {"a.c": lines((5, "ours"))}, "ours")
    words = ("apply", "--branch", "stable", "--series", "topic~1..topic", "--validate", "build")
    assert backport(repo, *words, "--build", "no-such-program").exit_code == 3
    (repo / ".git/backport/conflict/a.c").write_text(lines((5, "both")))
    git(repo / ".git/backport/conflict", "add", "a.c")
    assert backport(repo, "continue").exit_code == 125
    assert backport(repo, "continue", "--build", "true").exit_code == 0
    assert "both" in git(repo, "show", "stable:a.c")


def test_json_when_a_run_stops(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"a.c": lines()})
    branch_with(repo, "topic", "stable", ("clash", {"a.c": lines((5, "theirs"))}))
    commit(repo, {"a.c": lines((5, "ours"))}, "ours")
    done = backport(
        repo, "apply", "--branch", "stable", "--series", "topic~1..topic", "--json", "-"
    )
    assert done.exit_code == 3
    document = json.loads(done.stdout)
    assert document["exit_code"] == 3
    assert document["resumable"] is True
    assert document["conflict"][0]["path"] == "a.c"


def test_the_encoding_of_a_commit_is_kept(repo: Path) -> None:
    git(repo, "checkout", "-q", "topic")
    git(repo, "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "--allow-empty", "-m", "x")
    (repo / "u.c").write_text("u\n")
    git(repo, "add", "u.c")
    message = tmp = repo / ".git/message"
    tmp.write_bytes("f\u00fcr\n".encode("latin-1"))
    git(repo, "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "-F", str(message))
    done = backport(
        repo, "apply", "--branch", "stable", "--series", "topic~1..topic", "--to", "new"
    )
    assert done.exit_code == 0, done.output
    assert git(repo, "log", "-1", "--format=%s", "new") == "f\u00fcr"


def test_the_result_branch_is_made_even_when_all_is_there(repo: Path) -> None:
    git(repo, "branch", "-f", "done", "topic")
    words = (
        "apply",
        "--branch",
        git(repo, "rev-parse", "done"),
        "--series",
        "stable..topic",
        "--to",
        "new",
    )
    assert backport(repo, *words).exit_code == 0
    assert git(repo, "rev-parse", "new") == git(repo, "rev-parse", "topic")


FUZZED = """From: A <a@b.c>
Subject: one

--- a/a.c
+++ b/a.c
@@ -{at},7 +{at},7 @@
 {before}
 {1}
 {2}
-{3}
+changed
 {4}
 {5}
 {6}
"""


def test_a_stop_says_that_context_is_all_that_differs(repo: Path, tmp_path: Path) -> None:
    text = git(repo, "show", "stable:a.c").splitlines()
    box = tmp_path / "one.patch"
    box.write_text(FUZZED.format(*text[3:10], at=4, before="another line"))
    words = ("apply", "--branch", "stable", "--series", str(box), "--validate", "none")
    stopped = backport(repo, *words)
    assert stopped.exit_code == 3
    assert "one line of context is all that differs: --fuzz 1 takes it" in " ".join(
        stopped.output.split()
    )
    backport(repo, "abort")
    done = backport(repo, *words, "--fuzz", "1", "--json", "-")
    assert done.exit_code == 0, done.output
    (step,) = json.loads(done.stdout)["steps"]
    assert step["how"] == "with fuzz"
    assert step["notes"] == [f"a.c: fuzz 1: line 4 is '{text[3]}', the patch has 'another line'"]


def test_a_binary_file_without_data_is_left_when_that_is_allowed(
    repo: Path, tmp_path: Path
) -> None:
    (repo / "bin").write_bytes(b"\0one")
    commit(repo, {}, "a binary file")
    box = tmp_path / "one.patch"
    box.write_text(
        "From: A <a@b.c>\nSubject: one\n\ndiff --git a/bin b/bin\nindex 1111111..2222222 100644\n"
        "Binary files a/bin and b/bin differ\n" + git(repo, "diff", "topic~4", "topic~3") + "\n"
    )
    words = ("apply", "--branch", "stable", "--series", str(box), "--validate", "none")
    stopped = backport(repo, *words)
    assert stopped.exit_code == 3
    assert "--allow binary-stub leaves it as it is" in " ".join(stopped.output.split())
    backport(repo, "abort")
    done = backport(repo, *words, "--allow", "binary-stub", "--json", "-")
    assert done.exit_code == 0, done.output
    (step,) = json.loads(done.stdout)["steps"]
    assert "bin: left unchanged: the patch has no data for this binary file" in step["notes"]


def test_a_hunk_without_context_that_moved_says_where(repo: Path, tmp_path: Path) -> None:
    text = git(repo, "show", "stable:a.c").splitlines()
    box = tmp_path / "one.patch"
    box.write_text(
        "From: A <a@b.c>\nSubject: one\n\n--- a/a.c\n+++ b/a.c\n@@ -3 +3 @@\n"
        f"-{text[5]}\n+changed\n"
    )
    stopped = backport(repo, "apply", "--branch", "stable", "--series", str(box))
    assert stopped.exit_code == 3
    words = "a hunk without context fits in one other place, at line 6: --fuzz 1 takes it"
    assert words in " ".join(stopped.output.split())
