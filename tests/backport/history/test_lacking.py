# SPDX-License-Identifier: GPL-2.0-or-later
"""A pick that goes on cleanly and names what the branch has not got."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backport.gateway.git_runner import GitRunner
from backport.history import missing_names
from series.model import Oid, Patch
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
)

HELPER = "void helper(void);\n"


def code(*changed: tuple[int, str]) -> str:
    body = lines(*((number, f"    {text}") for number, text in changed))
    return "void f(void)\n{\n" + body + "}\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Upstream goes its way after the branch has left: line 2 changes, so that no pick is exact."""
    repo = new_repo(tmp_path / "repo", {"a.c": code(), "b.c": code()}, "master")
    git(repo, "branch", "stable-4.10")
    commit(repo, {"a.c": code((2, "moved()")), "b.c": code((2, "moved()"))}, "move")
    return repo


def apply(repo: Path, series: str, *words: str, ends: int = 0) -> str:
    where = ("--branch", "stable-4.10", "--series", series, "--validate", "none")
    done = backport(repo, "apply", *where, *words)
    assert done.exit_code == ends, done.output
    return done.output


def upstream(repo: Path, *steps: Files) -> None:
    for number, files in enumerate(steps):
        commit(repo, files, f"step {number}")


def test_a_name_that_only_upstream_knows_is_told(repo: Path) -> None:
    upstream(
        repo,
        {"h.h": HELPER},
        {"a.c": code((2, "moved()"), (20, "helper();"))},
    )
    output = apply(repo, "master", "--accept", "doubt", "--to", "accepted")
    assert "1/1 step 1: uses helper, which stable-4.10 does not have" in output
    done = backport(repo, "plan", "--branch", "stable-4.10", "--series", "master", "--json", "-")
    assert "uses helper" in json.loads(done.stdout)["patches"][0]["notes"][0]


@pytest.mark.parametrize(
    "line",
    [
        "/* helper() */",
        'say("helper");',
        "f();",
    ],
    ids=["in a comment", "in a string", "known here"],
)
def test_what_is_no_use_of_an_unknown_name(repo: Path, line: str) -> None:
    upstream(repo, {"h.h": HELPER}, {"a.c": code((2, "moved()"), (20, line))})
    assert "does not have" not in apply(repo, "master")


def test_a_name_that_the_patch_itself_brings(repo: Path) -> None:
    upstream(repo, {"h.h": HELPER, "a.c": code((2, "moved()"), (20, "helper();"))})
    assert "does not have" not in apply(repo, "master")


def test_a_name_that_another_patch_of_the_run_brings(repo: Path) -> None:
    upstream(repo, {"h.h": HELPER}, {"a.c": code((2, "moved()"), (20, "helper();"))})
    assert "does not have" not in apply(repo, "master~2..master")


def test_that_another_patch_uses_it_too_brings_nothing(repo: Path) -> None:
    """Both would go on, and neither builds."""
    upstream(
        repo,
        {"h.h": HELPER},
        {"a.c": code((2, "moved()"), (20, "helper();"))},
        {"b.c": code((2, "moved()"), (20, "helper();"))},
    )
    apply(repo, "master~2..master", ends=3)
    git(repo, "reset", "-q", "--hard")
    backport(repo, "abort")
    output = apply(repo, "master~2..master", "--accept", "doubt", "--to", "accepted")
    assert "1/2 step 1: uses helper, which stable-4.10 does not have" in output
    assert "2/2 step 2: uses helper, which stable-4.10 does not have" in output


@pytest.mark.parametrize(
    "line", ["struct extra *more = f();", "f((struct extra *)g());", "f(sizeof(struct extra));"]
)
def test_a_type_that_two_patches_use_is_brought_by_none(repo: Path, line: str) -> None:
    upstream(
        repo,
        {"h.h": "struct extra {\n    int one;\n};\n"},
        {"a.c": code((2, "moved()"), (20, line))},
        {"b.c": code((2, "moved()"), (20, line))},
    )
    output = apply(repo, "master~2..master", "--accept", "doubt", "--to", "accepted")
    assert "1/2 step 1: uses extra, which stable-4.10 does not have" in output
    assert "2/2 step 2: uses extra, which stable-4.10 does not have" in output


@pytest.mark.parametrize(
    "made",
    [
        "struct extra {\n    int one;\n};\n",
        "struct extra;\n",
        "typedef struct {\n    int one;\n} extra;\n",
        "typedef int extra;\n",
    ],
)
def test_a_type_that_another_patch_makes_is_there(repo: Path, made: str) -> None:
    upstream(
        repo,
        {"c": "1"},
        {"h.h": made},
        {"a.c": code((2, "moved()"), (20, "struct extra *more = f();"))},
    )
    assert "does not have" not in apply(repo, "master~2..master")


def test_a_parameter_that_another_patch_adds_is_there(repo: Path) -> None:
    """On a line of its own, as upstream's tree has it."""
    made = "static int g(int a,\n             unsigned int extra)\n{\n    return a;\n}\n"
    upstream(
        repo,
        {"c": "1"},
        {"b.c": made + code()},
        {"b.c": made.replace("return a", "return a + extra") + code()},
    )
    assert "does not have" not in apply(repo, "master~2..master")


def test_a_member_that_two_patches_reach_is_brought_by_none(repo: Path) -> None:
    """Each of the words stands somewhere on the branch: they are nowhere reached one through the other."""
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"w.h": "struct w { int arch; int pv; };\n"}, "words")
    git(repo, "checkout", "-q", "master")
    commit(
        repo, {"w.h": "struct w { int arch; int pv; };\n", "u.c": "x = v->arch.pv;\n"}, "reached"
    )
    upstream(
        repo,
        {"a.c": code((2, "moved()"), (20, "f(v->arch.pv);"))},
        {"b.c": code((2, "moved()"), (20, "g(v->arch.pv);"))},
    )
    output = apply(repo, "master~2..master", "--accept", "doubt", "--to", "accepted")
    assert "1/2 step 0: uses arch.pv, which stable-4.10 does not have" in output
    assert "2/2 step 1: uses arch.pv, which stable-4.10 does not have" in output


PARTS, WHOLE = "int find(int seg, int bus, int dev);\n", "int find(struct place at);\n"
FINDS = {"a.c": code((2, "moved()"), (20, "find(p->at);"))}


@pytest.fixture
def finding(repo: Path) -> Path:
    """The branch has a function of three parameters, and upstream made it one of one."""
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"h.h": PARTS, "other.h": "struct place { int bus; };\n"}, "find")
    git(repo, "checkout", "-q", "master")
    upstream(repo, {"h.h": PARTS, "other.h": "struct place { int bus; };\n"}, {"h.h": WHOLE})
    return repo


def test_a_call_with_other_parameters_than_the_branch_has(finding: Path) -> None:
    """The first of its function in the file: the file cannot tell."""
    upstream(finding, FINDS)
    output = apply(finding, "master", ends=3)
    assert "calls find with 1 argument, which the branch has with 3" in output
    assert git(finding, "log", "-1", "--format=%s", "stable-4.10").strip() == "find"


def test_a_call_whose_function_the_run_changes_as_well(finding: Path) -> None:
    upstream(finding, FINDS)
    assert "which the branch has with" not in apply(finding, "master~2..master")


@pytest.mark.parametrize("also", [PARTS, "int x = find(1, 2, 3);\n"])
def test_a_name_of_several_things_tells_nothing(finding: Path, also: str) -> None:
    """As members of two structures: upstream has it with three as well."""
    upstream(finding, {"more.c": also}, FINDS)
    assert "which the branch has with" not in apply(finding, "master")


def test_a_function_without_parameters_is_called_without_arguments(repo: Path) -> None:
    """``(void)`` of the branch is ``()`` upstream."""
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"h.h": HELPER}, "helper")
    git(repo, "checkout", "-q", "master")
    upstream(repo, {"h.h": "void helper();\n"}, {"a.c": code((2, "moved()"), (20, "helper();"))})
    assert "which the branch has with" not in apply(repo, "master")


def test_a_name_that_the_branch_has_in_another_file(repo: Path) -> None:
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"other.h": HELPER}, "has it elsewhere")
    git(repo, "checkout", "-q", "master")
    upstream(repo, {"h.h": HELPER}, {"a.c": code((2, "moved()"), (20, "helper();"))})
    assert "does not have" not in apply(repo, "master")


def test_a_patch_that_moves_the_definition(repo: Path) -> None:
    upstream(
        repo,
        {"h.h": HELPER},
        {"b.c": "void helper(void)\n{\n}\n\n" + code((2, "moved()"))},
    )
    assert "does not have" not in apply(repo, "master")


def test_where_the_patch_was_made_is_not_known(repo: Path, tmp_path: Path) -> None:
    """A mail whose commit nobody has: its own tree cannot be asked, and nothing is said."""
    upstream(repo, {"h.h": HELPER}, {"a.c": code((2, "moved()"), (20, "helper();"))})
    mail = mbox(repo, "master~1..master").replace(
        git(repo, "rev-parse", "master").encode(), b"1" * 40
    )
    (tmp_path / "s.mbox").write_bytes(mail)
    assert "does not have" not in apply(repo, str(tmp_path / "s.mbox"))


def test_the_version_of_a_newer_branch_is_the_one_looked_at(repo: Path) -> None:
    upstream(repo, {"h.h": HELPER}, {"a.c": code((2, "moved()"), (20, "helper();"))})
    origin = git(repo, "rev-parse", "master")
    adapted = f"step 1\n\n(cherry picked from commit {origin})"
    branch_with(repo, "stable-4.11", "stable-4.10", (adapted, {"a.c": code((20, "f();"))}))
    output = apply(repo, "master")
    assert "as stable-4.11 has it" in output
    assert "does not have" not in output


def test_many_names_are_cut(repo: Path) -> None:
    names = [f"helper_{n}" for n in range(9)]
    upstream(
        repo,
        {"h.h": "".join(f"void {name}(void);\n" for name in names)},
        {"a.c": code((2, "moved()"), *((10 + n, f"{name}();") for n, name in enumerate(names)))},
    )
    assert "uses helper_0, helper_1, helper_2, helper_3 and 5 more, which" in apply(
        repo, "master", ends=3
    )


def test_words_of_a_tree(repo: Path) -> None:
    opened = open_repo(repo)
    tree = opened.tree(opened.commit("master")).id
    wanted = frozenset((b"void", b"oid", b"moved", b"absent", *(b"x%d" % n for n in range(450))))
    assert opened.git.words(tree, wanted) == {b"void", b"moved"}
    assert opened.git.words(tree, frozenset((b"absent",))) == frozenset()


def test_words_that_begin_alike_or_hold_one_another(repo: Path) -> None:
    names = ["a", "ab", "abc", "abd", "b", "ba", "_a", "A", "a1", "a12", "a2"]
    text = "abc(a12); x_ab = A; b2 = \xff;\n".encode("latin-1")
    commit(repo, {"names.c": text}, "names")
    opened = open_repo(repo)
    tree = opened.tree(opened.commit("HEAD")).id
    found = opened.git.words(tree, frozenset(name.encode() for name in names))
    assert found == {b"abc", b"a12", b"A"}


def test_names_that_nest_deeper_than_a_pattern_may(repo: Path) -> None:
    commit(repo, {"names.c": "x" * 400 + ";\n"}, "names")
    opened = open_repo(repo)
    tree = opened.tree(opened.commit("HEAD")).id
    names = frozenset(b"x" * n for n in range(3, 600))
    assert opened.git.words(tree, names) == {b"x" * 400}
    assert opened.git.words(tree, frozenset((b"y" * 200_000,))) == {b"y" * 200_000}


def test_a_git_that_knows_no_perl_patterns_finds_the_same(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_repo(repo)
    tree = opened.tree(opened.commit("master")).id
    whole = GitRunner._grep
    tried: list[str] = []

    def without(self: GitRunner, tree: Oid, *how: str) -> list[bytes] | None:
        tried.append(how[1])
        return None if "-P" in how else whole(self, tree, *how)

    monkeypatch.setattr(GitRunner, "_grep", without)
    assert opened.git.words(tree, frozenset((b"void", b"absent"))) == {b"void"}
    assert tried == ["-P", "-w"]


def test_the_search_for_many_names_is_one(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost is that of the tree, not of the tree times the names."""
    opened = open_repo(repo)
    tree = opened.tree(opened.commit("master")).id
    whole = GitRunner._grep
    patterns: list[int] = []

    def counted(self: GitRunner, tree: Oid, *how: str) -> list[bytes] | None:
        patterns.append(how.count("-e"))
        return whole(self, tree, *how)

    monkeypatch.setattr(GitRunner, "_grep", counted)
    opened.git.words(tree, frozenset(b"some_name_%d" % n for n in range(1500)))
    assert patterns == [1]


def test_each_patch_is_lexed_once(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream(
        repo,
        {"h.h": "void one(void);\nvoid two(void);\n"},
        {"a.c": code((2, "moved()"), (8, "one();"))},
        {"a.c": code((2, "moved()"), (8, "one();"), (20, "two();"))},
    )
    seen: list[str] = []
    whole = missing_names.added_names

    def counted(patch: Patch) -> frozenset[bytes]:
        seen.append(patch.name)
        return whole(patch)

    monkeypatch.setattr(missing_names, "added_names", counted)
    out = apply(repo, "master~2..master", "--accept", "doubt")
    assert "one" in out and len(seen) == len(set(seen)) == 2


OPTION = "config LD_IS_GNU\n\tdef_bool y\n"
USES_OPTION = {"a.c": code((2, "moved()"), (20, "#ifdef CONFIG_LD_IS_GNU"))}


def test_an_option_that_another_patch_of_the_run_brings_is_there(repo: Path) -> None:
    """Kconfig has it without the prefix under which code uses it."""
    upstream(repo, {"c": "1"}, {"Kconfig": OPTION}, USES_OPTION)
    assert "does not have" not in apply(repo, "master~2..master")


def test_an_option_that_only_kconfig_names_is_there(repo: Path) -> None:
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"Kconfig": OPTION}, "option")
    git(repo, "checkout", "-q", "master")
    upstream(repo, {"Kconfig": OPTION}, USES_OPTION)
    assert "does not have" not in apply(repo, "master")


def test_an_option_that_only_upstream_has_is_doubted(repo: Path) -> None:
    upstream(repo, {"Kconfig": OPTION}, USES_OPTION)
    assert "uses CONFIG_LD_IS_GNU" in apply(repo, "master", ends=3)
