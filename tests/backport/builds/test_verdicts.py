# SPDX-License-Identifier: GPL-2.0-or-later
"""What a build's verdict holds for, and what is none: the machine's faults, and tools that changed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from backport.builds.machine_faults import machine_fault
from backport.builds.sandbox import unusable
from backport.builds.step_build import BuildTree
from backport.builds.toolchain import surroundings
from backport.config import Settings
from backport.environment import Environment
from backport.gateway.repository import open_repo
from backport.levels import Level, SandboxUse
from backport.store.cache import Cache
from backport.validate.prover import Prover, Target
from backport.verdicts import IDLE, State
from tests.backport.trees import Files, branch_with, git, new_repo

FAULTS = [
    ("\tkill -9 $$$$\n", "Killed"),
    ("\tkill -TERM $$$$\n", "Terminated"),
    ("\tsh -c 'sh -c \"kill -9 \\$$\\$$\"; exit 1'\n", "Killed"),
    ("\techo 1 > /dev/full\n", "I/O error"),
    ("\tcat Makefile > /dev/full\n", "No space left on device"),
    ("\t@echo 'gcc: fatal error: Killed signal terminated program cc1'; exit 1\n", "terminated"),
    ("\t@echo 'collect2: fatal error: ld terminated with signal 9 [Killed]'; exit 1\n", "signal 9"),
    (
        "\t@echo 'cc1: out of memory allocating 65536 bytes after a total of 1'; exit 1\n",
        "out of memory",
    ),
]
TREES_OWN = [
    "\t@echo 'a.c:1:2: error: expected expression'; exit 1\n",
    "\t@printf '    1 | fail(\"a: No space left on device\n'; exit 1\n",
    "\tkill -SEGV $$$$\n",
    "\t@echo it was Killed by design; exit 3\n",
]


def tree_of(folder: Path, command: str = "make", **more: Any) -> BuildTree:
    environment = Environment.copied(os.environ)
    repo = open_repo(folder, environment)
    cache = Cache(repo.state_dir / "cache")
    return BuildTree(repo, cache, command, {}, timeout=60, **more)


@pytest.mark.parametrize(("recipe", "what"), FAULTS)
def test_what_the_machine_brought_about_is_no_verdict(
    tmp_path: Path, recipe: str, what: str
) -> None:
    folder = new_repo(tmp_path / "tree", {"Makefile": f"all:\n{recipe}"})
    tree = tree_of(folder)
    commit = tree.repo.commit("stable")
    built = tree.build(commit)
    assert built.verdict.state is State.CANNOT_TELL
    assert what in built.verdict.summary
    assert tree.known(commit) is None


@pytest.mark.parametrize("recipe", TREES_OWN)
def test_what_the_tree_brings_on_itself_is_its_fault(tmp_path: Path, recipe: str) -> None:
    folder = new_repo(tmp_path / "tree", {"Makefile": f"all:\n{recipe}"})
    tree = tree_of(folder)
    assert tree.build(tree.repo.commit("stable")).verdict.state is State.FAILED
    assert tree.known(tree.repo.commit("stable")) is not None


@pytest.mark.parametrize("code", [-9, 137, 143, 129])
def test_a_command_that_a_signal_ended_is_none_of_the_trees(code: int) -> None:
    assert "signal" in machine_fault(code, "")


def test_a_failure_that_names_no_line_is_tried_once_more(tmp_path: Path) -> None:
    seen = tmp_path / "outside"
    seen.mkdir()
    recipe = f"\ttest -e {seen}/once || {{ touch {seen}/once; exit 1; }}\n"
    folder = new_repo(tmp_path / "tree", {"Makefile": f"all:\n{recipe}"})
    tree = tree_of(folder, writable=(str(seen),))
    assert tree.build(tree.repo.commit("stable")).verdict.state is State.PASSED


@pytest.mark.parametrize("replay", [False, True])
@pytest.mark.parametrize("what", ["compiler", "configuration", "environment", "interpreter"])
def test_a_verdict_does_not_outlive_what_it_was_come_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, replay: bool
) -> None:
    """A compiler of another name, README's own recipe, a variable, and (watched) what a recipe ran."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("mycc", "tool"):
        (outside / name).write_text("#!/bin/sh\nexit 0\n")
        (outside / name).chmod(0o755)
    (outside / "my.config").write_text("X=1\n")
    monkeypatch.setenv("PATH", f"{outside}:{os.environ['PATH']}")
    recipe = f"\t$(CC) a.c\n\t{outside}/tool\n\ttest -z '$(BROKEN)'\n\t! grep -q bad .config\n"
    folder = new_repo(tmp_path / "tree", {"Makefile": f"all:\n{recipe}", "a.c": "\n"})
    command = f"cp {outside}/my.config .config && make CC=mycc"
    tree = tree_of(folder, command, replay=replay, readable=(str(outside),))
    commit = tree.repo.commit("stable")
    assert tree.build(commit).verdict.state is State.PASSED
    assert tree.known(commit) is not None
    if what == "compiler":
        (outside / "mycc").write_text("#!/bin/sh\nexit 1\n")
    elif what == "interpreter":
        if not replay:
            return  # nothing says what a recipe runs
        (outside / "tool").write_text("#!/bin/sh\nexit 1\n")
    elif what == "configuration":
        (outside / "my.config").write_text("bad=1\n")
    else:
        monkeypatch.setenv("BROKEN", "1")
    again = tree_of(folder, command, replay=replay, readable=(str(outside),))
    assert again.known(commit) is None
    assert again.build(commit).verdict.state is State.FAILED


@pytest.mark.skipif(bool(unusable()), reason="no usable bubblewrap")
@pytest.mark.parametrize("replay", [False, True])
@pytest.mark.parametrize("mend", ["readable", "no sandbox"])
def test_what_a_build_could_not_see_is_no_verdict_once_it_can(
    tmp_path: Path, mend: str, replay: bool
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "my.config").write_text("X=1\n")
    folder = new_repo(tmp_path / "tree", {"Makefile": f"all:\n\tcat {outside}/my.config\n"})
    hidden = tree_of(folder, replay=replay)
    commit = hidden.repo.commit("stable")
    assert hidden.build(commit).verdict.state is State.FAILED
    assert hidden.known(commit) is not None
    if mend == "readable":
        again = tree_of(folder, replay=replay, readable=(str(outside),))
    else:
        again = tree_of(folder, replay=replay, boxed=SandboxUse.OFF)
    assert again.known(commit) is None
    assert again.build(commit).verdict.state is State.PASSED
    assert tree_of(folder, replay=replay).known(commit) is not None  # as it was, it is known


@pytest.mark.parametrize("variable", ["GITHUB_RUN_ID", "CI_JOB_ID", "RUNNER_TRACKING_ID"])
def test_the_next_job_of_a_ci_system_knows_the_verdicts_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """And no build can have looked at what differs."""
    folder = new_repo(tmp_path / "tree", {"Makefile": f'all:\n\ttest -z "$${variable}$$GIT_X"\n'})
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv(variable, "1")
    tree = tree_of(folder)
    commit = tree.repo.commit("stable")
    assert tree.build(commit).verdict.state is State.PASSED
    monkeypatch.setenv(variable, "2")
    assert tree_of(folder).known(commit) is not None
    wanted = tree_of(folder, passed=(variable,))
    assert wanted.known(commit) is None
    assert wanted.build(commit).verdict.state is State.FAILED
    monkeypatch.setenv("CI", "false")  # this one the build does get
    assert tree_of(folder).known(commit) is None


GAP: Files = {
    "Makefile": "all: a.o b.o\n%.o: %.c\n\tgcc -c -o $@ $<\n",
    "a.c": '#include "v.h"\nint a = V;\n',
    "b.c": "int b;\n",
    "v.h": "#define V 1\n",
}


def prove(folder: Path, *, audit: int, replay: bool = False) -> tuple[list[State], list[str]]:
    repo = open_repo(folder, Environment.copied(os.environ))
    commits = git(folder, "rev-list", "--reverse", "stable..series").split()
    targets = [Target(n, repo.commit(commit), f"step {n}") for n, commit in enumerate(commits, 1)]
    settings = Settings(build="make", validate=Level.BUILD, audit=audit, replay=replay)
    notes: list[str] = []
    with Prover(repo, settings) as prover:
        prover.note = notes.append
        found = prover.prove(targets, lambda _: None, keep_going=True)
    return [step.state for step in found], notes


def test_an_audit_finds_what_an_incremental_build_does_not_see(tmp_path: Path) -> None:
    """The makefile names no header: only the whole build sees that the second step breaks one."""
    folder = new_repo(tmp_path / "tree", GAP)
    branch_with(folder, "series", "stable", ("one", {"b.c": "int b = 1;\n"}))
    branch_with(folder, "two", "series", ("two", {"v.h": "#define V (\n"}))
    branch_with(folder, "three", "two", ("three", {"b.c": "int b = 2;\n"}))
    git(folder, "branch", "-f", "series", "three")
    states, notes = prove(folder, audit=20)
    assert states == [State.PASSED, State.FAILED, State.FAILED]
    assert "audit of step 3" in notes[0]
    # What was proven again is what the next run knows.
    states, notes = prove(folder, audit=20)
    assert (states, notes) == ([State.PASSED, State.FAILED, State.FAILED], [])


@pytest.mark.parametrize("replay", [False, True])
def test_what_another_command_has_left_is_not_built_upon(tmp_path: Path, replay: bool) -> None:
    """Make sees no reason to compile again for other flags."""
    folder = new_repo(
        tmp_path / "tree", {"Makefile": "a.o: a.c ; gcc $(F) -c a.c\n", "a.c": "int a;\n"}
    )
    (commit,) = branch_with(folder, "series", "stable", ("one", {"README": "1\n"}))
    states = []
    for command in ("make", "make F=-DBROKEN", "make F='-include /nowhere.h'", "true"):
        repo = open_repo(folder, Environment.copied(os.environ))
        cache = Cache(repo.state_dir / "cache")
        tree = BuildTree(repo, cache, command, {}, timeout=60, replay=replay)
        built = tree.build(repo.commit(commit))
        states.append((built.verdict.state, built.verdict.summary))
    passed, failed = (State.PASSED, "built"), (State.FAILED, "exit 2")
    assert states == [passed, passed, failed, (State.PASSED, IDLE)]


def test_another_checkout_of_this_tool_knows_the_verdicts() -> None:
    """PYTHONPATH leads to it; what else is in there is the build's."""
    own = str(Path(__file__).parents[3])
    for path, seen in ((own, None), (f"{own}/:/x", "/x"), (f"/x:{own}/lib", f"/x:{own}/lib")):
        env = Environment.copied({"PYTHONPATH": path, "A": "1"})
        assert env.for_builds().get("PYTHONPATH") == seen
        assert env.for_builds(["PYTHONPATH"])["PYTHONPATH"] == path


def test_what_a_verdict_does_not_depend_on_a_build_does_not_get() -> None:
    seat = {"TERM": "xterm", "COLUMNS": "80", "SSH_CONNECTION": "1", "TMUX": "2", "TMUX_PANE": "3"}
    tree = {"TERMS": "1", "WT": "2", "SSH_X": "3", "XDG_CONFIG_HOME": "/4", "MAKELEVEL": "5"}
    env = Environment.copied({**seat, **tree})
    assert env.for_builds() == tree
    assert env.for_builds(["TERM"]) == {**tree, "TERM": "xterm"}
    keys = {surroundings("make", Path("/"), {**tree, name: "other"}) for name in (*tree, "NEW")}
    assert len(keys - {surroundings("make", Path("/"), tree)}) == len(tree) + 1


def test_behind_a_whole_build_that_was_asked_for_steps_are_replayed(tmp_path: Path) -> None:
    folder = new_repo(tmp_path / "tree", GAP)
    steps: list[tuple[str, Files]] = [(f"{n}", {"b.c": f"int b = {n};\n"}) for n in (1, 2, 3)]
    commits = branch_with(folder, "series", "stable", *steps)
    repo = open_repo(folder, Environment.copied(os.environ))
    one, two, three = (Target(n, repo.commit(x), str(n)) for n, x in enumerate(commits, 1))
    with Prover(repo, Settings(build="make", validate=Level.BUILD, replay=True)) as prover:
        prover.prove_along(one)
        (second,) = prover.prove_along(two)
        assert second.verdicts[0].how == "by 1 command"
        assert prover.bears_out(two, second)
        (third,) = prover.prove_along(three)
        assert third.verdicts[0].how == "by 1 command"
        assert prover.settle()
        assert prover.builds == 5
    with Prover(repo, Settings(build="make", validate=Level.BUILD, replay=True)) as prover:
        assert all(prover.known(step) for step in (one, two, three))


WILD: Files = {
    "Makefile": "all: $(patsubst %.c,%.o,$(wildcard *.c)) ; cat LINKED > all\n"
    "%.o: %.c ; gcc -c -o $@ $<\n",
    "m.c": "int m;\n",
    "old.c": "int old;\n",
}


@pytest.mark.parametrize(
    ("linked", "matters"), [("$^", False), ("*.o", True)], ids=["left over", "left over and used"]
)
def test_what_a_source_that_is_gone_was_compiled_to(
    tmp_path: Path, linked: str, matters: bool
) -> None:
    """Make does not take it away: no difference, until something is made of it."""
    text = str(WILD["Makefile"]).replace("LINKED", linked)
    folder = new_repo(tmp_path / "tree", {**WILD, "Makefile": text})
    branch_with(folder, "series", "stable", ("one", {"m.c": "int m = 1;\n"}))
    branch_with(folder, "two", "series", ("two", {"old.c": None, "new.c": "int old;\n"}))
    git(folder, "branch", "-f", "series", "two")
    states, notes = prove(folder, audit=20)
    assert states == [State.PASSED, State.PASSED]
    assert bool(notes) == matters
    if matters:
        assert "audit of step 2: all is not what the whole build makes" in notes[0]


def test_an_audit_names_the_file_and_what_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that overlooks a change is found out, and nothing of it is believed."""
    from backport.builds.recorded import decide

    folder = new_repo(tmp_path / "tree", GAP)
    branch_with(folder, "series", "stable", ("one", {"b.c": "int b = 1;\n"}))
    branch_with(folder, "two", "series", ("two", {"v.h": "#define V 2\n"}))
    git(folder, "branch", "-f", "series", "two")
    monkeypatch.setattr(decide, "dirty", lambda *_: frozenset())
    states, notes = prove(folder, audit=20, replay=True)
    assert states == [State.PASSED, State.PASSED]
    assert "a.o is not what the whole build makes, made by `gcc -c -o a.o a.c`" in notes[0]


def test_fast_answers_of_a_run_that_was_not_audited_do_not_count(tmp_path: Path) -> None:
    folder = new_repo(tmp_path / "tree", GAP)
    branch_with(folder, "next", "stable", ("next", {"b.c": "int b = 1;\n"}))
    tree = tree_of(folder, audited=True)
    for name in ("stable", "next"):
        tree.build(tree.repo.commit(name))
    commit = tree.repo.commit("next")
    assert tree.known(commit) is not None
    assert tree_of(folder, audited=True).known(commit) is None
    tree.confirm([commit])
    assert tree_of(folder, audited=True).known(commit) is not None


def test_the_cache_stays_in_its_bounds_and_keeps_what_is_used(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=1)
    used = [cache.put_blob(os.urandom(100_000)) for _ in range(20)]
    now = time.time()
    for age, sha in enumerate(used):
        os.utime(tmp_path / "blob" / sha[:2] / sha, (now, now - 3000 + age))
    cache.has_blob(used[0])
    cache.prune()
    kept = [sha for sha in used if (tmp_path / "blob" / sha[:2] / sha).exists()]
    assert sum(p.stat().st_size for p in tmp_path.glob("blob/*/*")) <= 1 << 20
    assert {used[0], used[-1]} <= set(kept)
    assert used[1] not in kept
