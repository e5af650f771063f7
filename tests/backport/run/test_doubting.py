# SPDX-License-Identifier: GPL-2.0-or-later
"""A clean result that may be wrong for the branch: a stop where nothing is built, else a note."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from backport.history import doubts
from tests.backport.killer import killed_at
from tests.backport.trees import Files, backport, branch_with, commit, git, lines, mbox, new_repo

HELPER = "void helper(void);\n"


def code(*changed: tuple[int, str]) -> str:
    return "void f(void)\n{\n" + lines(*((n, f"    {text}") for n, text in changed)) + "}\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Upstream has a helper that the branch lacks; the second commit of three uses it."""
    repo = new_repo(tmp_path / "repo", {"a.c": code(), "b.c": code()}, "master")
    branch_with(repo, "stable-4.10", "master", ("own", {"a.c": code((20, "own();"))}))
    git(repo, "checkout", "-q", "master")
    commit(repo, {"h.h": HELPER}, "helper")
    for name, line in (("b.c", "one();"), ("a.c", "helper();"), ("b.c", "two();")):
        place = 30 if line == "two();" else 5
        before = (5, "one();")
        commit(
            repo, {name: code(*((before,) if place == 30 else ()), (place, line))}, f"use {line}"
        )
    return repo


SERIES = ("--branch", "stable-4.10", "--series", "master~3..master")
SAID = "uses helper, which stable-4.10 does not have"


def start(repo: Path, *words: str, ends: int = 3) -> str:
    done = backport(repo, "apply", *SERIES, *words)
    assert done.exit_code == ends, done.output
    return done.output


def test_it_stops_before_what_nothing_judges(repo: Path) -> None:
    tip = git(repo, "rev-parse", "stable-4.10")
    out = start(repo)
    assert "patch 2 of 3" in out and SAID in out and "--accept doubt" in out
    assert git(repo, "rev-parse", "stable-4.10") == tip
    said = backport(repo, "status")
    assert SAID in said.output
    assert "stopped on a doubt" in said.output and "--accept doubt` takes it" in said.output
    (doubt,) = json.loads(backport(repo, "status", "--json", "-").stdout)["doubts"]
    assert SAID in doubt
    assert backport(repo, "abort").exit_code == 0


def test_taken_as_it_is(repo: Path) -> None:
    start(repo)
    # Just to go on is no word for it: nothing was changed.
    done = backport(repo, "continue")
    assert done.exit_code == 3 and SAID in done.output and "--accept doubt" in done.output
    done = backport(repo, "continue", "--accept", "doubt")
    assert done.exit_code == 0, done.output
    assert "helper" in git(repo, "show", "stable-4.10:a.c")
    assert "two" in git(repo, "show", "stable-4.10:b.c")


def test_corrected_by_hand(repo: Path) -> None:
    start(repo)
    folder = repo / ".git/backport/conflict"
    fixed = (folder / "a.c").read_text().replace("helper();", "own_helper();")
    (folder / "a.c").write_text(fixed)
    # What was done there is not thrown away.
    done = backport(repo, "continue", "--accept", "doubt")
    assert done.exit_code == 2 and "throw away" in done.output
    git(folder, "add", "a.c")
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    assert "own_helper" in git(repo, "show", "stable-4.10:a.c")
    assert "two" in git(repo, "show", "stable-4.10:b.c")


def test_left_out(repo: Path) -> None:
    start(repo)
    assert backport(repo, "skip").exit_code == 0
    assert "helper" not in git(repo, "show", "stable-4.10:a.c")
    assert "two" in git(repo, "show", "stable-4.10:b.c")


@pytest.mark.parametrize("how", ["option", "configuration"])
def test_accepted_beforehand(repo: Path, how: str) -> None:
    if how == "configuration":
        git(repo, "config", "backport.accept", "doubt")
    assert SAID in start(repo, *(("--accept", "doubt") if how == "option" else ()), ends=0)


def test_where_steps_are_built_it_is_a_note_and_the_build_judges(repo: Path) -> None:
    out = start(repo, "--build", "! grep -q helper a.c", "--validate", "build", ends=1)
    assert SAID in out and "does not build" in out
    assert SAID in start(repo, "--build", "true", "--validate", "build", ends=0)


def test_a_doubt_before_a_conflict_stops_first_and_loses_no_resolution(repo: Path) -> None:
    git(repo, "checkout", "-q", "stable-4.10")
    commit(repo, {"b.c": code((30, "other();"))}, "in the way")
    git(repo, "checkout", "-q", "master")
    assert SAID in start(repo)
    done = backport(repo, "continue", "--accept", "doubt")
    assert done.exit_code == 3 and "does not apply" in done.output
    folder = repo / ".git/backport/conflict"
    (folder / "b.c").write_text(code((5, "one();"), (30, "both();")))
    git(folder, "add", "b.c")
    out = repo.parent / "out.json"
    done = backport(repo, "continue", "--json", str(out))
    assert done.exit_code == 0, done.output
    assert "both" in git(repo, "show", "stable-4.10:b.c")
    # Each step is examined once, however often the run has stopped.
    steps = json.loads(out.read_text())["steps"]
    assert [len([note for note in step["notes"] if SAID in note]) for step in steps] == [0, 1, 0]


def test_on_the_very_tree_that_it_was_made_on_nothing_is_looked_for(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search takes longer than all the rest."""

    def looked(*_: object) -> dict[int, tuple[str, ...]]:
        raise AssertionError("nothing can be missing there")

    monkeypatch.setattr(doubts, "doubted", looked)
    git(repo, "branch", "own", "master~3")
    done = backport(repo, "apply", "--branch", "own", "--series", "master~3..master")
    assert done.exit_code == 0, done.output


def test_a_name_that_the_merge_calls_otherwise_is_not_used(tmp_path: Path) -> None:
    """Upstream still has ``old_get``; the branch calls it ``new_get``, and so does the result."""
    body = (
        "int f(void)\n{\n" + "".join(f"    {{}}(a{n});\n    x{n}++;\n" for n in range(12)) + "}\n"
    )
    old, new = (body.replace("{}", name) for name in ("old_get", "new_get"))
    repo = new_repo(tmp_path / "repo", {"a.c": old, "old.h": "int old_get(int);\n"}, "master")
    renamed: Files = {"a.c": new, "old.h": "int new_get(int);\n"}
    branch_with(repo, "stable-4.10", "master", ("rename", renamed))
    fix = old.replace("    x5++;\n", "    x5++;\n    old_get(fixed);\n")
    fix = fix.replace("    old_get(a6);\n", "    old_get(b6);\n")
    commit(repo, {"other": "upstream goes on\n"}, "other")
    commit(repo, {"a.c": fix}, "fix")
    done = backport(repo, "apply", "--branch", "stable-4.10", "--series", "master")
    assert done.exit_code == 0, done.output
    assert "names" in done.output and "new_get(fixed)" in git(repo, "show", "stable-4.10:a.c")


def test_plan_says_so_with_the_code_of_apply(repo: Path) -> None:
    done = backport(repo, "plan", *SERIES, "--json", "-")
    assert done.exit_code == 3
    rows = json.loads(done.stdout)["patches"]
    assert [row["class"] for row in rows] == ["automatic", "doubt", "automatic"]
    done = backport(repo, "plan", *SERIES)
    assert "doubt" in done.output and SAID in done.output


CASES: dict[str, tuple[dict[str, str | tuple[str, str]], str, Files, str]] = {
    "a member that is elsewhere": (
        {"p.c": "int g(void) { return d->arch.pv.x + e->pv.size; }\n"},
        "    d->arch.pv.size = 1;",
        {"p.c": "int g(void) { return d->arch.pv_domain.x + e->pv.size; }\n"},
        "uses arch.pv, which stable-4.10 does not have",
    ),
    "a function with another number of arguments": (
        {"a.c": ("    get(a);\n", "    get(m, a);\n")},
        "    get(m, b);",
        {},
        "a.c: calls get with 2 arguments, and with 1 elsewhere",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_upstream_has_changed_all_over(tmp_path: Path, case: str) -> None:
    """The patch goes on, and is written for what the branch does not have."""
    upstream, line, own, said = CASES[case]
    body = ["int f(void)", "{", "    get(a);", *(f"    line{n}++;" for n in range(30)), "}", ""]
    old = "\n".join(body)
    before = {"a.c": old, "p.c": "int g(void) { return d->arch.pv_domain.x + e->pv.size; }\n"}
    repo = new_repo(tmp_path / "repo", before, "master")
    changed: dict[str, str] = {}
    for name, text in upstream.items():
        changed[name] = text if isinstance(text, str) else before[name].replace(*text)
    branch_with(repo, "stable-4.10", "master", ("own", {"other": "own\n", **own}))
    commit(repo, {**changed, "c": "upstream goes on\n"}, "all over")
    text = (repo / "a.c").read_text().replace("    line25++;", f"    line25++;\n{line}")
    commit(repo, {"a.c": text}, "fix")
    done = backport(repo, "apply", "--branch", "stable-4.10", "--series", "master")
    assert done.exit_code == 3 and said in done.output, done.output
    # A branch that has it as upstream has it is not doubted.
    git(repo, "branch", "same", "master~1")
    git(repo, "checkout", "-q", "same")
    commit(repo, {"other": "own\n"}, "own")
    git(repo, "checkout", "-q", "master")
    done = backport(repo, "apply", "--branch", "same", "--series", "master")
    assert done.exit_code == 2 and "a run onto stable-4.10 stopped on a doubt" in done.output
    assert backport(repo, "abort").exit_code == 0
    done = backport(repo, "apply", "--branch", "same", "--series", "master")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 1, 2)], ids=str)
def test_patches_made_on_each_other_and_on_the_branch_are_not_doubted(
    repo: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[int, ...]
) -> None:
    """In another order each is on another tree than its own, and nothing can be missing all the same."""

    def looked(*_: object) -> dict[int, tuple[str, ...]]:
        raise AssertionError("nothing can be missing there")

    monkeypatch.setattr(doubts, "doubted", looked)
    git(repo, "branch", "own", "master~3")
    box = repo.parent / "box"
    picked = [mbox(repo, f"master~{n + 1}..master~{n}") + b"\n" for n in (2, 1, 0)]
    box.write_bytes(
        b"".join(
            picked[n].replace(b"[PATCH]", b"[PATCH %d/3]" % at) for at, n in enumerate(order, 1)
        )
    )
    done = backport(repo, "apply", "--branch", "own", "--series", str(box))
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.torture), 17])
def test_killed_anywhere_it_stops_again(repo: Path, tmp_path: Path, step: int) -> None:
    """Before every durable act of a run that comes to a doubt; then accepted, or taken back."""
    old = git(repo, "rev-parse", "stable-4.10")
    whole = tmp_path / "whole"
    shutil.copytree(repo, whole, symlinks=True)
    done = killed_at(0, ["apply", "--repo", str(whole), *SERIES])
    acts = int(done.stdout.split("acts ")[1])
    assert acts > 17
    for act in range(1, acts + 1, step):
        cut = tmp_path / f"cut{act}"
        shutil.copytree(repo, cut, symlinks=True)
        killed = killed_at(act, ["apply", "--repo", str(cut), *SERIES])
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        begun = (cut / ".git/backport/run/state.json").exists()
        again = backport(cut, *(("continue",) if begun else ("apply", *SERIES)))
        assert again.exit_code == 3 and SAID in again.output, (act, again.output)
        if act % 2:
            assert backport(cut, "continue", "--accept", "doubt").exit_code == 0, act
            assert "helper" in git(cut, "show", "stable-4.10:a.c")
        else:
            assert backport(cut, "abort").exit_code == 0, act
            assert git(cut, "rev-parse", "stable-4.10") == old
            assert git(cut, "status", "--porcelain") == ""
            assert git(cut, "for-each-ref", "refs/backport") == ""


def test_what_the_user_left_out_brings_nothing(tmp_path: Path) -> None:
    """The first patch conflicts and is skipped; the second uses what it would have brought."""
    repo = new_repo(tmp_path / "repo", {"a.c": code(), "b.c": code()}, "master")
    branch_with(repo, "stable-4.10", "master", ("own", {"a.c": code((5, "own();"))}))
    commit(repo, {"a.c": f"{HELPER}{code((5, 'five();'))}"}, "helper")
    commit(repo, {"b.c": code((9, "y = helper();"))}, "use")
    given = ("--branch", "stable-4.10", "--series", "master~2..master")
    assert "does not apply" in backport(repo, "apply", *given).output
    done = backport(repo, "skip")
    assert done.exit_code == 3 and SAID in done.output, done.output


def start_before_what_brings(folder: Path) -> Path:
    """The first patch uses what the second declares; the second conflicts."""
    repo = new_repo(folder / "repo", {"a.c": code(), "b.c": code()}, "master")
    branch_with(repo, "stable-4.10", "master", ("own", {"a.c": code((5, "own();"))}))
    commit(repo, {"h.h": HELPER}, "not in the run")
    commit(repo, {"b.c": code((9, "y = helper();"))}, "use")
    commit(repo, {"a.c": f"{HELPER}{code((5, 'five();'))}"}, "helper")
    given = ("--branch", "stable-4.10", "--series", "master~2..master")
    assert "does not apply" in backport(repo, "apply", *given).output
    return repo


@pytest.mark.parametrize("decided", ["left out", "resolved without it"])
def test_a_step_before_what_the_user_left_out_is_examined_again(
    tmp_path: Path, decided: str
) -> None:
    repo = start_before_what_brings(tmp_path)
    old = git(repo, "rev-parse", "stable-4.10")
    if decided == "left out":
        done = backport(repo, "skip")
    else:
        folder = repo / ".git/backport/conflict"
        (folder / "a.c").write_text(code((5, "both();")))
        git(folder, "add", "a.c")
        done = backport(repo, "continue")
    assert done.exit_code == 3 and "1/2 use: uses helper" in done.output, done.output
    assert "left out or resolved by hand" in done.output
    assert git(repo, "rev-parse", "stable-4.10") == old
    assert backport(repo, "continue").exit_code == 3
    said = backport(repo, "status").stdout
    assert "1/2 uses helper, which stable-4.10 does not have" in said, said
    assert "interrupted" not in said and "--accept doubt" in said, said
    told = json.loads(backport(repo, "status", "--json", "-").stdout)
    assert len(told["doubts"]) == 1 and "helper" in told["doubts"][0]
    done = backport(repo, "continue", "--accept", "doubt")
    assert done.exit_code == 0 and "doubtful, as accepted: 1" in done.output, done.output
    assert "helper" in git(repo, "show", "stable-4.10:b.c")


def test_what_a_decision_made_doubtful_is_named_on_each_of_several_branches(tmp_path: Path) -> None:
    """As it happens, by `status` later, and to a program."""
    repo = start_before_what_brings(tmp_path)
    backport(repo, "abort")
    branch_with(repo, "stable-4.11", "stable-4.10", ("more", {"other": "more\n"}))
    given = ("--branch", "stable-4.10", "--branch", "stable-4.11", "--series", "master~2..master")
    assert backport(repo, "apply", *given).exit_code == 3
    done = backport(repo, "skip", "--json", "-")
    said = "1/2 uses helper, which stable-4.11 does not have: it may need another patch"
    assert (done.exit_code, json.loads(done.stdout)["branches"][0]["doubts"]) == (3, [said])
    shown = backport(repo, "status").stdout
    assert "1/2 use: uses helper" in shown, shown
    assert "`backport continue --branch stable-4.11 --accept doubt`" in shown, shown
    told = json.loads(backport(repo, "status", "--json", "-").stdout)
    assert (told["exit_code"], told["branches"][0]["doubts"]) == (3, [said])


def test_a_program_is_told_what_a_decision_made_doubtful(tmp_path: Path) -> None:
    repo = start_before_what_brings(tmp_path)
    (doubt,) = json.loads(backport(repo, "skip", "--json", "-").stdout)["doubts"]
    assert doubt.startswith("1/2 uses helper")


def test_what_a_decision_made_doubtful_is_no_interruption(tmp_path: Path) -> None:
    """For who begins another run, and who would skip one more."""
    repo = start_before_what_brings(tmp_path)
    assert backport(repo, "skip").exit_code == 3
    done = backport(repo, "apply", "--branch", "stable-4.10", "--series", "master~1..master")
    assert done.exit_code == 2
    assert "stopped on what a later decision made doubtful (2 of 2 patches)" in done.output
    done = backport(repo, "skip")
    assert done.exit_code == 2 and "--accept doubt" in done.output, done.output


def test_a_run_that_a_decision_made_doubtful_can_be_given_up(tmp_path: Path) -> None:
    repo = start_before_what_brings(tmp_path)
    old = git(repo, "rev-parse", "stable-4.10")
    assert backport(repo, "skip").exit_code == 3
    assert backport(repo, "abort").exit_code == 0
    assert git(repo, "rev-parse", "stable-4.10") == old
    assert git(repo, "for-each-ref", "refs/backport") == ""


def test_what_the_user_kept_in_a_resolution_is_brought(tmp_path: Path) -> None:
    repo = start_before_what_brings(tmp_path)
    folder = repo / ".git/backport/conflict"
    (folder / "a.c").write_text(f"{HELPER}{code((5, 'both();'))}")
    git(folder, "add", "a.c")
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output


def test_what_the_user_has_resolved_is_told_and_brings_nothing_to_the_next(tmp_path: Path) -> None:
    """Both use what the branch lacks, in one file; the first conflicts, and is resolved with the use."""
    repo = new_repo(tmp_path / "repo", {"a.c": code(), "b.c": code()}, "master")
    branch_with(repo, "stable-4.10", "master", ("own", {"a.c": code((5, "own();"))}))
    commit(repo, {"h.h": HELPER}, "not in the run")
    commit(repo, {"a.c": code((5, "helper();"))}, "first")
    commit(repo, {"a.c": code((5, "helper();"), (30, "x = helper();"))}, "second")
    given = ("--branch", "stable-4.10", "--series", "master~2..master")
    assert "does not apply" in backport(repo, "apply", *given).output
    folder = repo / ".git/backport/conflict"
    (folder / "a.c").write_text(code((5, "own(); helper();")))
    git(folder, "add", "a.c")
    done = backport(repo, "continue")
    assert done.exit_code == 3 and "patch 2 of 2" in done.output, done.output
    assert "note: 1/2 first: uses helper" in done.output, done.output
    done = backport(repo, "continue", "--accept", "doubt")
    assert done.exit_code == 0, done.output
    assert "2/2 second: uses helper" in done.output and "1/2 first" not in done.output


def test_a_member_that_another_patch_of_the_run_brings(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"a.c": code(), "b.c": code()}, "master")
    branch_with(repo, "stable-4.10", "master", ("own", {"other": "own\n"}))
    apart = code((4, "struct { int x; } pv;"), (5, "d->arch.pv.x = 1;"))
    commit(repo, {"b.c": apart}, "takes it apart")
    commit(repo, {"a.c": code((9, "d->arch.pv.x = 2;"))}, "uses it")
    given = ("--branch", "stable-4.10", "--series", "master~2..master")
    done = backport(repo, "apply", *given)
    assert done.exit_code == 0, done.output


def test_nor_does_it_where_the_rest_was_made_on_the_branch_itself(tmp_path: Path) -> None:
    """What was made on the very branch is examined all the same, once a patch below it was left out."""
    repo = new_repo(tmp_path / "repo", {"a.c": code(), "b.c": code()}, "stable-4.10")
    branch_with(repo, "other", "stable-4.10", ("other", {"a.c": code((5, "other();"))}))
    branch_with(
        repo,
        "topic",
        "stable-4.10",
        ("helper", {"a.c": f"{HELPER}{code((5, 'five();'))}"}),
        ("use", {"b.c": code((9, "y = helper();"))}),
    )
    series = ("--series", "stable-4.10..other", "--series", "stable-4.10..topic")
    first = backport(repo, "apply", "--branch", "stable-4.10", *series, "--to", "made")
    assert "'helper', does not apply" in first.output
    done = backport(repo, "skip")
    assert done.exit_code == 3 and SAID in done.output, done.output
