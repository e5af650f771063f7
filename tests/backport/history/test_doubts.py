# SPDX-License-Identifier: GPL-2.0-or-later
"""Clean results that are wrong for the branch, and the like of them that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.gateway.commits import commit_patch
from backport.history.doubts import doubts
from backport.history.missing_names import Setting, declares
from backport.pick.patch import pick_patch
from series.model import Oid
from tests.backport.trees import Files, commit, git, new_repo, open_repo

HEADER = "#define OP_one 1\n#define OP_two 2\n#define MODE_of 0620\n\n\n\n\nint last;\n"


def found(folder: Path, branch: Files, upstream: Files, fix: Files) -> tuple[str, ...]:
    """What is doubted of ``fix``, made on ``upstream``, put on ``branch``; both come from one base."""
    base: Files = {"a.h": HEADER, "a.c": "int a;\n\n\n\n\nint z;\n", "Makefile": "obj-y += a.o\n"}
    where = new_repo(folder / "r", base, "stable")
    git(where, "checkout", "-qb", "master")
    if upstream:
        commit(where, upstream, "upstream")
    commit(where, fix, "the fix")
    git(where, "checkout", "-q", "stable")
    if branch:
        commit(where, branch, "own")
    repo = open_repo(where)
    upstream_tip, onto = repo.commit("master"), repo.tree(repo.commit("stable"))
    patch = commit_patch(repo, upstream_tip)
    before = repo.tree(repo.parents(upstream_tip)[0])
    picked = pick_patch(repo.objects, onto, patch, lambda: before)
    assert picked.clean
    setting = Setting(onto, picked.tree, before, repo.tree(upstream_tip))

    def holds(tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
        return repo.git.words(tree, names)

    def made(tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
        return declares(repo, tree, names)

    repo.objects.store()
    return doubts(setting, patch, holds, made)


def test_a_name_that_only_upstream_has(tmp_path: Path) -> None:
    fix = {"a.c": "int a = helper();\n\n\n\n\nint z;\n"}
    (what,) = found(tmp_path, {}, {"new.h": "int helper(void);\n"}, fix)
    assert what == "uses helper, which the branch does not have"


def test_a_name_that_the_patch_brings_is_none(tmp_path: Path) -> None:
    fix = {"a.c": "int helper(void);\nint a = helper();\n\n\n\n\nint z;\n"}
    assert found(tmp_path, {}, {"new.h": "\n"}, fix) == ()


@pytest.mark.parametrize(
    ("own", "doubted"),
    [("#define OP_own 3\n", True), ("#define OP_own 4\n", False), ("#define XY_own 3\n", False)],
)
def test_a_number_that_is_in_use(tmp_path: Path, own: str, doubted: bool) -> None:
    lines = HEADER.split("\n")
    branch = "\n".join([*lines[:6], own.rstrip(), *lines[6:]])
    fix = "\n".join([*lines[:2], "#define OP_three 3", *lines[2:]])
    what = found(tmp_path, {"a.h": branch}, {"b": "1\n"}, {"a.h": fix})
    assert bool(what) == doubted
    if doubted:
        assert what == ("a.h: OP_three is 3, as OP_own is",)


def test_a_header_and_an_object_that_the_branch_lacks(tmp_path: Path) -> None:
    brought: Files = {"new.h": "\n", "new.c": "\n", "Makefile": "obj-y += a.o\n\n\n\n\n"}
    include: Files = {"a.c": '#include "new.h"\nint a;\n\n\n\n\nint z;\n'}
    assert found(tmp_path, {"a.c": "int a;\n\n\n\n\nint y;\n"}, brought, include) == (
        "a.c: includes new.h, which the branch does not have",
    )
    build: Files = {"Makefile": "obj-y += new.o\nobj-y += a.o\n\n\n\n\n"}
    own: Files = {"Makefile": "obj-y += a.o\n\n\n\n\n# own\n"}
    assert found(tmp_path / "2", own, brought, build) == (
        "Makefile: builds new.o, whose source the branch does not have",
    )


def test_a_definition_that_the_branch_had_already(tmp_path: Path) -> None:
    have = "int a;\n\n\n\n\nint z;\nint helper_of_all(void);\n"
    fix = "int helper_of_all(void);\nint a;\n\n\n\n\nint z;\n"
    (what,) = found(tmp_path, {"a.c": have}, {"b": "1\n"}, {"a.c": fix})
    assert what == "a.c: has 'int helper_of_all(void);' twice now"
