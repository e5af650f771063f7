# SPDX-License-Identifier: GPL-2.0-or-later
"""A step is built with the submodules that it names, from the clones that are there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.backport.trees import backport, commit, git, new_repo

BUILD = "cc -I. -c f.c -o f.o && cp lib/deep/z.h made.h"


def add(repo: Path, source: Path, path: str) -> None:
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(source), path)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``lib`` with ``lib/deep`` in it; the last of three commits goes on to another ``lib``."""
    deep = new_repo(tmp_path / "deep", {"z.h": "#define Z 1\n"})
    lib = new_repo(tmp_path / "lib", {"y.h": '#include "deep/z.h"\n#define Y Z\n'})
    add(lib, deep, "deep")
    commit(lib, {}, "deep")
    made = new_repo(
        tmp_path / "repo",
        {"f.c": '#include "lib/y.h"\nint f(void) { return Y; }\n', ".gitignore": "*.o\nmade.h\n"},
    )
    add(made, lib, "lib")
    git(
        made,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "update",
        "--init",
        "--recursive",
    )
    commit(made, {}, "lib")
    commit(made, {"f.c": '#include "lib/y.h"\nint f(void) { return Y + 1; }\n'}, "two")
    commit(made / "lib", {"y.h": '#include "deep/z.h"\n#define Y undeclared\n'}, "breaks")
    commit(made, {}, "three")
    git(made, "config", "backport.build", BUILD)
    return made


@pytest.mark.parametrize("replay", ["true", "false"])
def test_each_step_has_its_own(repo: Path, replay: str) -> None:
    git(repo, "config", "backport.replay", replay)
    (repo / "lib/deep/z.h").write_text("#error what is not committed is no part of a step\n")
    done = backport(repo, "check", "--range", "stable~3..stable", "--keep-going")
    assert done.exit_code == 1, done.output
    assert re.search(r"ok 1/3 lib .*\n.*ok 2/3 two .*\nFAIL 3/3 three", done.output)
    assert "undeclared" in done.output
    kept = repo / ".git/backport/build"
    assert (kept / "lib/deep/z.h").read_text() == "#define Z 1\n"


def test_a_file_of_it_that_a_command_changes_was_there_before(repo: Path) -> None:
    rules = "all: a b\na: f.c\n\tls lib > a; cat f.c >> a\nb: a\n\techo >> lib/y.h; touch b\n"
    git(repo, "config", "backport.replay", "true")
    git(repo, "config", "backport.build", "make -s")
    git(repo, "reset", "-q", "--hard", "stable~1")
    commit(repo, {"Makefile": rules}, "make")
    commit(repo, {"f.c": "3\n"}, "other")
    done = backport(repo, "check", "--range", "stable~2..stable", "--audit", "0")
    assert done.exit_code == 0, done.output
    assert (repo / ".git/backport/build/a").read_text() == "deep\ny.h\n3\n"


def test_without_a_clone_nothing_is_called_broken(repo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    git(repo, "-c", "protocol.file.allow=always", "clone", "-q", str(repo), str(copy))
    words = ("check", "--commit", "stable~1", "--build", BUILD)
    done = backport(copy, *words)
    assert done.exit_code == 125, done.output
    assert "without 1 submodule (lib) that no clone here has" in done.output
    enough = backport(copy, *words[:-1], "cp f.c made.h")
    assert enough.exit_code == 0, enough.output
    git(copy, "checkout", "-q", "--detach", "stable~1")
    update = ("submodule", "--quiet", "update", "--init", "--recursive")
    git(copy, "-c", "protocol.file.allow=always", *update)
    assert backport(copy, *words).exit_code == 0
    again = backport(copy, *words[:-1], "cp f.c made.h")
    assert "cached" not in again.output, "it might have used what is there now"


def test_a_name_that_leads_out_is_none(tmp_path: Path) -> None:
    made = new_repo(tmp_path / "repo", {"f": "f\n"})
    other = new_repo(made / ".git" / "x", {"g": "g\n"})
    listing = '[submodule "../x/.git"]\n\tpath = lib\n\turl = x\n'
    (made / ".gitmodules").write_text(listing)
    link = f"160000,{git(other, 'rev-parse', 'HEAD')},lib"
    git(made, "update-index", "--add", "--cacheinfo", link)
    git(made, "add", ".gitmodules")
    git(made, "commit", "-q", "-m", "hostile")
    done = backport(made, "check", "--commit", "HEAD", "--build", "cat lib/g >made")
    assert done.exit_code == 1, done.output


def test_a_clone_whose_worktree_is_gone_serves(repo: Path) -> None:
    """Its core.worktree leads nowhere, as where a branch without the submodule was checked out."""
    shutil.rmtree(repo / "lib")
    done = backport(repo, "check", "--commit", "stable~1")
    assert done.exit_code == 0, done.output


def test_a_path_with_two_names_is_one_submodule(repo: Path) -> None:
    """Who removes a submodule by hand and adds it again can leave the entry of its old name."""
    modules = repo / ".gitmodules"
    modules.write_text('[submodule "old"]\n\tpath = lib\n\turl = x\n' + modules.read_text())
    commit(repo, {}, "two names")
    done = backport(repo, "check", "--commit", "stable")
    assert done.exit_code == 1, done.output
    assert "without" not in done.output
    shutil.rmtree(repo / "lib")
    shutil.rmtree(repo / ".git/modules")
    assert "without 1 submodule (lib)" in backport(repo, "check", "--commit", "stable").output


def test_a_clone_that_lacks_files_gives_no_verdict(repo: Path) -> None:
    """As a partial one does whose remote is gone."""
    wanted = git(repo / "lib", "rev-parse", "HEAD~1:y.h")
    (repo / ".git/modules/lib/objects" / wanted[:2] / wanted[2:]).unlink()
    done = backport(repo, "check", "--commit", "stable~1")
    assert done.exit_code == 125, done.output
    assert "the submodule lib cannot be laid out" in done.output


def test_a_filter_of_a_clone_runs_in_the_sandbox(repo: Path, tmp_path: Path) -> None:
    inside = repo / "lib"
    outside = tmp_path / "ran-outside"
    git(inside, "config", "filter.own.smudge", f"touch {outside}; cat")
    git(inside, "config", "filter.own.clean", "cat")
    commit(inside, {".gitattributes": "*.h filter=own\n", "y.h": "#define Y 1\n"}, "filter")
    git(inside, "submodule", "--quiet", "update", "--init")
    outside.unlink(missing_ok=True)
    commit(repo, {}, "with it")
    done = backport(repo, "check", "--commit", "stable")
    assert done.exit_code == 0, done.output
    assert not outside.exists()
