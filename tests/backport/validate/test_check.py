# SPDX-License-Identifier: GPL-2.0-or-later
"""``backport check`` and the hook: what is staged, before it is a commit."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backport.cli import app
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo

GOOD = "--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,3 @@\n line 1\n-line 2\n+zwei\n line 3\n"
SECOND = "--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,3 @@\n line 1\n-zwei\n+two\n line 3\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return new_repo(tmp_path / "repo", {"a.c": lines(), "README": "hello\n"})


def stage(repo: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    git(repo, "add", "-A")


def test_nothing_relevant(repo: Path) -> None:
    stage(repo, {"README": "changed\n"})
    done = backport(repo, "check")
    assert done.exit_code == 0, done.output


def test_a_first_commit_is_built_like_any_other(repo: Path) -> None:
    git(repo, "checkout", "-q", "--orphan", "first")
    git(repo, "config", "backport.build", "grep -q good a.c")
    for text, code in (("bad\n", 1), ("good\n", 0)):
        stage(repo, {"a.c": text})
        done = backport(repo, "check")
        assert done.exit_code == code, done.output
    assert "build passed" in done.output


@pytest.mark.parametrize("how", ["plain", "split"])
def test_a_file_that_is_only_announced_is_not_in_the_commit(repo: Path, how: str) -> None:
    """``git add -N`` promises a file; the commit has none."""
    git(repo, "config", "backport.build", "cat a.c b.c >all")
    git(repo, "update-index", "--split-index" if how == "split" else "--no-split-index")
    (repo / "a.c").write_text("changed\n")
    (repo / "b.c").write_text("new\n")
    git(repo, "add", "a.c")
    git(repo, "add", "-N", "b.c")
    done = backport(repo, "check")
    assert done.exit_code == 1, done.output
    assert "b.c: No such file" in done.output
    git(repo, "add", "b.c")
    assert backport(repo, "check").exit_code == 0


def test_every_commit_of_a_range_is_checked_merges_too(repo: Path) -> None:
    branch_with(repo, "side", "stable", ("side", {"b": "b\n"}))
    commit(repo, {"c": "c\n"}, "ours")
    git(repo, "merge", "-q", "--no-edit", "side")
    words = ("check", "--range", "stable~1^1..stable", "--keep-going", "--validate", "build")
    done = backport(repo, *words, "--build", "cat a.c >all; ! { test -e b && test -e c; }")
    assert done.exit_code == 1, done.output
    assert "3 of 3 commits checked: 1 failed" in done.output


@pytest.mark.parametrize("broken_before", [True, False])
def test_what_the_first_step_stands_on_is_named_where_it_fails_too(
    repo: Path, broken_before: bool
) -> None:
    if broken_before:
        commit(repo, {"a.c": None}, "a.c is gone")
    branch_with(repo, "topic", "stable", ("one", {"a.c": None, "b": "b\n"}), ("two", {"c": "c\n"}))
    words = ("--branch", "stable", "--series", "stable..topic", "--build", "cat a.c >all")
    done = backport(repo, "apply", *words, "--validate", "build")
    assert done.exit_code == 1, done.output
    assert ("the tree before step 1" in done.output) == broken_before


def test_a_broken_patch_is_named_with_its_line(repo: Path) -> None:
    stage(repo, {"p/one.patch": GOOD.replace("@@ -1,3 +1,3 @@", "@@ -1,9 +1,9 @@")})
    done = backport(repo, "check")
    assert done.exit_code == 1
    assert "p/one.patch" in done.output


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        ("one.patch\ntwo.patch\n", ""),
        ("two.patch\none.patch\n", "two.patch does not apply"),
        ("one.patch\nthree.patch\n", "lists three.patch, which does not exist"),
    ],
)
def test_the_order_of_a_quilt_series(repo: Path, listing: str, said: str) -> None:
    stage(repo, {"p/series": listing, "p/one.patch": GOOD, "p/two.patch": SECOND})
    done = backport(repo, "check")
    assert done.exit_code == (1 if said else 0), done.output
    assert said in done.output


def of_a_file_that_is_not_here(old: int, new: int) -> str:
    """A patch to ``far.c`` from one version to another; its blob ids are all that can speak."""
    header = f"diff --git a/far.c b/far.c\nindex {old:07x}..{new:07x} 100644\n"
    return f"{header}--- a/far.c\n+++ b/far.c\n@@ -1 +1 @@\n-version {old}\n+version {new}\n"


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        (((1, 2), (2, 3), (3, 1), (1, 4)), ""),
        (((2, 3), (1, 2)), "p0.patch starts from the version of far.c that p1.patch makes"),
        (((1, 2), (7, 8)), "p1.patch was not made from what p0.patch leaves of far.c"),
        (((1, 2), (1, 3)), "p0.patch and p1.patch start from the same version of far.c"),
    ],
)
def test_the_order_of_patches_whose_source_is_not_here(
    repo: Path, versions: tuple[tuple[int, int], ...], said: str
) -> None:
    patches = {f"p{n}.patch": of_a_file_that_is_not_here(*pair) for n, pair in enumerate(versions)}
    files = {f"p/{name}": text for name, text in patches.items()}
    stage(repo, {"p/series": "".join(f"{name}\n" for name in patches), **files})
    done = backport(repo, "check")
    assert done.exit_code == (1 if said else 0), done.output
    assert said in done.output


@pytest.mark.parametrize("folder", ["", "arch/"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "p/series: lists {name}, which does not exist"),
        ("nonsense\n", "p/series: no patch in it changes anything"),
        (GOOD, ""),
    ],
)
def test_what_a_quilt_series_lists_is_a_patch_whatever_its_name(
    repo: Path, folder: str, text: str | None, said: str
) -> None:
    """StGit's and quilt's own names have no suffix."""
    name = f"{folder}fix-it"
    stage(repo, {"p/series": f"{name}\n", f"p/{name}": GOOD.replace("zwei", "deux")})
    git(repo, "commit", "-q", "-m", "one patch")
    if text is None:
        git(repo, "rm", "-q", f"p/{name}")
    else:
        stage(repo, {f"p/{name}": text})
    done = backport(repo, "check")
    assert said.format(name=name) in done.output
    assert done.exit_code == int(bool(said)), done.output


@pytest.mark.parametrize("listing", ["one.patch -p0\n", None])
def test_names_in_a_patch_are_as_its_series_says(repo: Path, listing: str | None) -> None:
    """Where none lists it, whoever puts it on says that."""
    commit(repo, {"d/a.c": lines()}, "d")
    svn = GOOD.replace("a/a.c", "d/a.c").replace("b/a.c", "d/a.c")
    listed = {"p/series": listing} if listing else {}
    stage(repo, {**listed, "p/one.patch": f"Index: d/a.c\n{'=' * 67}\n{svn}"})
    done = backport(repo, "check")
    assert done.exit_code == 0, done.output


def test_a_link_is_no_patch(repo: Path) -> None:
    (repo / "p").mkdir()
    for name in ("one.patch", "series"):
        (repo / "p" / name).symlink_to("../a.c")
    git(repo, "add", "-A")
    done = backport(repo, "check")
    assert done.exit_code == 0, done.output


def test_only_what_is_staged_counts(repo: Path) -> None:
    stage(repo, {"p/one.patch": GOOD})
    (repo / "p/one.patch").write_text("garbage\n")
    assert backport(repo, "check").exit_code == 0


def test_the_hook_stops_a_commit_and_lets_a_good_one_through(repo: Path) -> None:
    assert backport(repo, "hook", "install").exit_code == 0
    stage(repo, {"p/one.patch": "--- a/a.c\n+++ b/a.c\n@@ -1,9 +1,9 @@\n x\n"})
    refused = subprocess.run(
        ["git", "commit", "-m", "bad"], cwd=repo, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "one.patch" in refused.stdout + refused.stderr
    stage(repo, {"p/one.patch": GOOD})
    git(repo, "commit", "-q", "-m", "good")
    assert backport(repo, "hook", "uninstall").exit_code == 0
    assert not (repo / ".git/hooks/pre-commit").exists()


def test_a_partial_commit_is_checked_by_its_own_index(repo: Path) -> None:
    assert backport(repo, "hook", "install").exit_code == 0
    stage(repo, {"p/one.patch": "--- a/a.c\n+++ b/a.c\n@@ -1,9 +1,9 @@\n x\n", "README": "new\n"})
    git(repo, "commit", "-q", "-m", "only the readme", "README")
    assert git(repo, "show", "--name-only", "--format=") == "README"


def test_a_hook_may_go_on_to_a_subfolder(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git hands it ``.git/index``, which is meant from the top of the worktree."""
    stage(repo, {"p/one.patch": "--- a/a.c\n+++ b/a.c\n@@ -1,9 +1,9 @@\n x\n"})
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    done = backport(repo / "p", "check")
    assert done.exit_code == 1, done.output
    assert "p/one.patch:3" in done.output


@pytest.mark.parametrize("way", [(), ("--message", "a.c"), ("--pushed", "origin")])
def test_a_hook_of_another_repository(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: tuple[str, ...]
) -> None:
    """``git --git-dir=X commit``, which runs X's hooks in a folder of another repository."""
    monkeypatch.chdir(repo)
    monkeypatch.setenv("GIT_DIR", ".git")
    (repo / "sub").mkdir()
    for folder, named in (
        (repo, way),
        (repo / "sub", tuple(w.replace("a.c", "../a.c") for w in way)),
    ):
        monkeypatch.chdir(folder)
        assert CliRunner().invoke(app, ["check", *named]).exit_code == 0
    other = new_repo(tmp_path / "other", {"a.c": "1\n"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    done = CliRunner().invoke(app, ["check", *way])
    assert done.exit_code == 2
    assert f"GIT_DIR is {other}/.git" in " ".join(done.output.split())
    assert backport(repo, "check").exit_code == 0


def test_a_hook_that_was_there_is_kept_and_runs_first(repo: Path) -> None:
    hook = repo / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    refused = backport(repo, "hook", "install")
    assert refused.exit_code == 2
    assert "was not installed by backport" in refused.output
    assert backport(repo, "hook", "install", "--force").exit_code == 0
    stage(repo, {"README": "x\n"})
    git(repo, "commit", "-q", "-m", "x")
    assert (repo / "ran").exists()
    assert backport(repo, "hook", "uninstall").exit_code == 0
    assert hook.read_text() == "#!/bin/sh\ntouch ran\n"
    assert backport(repo, "hook", "uninstall").exit_code == 2


def test_every_commit_of_a_range(repo: Path) -> None:
    branch_with(
        repo,
        "topic",
        "stable",
        ("good", {"f.c": "int f;\n"}),
        ("bad", {"f.c": "int f\n"}),
        ("good again", {"f.c": "int f;\nint g;\n"}),
    )
    words = (
        "check",
        "--range",
        "stable..topic",
        "--build",
        "cc -c f.c -o f.o",
        "--validate",
        "build",
    )
    stopped = backport(repo, *words)
    assert stopped.exit_code == 1
    assert "2 of 3 commits checked: 1 failed" in stopped.output
    whole = backport(repo, *words, "--keep-going")
    assert whole.exit_code == 1
    assert "3 of 3 commits checked: 1 failed" in whole.output


def test_a_build_failure_that_only_the_incremental_build_has_is_no_failure(repo: Path) -> None:
    # A makefile that forgets a dependency: the stale object fails the build, a clean one does not.
    build = "if [ -e old ] && ! cmp -s old a.c; then exit 1; fi; cp a.c old"
    commit(repo, {".gitignore": "old\n"}, "ignore")
    branch_with(repo, "topic", "stable", ("one", {"a.c": "1\n"}), ("two", {"a.c": "2\n"}))
    words = ("check", "--range", "stable..topic", "--build", build, "--validate", "build")
    done = backport(repo, *words)
    assert done.exit_code == 0, done.output


def test_a_build_cannot_reach_the_network(repo: Path, tmp_path: Path) -> None:
    """It is asked of the kernel, and of somebody who listens: who may not come in never gets there."""
    from backport.builds.sandbox import unusable

    if unusable():
        pytest.skip("no usable bubblewrap on this machine; the run says so")
    call = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        there = f"{sys.executable} -I -S -c {shlex.quote(call)} {port}"
        assert subprocess.run(["sh", "-c", there], check=False).returncode == 0
        build = f"cat /proc/net/dev > net; if {there}; then echo reached > told; fi; touch inside"
        done = backport(repo, "check", "--commit", "HEAD", "--build", build, "--validate", "build")
    assert done.exit_code == 0, done.output
    folder = repo / ".git/backport/build"
    assert (folder / "inside").exists()
    assert not (folder / "told").exists()
    devices = {line.split(":")[0].strip() for line in (folder / "net").read_text().splitlines()[2:]}
    assert devices <= {"lo"}


def test_a_build_cannot_write_to_the_rest_of_the_disk(repo: Path, tmp_path: Path) -> None:
    from backport.builds.sandbox import unusable

    if unusable():
        pytest.skip("no usable bubblewrap on this machine; the run says so")
    outside = tmp_path / "outside"
    build = f"touch {outside}; touch inside"
    done = backport(repo, "check", "--commit", "HEAD", "--build", build, "--validate", "build")
    assert done.exit_code == 0, done.output
    assert not outside.exists()
    assert (repo / ".git/backport/build/inside").exists()
    assert os.access(tmp_path, os.W_OK)


def test_an_object_left_by_another_step_is_not_this_steps_core(repo: Path) -> None:
    from backport.builds.step_build import BuildTree
    from backport.store.cache import Cache
    from series.model import Oid
    from tests.backport.trees import open_repo

    commit(repo, {".gitignore": "*.o\n"}, "ignore")
    made = branch_with(repo, "topic", "stable", ("core", {"core.c": "int core;\n"}))
    found = open_repo(repo)
    build = "if [ -e core.c ]; then cc -c core.c -o core.o; fi"
    wanted = {"core.o": "core.c"}
    tree = BuildTree(found, Cache(found.state_dir / "cache"), build, wanted, timeout=60)
    assert tree.build(Oid(made[0])).artefacts
    assert not tree.build(found.commit("stable")).artefacts
    assert (tree.folder / "core.o").exists()


def test_a_build_for_more_answers_who_asks_for_less(repo: Path) -> None:
    from backport.builds.step_build import BuildTree
    from backport.store.cache import Cache
    from tests.backport.trees import open_repo

    found = open_repo(repo)
    head = found.commit("stable")

    def tree(*wanted: str) -> BuildTree:
        cache = Cache(found.state_dir / "cache")
        return BuildTree(
            found, cache, "echo 1 > a; echo 2 > b", dict.fromkeys(wanted, ""), timeout=60
        )

    both = tree("a", "b").build(head).artefacts
    assert tree("a").build(head) == tree("a").known(head)
    less = tree("a").known(head)
    assert less is not None
    assert less.verdict.cached
    assert less.artefacts == {"a": both["a"]}
    assert tree().known(head) is not None
    assert tree("c").known(head) is None


def test_a_step_that_cannot_be_told_does_not_move_the_branch(repo: Path) -> None:
    branch_with(repo, "topic", "stable", ("one", {"f.c": "int f;\n"}))
    before = git(repo, "rev-parse", "stable")
    words = ("apply", "--branch", "stable", "--series", "stable..topic", "--validate", "build")
    done = backport(repo, *words, "--build", "exit 125")
    assert done.exit_code == 125, done.output
    assert git(repo, "rev-parse", "stable") == before
    accepted = backport(repo, *words, "--build", "exit 125", "--accept", "unproven:build")
    assert accepted.exit_code == 0, accepted.output
    assert "proven: 0 built" in accepted.output


def test_a_failing_step_leaves_nothing_for_the_next(repo: Path) -> None:
    # The recipe leaves its target behind when it fails: make would take it for done.
    make = "out: a.c\n\tcp a.c out\n\t! grep -q BAD a.c\n"
    commit(repo, {"Makefile": make, ".gitignore": "out\n"}, "make")
    branch_with(
        repo,
        "topic",
        "stable",
        ("bad", {"a.c": "BAD\n"}),
        ("still bad", {"other.c": "int x;\n"}),
        ("good", {"a.c": "fine\n"}),
    )
    done = backport(repo, "bisect", "--range", "stable..topic", "--build", "make", "--json", "-")
    found = json.loads(done.stdout)
    assert (found["first_bad"], found["repaired_by"]) == (1, 3)


def test_a_build_cannot_send_git_elsewhere(repo: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    config = (
        f"git init -q {tmp_path}/own; git -C {tmp_path}/own config core.fsmonitor 'touch {evil}'"
    )
    build = f"({config}; echo gitdir: {tmp_path}/own/.git > .git) 2>/dev/null; true"
    branch_with(repo, "topic", "stable", ("one", {"f.c": "1\n"}), ("two", {"f.c": "2\n"}))
    for boxed in ("true", "false"):
        git(repo, "config", "backport.sandbox", boxed)
        words = (
            "check",
            "--range",
            "stable..topic",
            "--validate",
            "build",
            "--build",
            f"{build} #{boxed}",
        )
        done = backport(repo, *words)
        assert done.exit_code == 0, done.output
        assert not evil.exists()
        assert (
            backport(
                repo, "check", "--commit", "topic", "--validate", "build", "--build", "true"
            ).exit_code
            == 0
        )


def test_what_a_build_leaves_running_is_not_waited_for(repo: Path) -> None:
    begun = time.monotonic()
    words = ("check", "--commit", "HEAD", "--validate", "build", "--build", "sleep 60 & echo built")
    assert backport(repo, *words).exit_code == 0
    assert time.monotonic() - begun < 55


def test_a_talkative_build_is_bounded(repo: Path) -> None:
    git(repo, "config", "backport.buildTimeout", "1")
    done = backport(repo, "check", "--commit", "HEAD", "--validate", "build", "--build", "yes")
    assert done.exit_code == 125
    assert len(done.output) < 10_000


def test_the_hook_imports_nothing_from_the_tree(repo: Path) -> None:
    assert backport(repo, "hook", "install").exit_code == 0
    stage(repo, {"backport/__init__.py": "raise SystemExit('ran')\n", "typing.py": "1/0\n"})
    done = subprocess.run(
        ["git", "commit", "-m", "x"], cwd=repo, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_tree_cannot_lower_the_proof_or_name_a_file(repo: Path) -> None:
    for text, said in (
        ('validate = "none"', "sets 'validate'"),
        ('profile = "/etc/passwd"', "names the profile"),
    ):
        commit(repo, {"backport.toml": text}, "config")
        done = backport(repo, "apply", "--branch", "stable", "--series", "stable~1..stable")
        assert done.exit_code == 2
        assert said in done.output


def test_an_index_with_conflicts_is_named(repo: Path) -> None:
    branch_with(repo, "topic", "stable", ("one", {"a.c": "1\n"}))
    commit(repo, {"a.c": "2\n"}, "two")
    subprocess.run(["git", "merge", "topic"], cwd=repo, capture_output=True, check=False)
    done = backport(repo, "check")
    assert done.exit_code == 2
    assert "the index cannot be written" in done.output
