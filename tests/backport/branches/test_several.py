# SPDX-License-Identifier: GPL-2.0-or-later
"""One command onto several branches: newest first, each with a run of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backport.branches.choosing import part_name
from tests.backport.trees import backport, branch_with, commit, git, lines, mbox, new_repo, refs

ROOT = Path(__file__).parents[3]
NAMES = ("stable-4.10", "stable-4.11", "stable-4.12")
MANY = ("apply", "--branches", "stable-4.*", "--validate", "none")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Three stable branches; on master a fix that clashes with all of them, and one that goes on."""
    made = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": lines()}, "master")
    for name in NAMES:
        git(made, "branch", name)
    commit(made, {"a.c": lines((10, "moved on"))}, "move")
    commit(made, {"a.c": lines((10, "moved on"), (11, "fix"))}, "the fix")
    commit(made, {"b.c": lines((3, "drei"))}, "clean")
    return made


def worktree(repo: Path, branch: str) -> Path:
    return repo / ".git/backport/branches" / branch / "conflict"


def resolve(repo: Path, branch: str, text: str = lines((11, "fix"))) -> None:
    (worktree(repo, branch) / "a.c").write_text(text)
    git(worktree(repo, branch), "add", "a.c")


def run(repo: Path, *words: str, code: int = 0) -> dict[str, Any]:
    done = backport(repo, *words, "--json", "-")
    assert done.exit_code == code, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["exit_code"] == code
    return document


def states(document: dict[str, Any]) -> dict[str, str]:
    return {one["branch"]: one["state"] for one in document["branches"]}


def tips(repo: Path, *names: str) -> list[str]:
    return [git(repo, "rev-parse", name) for name in names or NAMES]


def left(repo: Path) -> list[str]:
    """What is still there of runs."""
    state = repo / ".git/backport"
    found = [
        str(x.relative_to(state)) for x in state.rglob("*") if x.name not in ("lock", "moves.json")
    ]
    return [*found, *git(repo, "for-each-ref", "refs/backport").splitlines()]


@pytest.mark.parametrize("order", [NAMES, NAMES[::-1], (NAMES[1], NAMES[2], NAMES[0], NAMES[1])])
def test_newest_first_whatever_the_order_given(repo: Path, order: tuple[str, ...]) -> None:
    words = [word for name in order for word in ("--branch", name)]
    document = run(repo, "apply", *words, "master")
    assert [one["branch"] for one in document["branches"]] == list(NAMES[::-1])
    assert states(document) == dict.fromkeys(NAMES, "moved")
    assert all(git(repo, "show", f"{name}:b.c") + "\n" == lines((3, "drei")) for name in NAMES)
    assert left(repo) == []


def test_a_version_with_more_parts_is_newer_and_a_name_without_comes_first(repo: Path) -> None:
    for name in ("stable-4.10.1", "stable-next", "stable-4.9"):
        git(repo, "branch", name, "stable-4.10")
    document = run(repo, "apply", "--branches", "stable-*", "master")
    names = [one["branch"].removeprefix("stable-") for one in document["branches"]]
    assert names == ["next", "4.12", "4.11", "4.10.1", "4.10", "4.9"]


@pytest.mark.parametrize("way", ["commits", "mailbox"])
def test_a_conflict_is_resolved_once(repo: Path, tmp_path: Path, way: str) -> None:
    """Also of a mailbox, whose commits name no origin."""
    before = tips(repo)
    if way == "mailbox":
        box = tmp_path / "two.mbox"
        box.write_bytes(mbox(repo, "master~2..master"))
        stopped = run(repo, *MANY, "--series", str(box), code=3)
    else:
        stopped = run(repo, *MANY, "master~1", "master", code=3)
    assert states(stopped) == dict(zip(NAMES, ("waits", "waits", "stopped"), strict=True))
    assert [x["waits_for"] for x in stopped["branches"]] == [None, NAMES[2], NAMES[2]]
    assert tips(repo) == before
    assert not worktree(repo, NAMES[0]).exists()
    resolve(repo, NAMES[2])
    document = run(repo, "continue")
    found = [[cell["state"] for cell in one["patches"]] for one in document["branches"]]
    assert found == [["resolved", "applied"], ["applied", "applied"], ["applied", "applied"]]
    hows = [one["patches"][0]["how"] for one in document["branches"]]
    assert hows == ["by hand", "as stable-4.12 has it", "as stable-4.11 has it"]
    assert all(git(repo, "show", f"{name}:a.c") + "\n" == lines((11, "fix")) for name in NAMES)
    assert left(repo) == []
    assert git(repo, "worktree", "list").count("\n") == 0


def test_only_what_is_new_on_the_next_branch_is_left_open(repo: Path) -> None:
    """Two files clash on the newest; on the next one a third place does, and the two are resolved."""
    git(repo, "checkout", "-q", NAMES[0])
    commit(repo, {"b.c": lines((3, "of 4.10"))}, "in the way of 4.10")
    git(repo, "checkout", "-q", "master")
    commit(repo, {"c.c": lines((5, "up"))}, "c")
    for name in NAMES:
        git(repo, "checkout", "-q", name)
        commit(repo, {"c.c": lines((5, "stable"))}, "c, otherwise")
    git(repo, "checkout", "-q", "master")
    changed = {
        "a.c": lines((10, "moved on"), (11, "fix"), (12, "more")),
        "b.c": lines((3, "drei"), (4, "vier")),
    }
    commit(repo, {**changed, "c.c": lines((5, "up"), (6, "sechs"))}, "three files")
    words = ("--branch", NAMES[2], "--branch", NAMES[0], "--validate", "none")
    stopped = run(repo, "apply", *words, "master", code=3)
    found = [one["path"] for one in stopped["branches"][0]["conflict"]]
    assert found == ["a.c", "b.c", "c.c"]
    top = worktree(repo, NAMES[2])
    for name, text in (
        ("a.c", lines((12, "more"))),
        ("b.c", lines((4, "vier"))),
        ("c.c", lines((5, "stable"), (6, "sechs"))),
    ):
        (top / name).write_text(text)
        git(top, "add", name)
    stopped = run(repo, "continue", code=3)
    assert [one["path"] for one in stopped["branches"][1]["conflict"]] == ["b.c"]
    assert "begun from what stable-4.12 has" in stopped["branches"][1]["conflict"][0]["reason"]
    assert git(worktree(repo, NAMES[0]), "show", ":a.c") + "\n" == lines((12, "more"))


def test_status_is_the_matrix(repo: Path) -> None:
    backport(repo, *MANY, "master~1", "master")
    said = backport(repo, "status").output
    rows = [line.split() for line in said.splitlines()[:3]]
    assert rows[0] == ["patch", *NAMES[::-1]]
    assert rows[1] == ["the", "fix", "CONFLICT", ".", "."]
    assert "stable-4.11: waits for stable-4.12" in said
    assert "git diff :1:a.c :3:a.c" in said
    assert json.loads(backport(repo, "status", "--json", "-").stdout)["phase"] == "several"


def test_without_waiting_each_has_a_conflict_of_its_own(repo: Path) -> None:
    stopped = run(repo, *MANY, "--no-wait", "master~1", "master", code=3)
    assert states(stopped) == dict.fromkeys(NAMES, "stopped")
    assert len({one["worktree"] for one in stopped["branches"]}) == 3
    resolve(repo, NAMES[1], lines((11, "of 4.11")))
    document = run(repo, "continue", "--branch", NAMES[1], code=3)
    assert states(document) == dict(zip(NAMES, ("stopped", "moved", "stopped"), strict=True))
    assert "name one with --branch" in backport(repo, "skip").output
    document = run(repo, "skip", "--branch", NAMES[0], code=3)
    assert states(document) == dict(zip(NAMES, ("moved", "moved", "stopped"), strict=True))
    assert git(repo, "show", f"{NAMES[0]}:a.c") + "\n" == lines(), "left out there alone"
    said = backport(repo, "continue")
    assert said.exit_code == 3 and "still unresolved: a.c" in said.output
    resolve(repo, NAMES[2], lines((11, "of 4.12")))
    assert states(run(repo, "continue")) == dict.fromkeys(NAMES, "moved")
    assert left(repo) == []


def test_one_that_waits_can_be_told_to_go_on(repo: Path) -> None:
    run(repo, *MANY, "master~1", code=3)
    refused = backport(repo, "continue", "--branch", NAMES[0])
    assert refused.exit_code == 2
    assert "stable-4.10 waits for stable-4.12, which is not through" in refused.output
    assert states(run(repo, "continue", "--no-wait", code=3)) == dict.fromkeys(NAMES, "stopped")
    skipped = backport(repo, "skip", "--branch", NAMES[0]).output
    assert "nothing applied" in skipped and "already" not in skipped


def test_abort_drops_one_and_the_next_goes_on(repo: Path) -> None:
    before = tips(repo)
    run(repo, *MANY, "master", "master~1", code=3)
    assert backport(repo, "abort", "--branch", NAMES[2]).output == "stable-4.12: was not moved\n"
    stopped = run(repo, "continue", code=3)
    assert states(stopped) == dict(zip(NAMES, ("waits", "stopped", "dropped"), strict=True))
    done = backport(repo, "abort")
    assert done.exit_code == 0, done.output
    assert "stable-4.11: was not moved\nstable-4.10: was not moved\n" in done.output
    assert tips(repo) == before
    assert left(repo) == []
    assert "no run in progress" in backport(repo, "status").output


def broken(repo: Path) -> None:
    """4.11 does not build with the clean fix: ``make`` there wants the old line."""
    git(repo, "checkout", "-q", NAMES[1])
    commit(repo, {"check": "grep -q 'line 3$' b.c\n"}, "check")
    git(repo, "checkout", "-q", "master")


BUILD = (
    "--validate",
    "build",
    "--sandbox",
    "off",
    "--build",
    "cp a.c a.o; test ! -e check || sh check",
)


def test_a_branch_that_fails_does_not_stop_the_others(repo: Path) -> None:
    broken(repo)
    before = tips(repo)
    document = run(repo, *MANY[:3], *BUILD, "master", code=1)
    assert states(document) == dict(zip(NAMES, ("moved", "failed", "moved"), strict=True))
    assert "does not build" in document["branches"][1]["error"]
    after = tips(repo)
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, False]
    assert (
        git(repo, "for-each-ref", "--format=%(refname)", "refs/backport")
        == "refs/backport/rejected"
    )
    assert document["over"] is True
    assert backport(repo, "continue").exit_code == 2


def test_all_or_none(repo: Path) -> None:
    broken(repo)
    before = refs(repo)
    document = run(repo, *MANY[:3], *BUILD, "--atomic", "master", code=1)
    assert states(document) == dict.fromkeys(NAMES, "waits")
    assert document["over"] is False
    assert [line for line in refs(repo).split("\n") if "refs/backport" not in line] == before.split(
        "\n"
    )
    document = run(repo, "continue", "--build", "cp a.c a.o")
    assert states(document) == dict.fromkeys(NAMES, "moved")
    assert all(git(repo, "show", f"{name}:b.c") + "\n" == lines((3, "drei")) for name in NAMES)


def test_none_moves_where_one_cannot(repo: Path) -> None:
    """Somebody else makes a commit on the last of them before the others' conflict is resolved."""
    run(repo, *MANY, "--atomic", "master~1", code=3)
    git(repo, "checkout", "-q", NAMES[0])
    theirs = commit(repo, {"c.c": "x\n"}, "somebody else's")
    git(repo, "checkout", "-q", "master")
    before = tips(repo)
    resolve(repo, NAMES[2])
    document = run(repo, "continue", code=2)
    assert tips(repo) == before
    assert git(repo, "rev-parse", NAMES[0]) == theirs
    assert "has moved since this run began" in document["branches"][2]["error"]
    assert backport(repo, "abort", "--branch", NAMES[0]).exit_code == 0
    assert states(run(repo, "continue"))[NAMES[2]] == "moved"


def test_what_has_moved_is_put_back_where_the_last_one_cannot(repo: Path) -> None:
    """The lock of the last ref is somebody else's: the others have moved by then."""
    before = tips(repo)
    lock = repo / f".git/refs/heads/{NAMES[0]}.lock"
    lock.write_text("")
    document = run(repo, *MANY, "--atomic", "master", code=2)
    assert tips(repo) == before
    assert states(document) == dict.fromkeys(NAMES, "waits")
    lock.unlink()
    assert states(run(repo, "continue")) == dict.fromkeys(NAMES, "moved")


def test_a_branch_that_moves_meanwhile_is_left_alone_and_the_others_go_on(repo: Path) -> None:
    run(repo, *MANY, "master~1", code=3)
    git(repo, "branch", "-f", NAMES[1], "master")
    resolve(repo, NAMES[2])
    document = run(repo, "continue", code=2)
    assert states(document) == dict(zip(NAMES, ("moved", "waits", "moved"), strict=True))
    assert "has moved since this run began" in document["branches"][1]["error"]
    assert git(repo, "rev-parse", NAMES[1]) == git(repo, "rev-parse", "master")
    assert document["branches"][2]["patches"][0]["how"] == "as stable-4.12 has it"


def test_a_branch_has_patches_of_its_own(repo: Path, tmp_path: Path) -> None:
    branch_with(repo, "topic", "stable-4.11", ("the fix", {"a.c": lines((11, "for 4.11"))}))
    own = tmp_path / "xsa-4.11.patch"
    own.write_bytes(mbox(repo, "stable-4.11..topic"))
    words = ("--series", f"4.11={own}", "--series", "master~2..master~1")
    document = run(repo, *MANY, *words, code=3)
    assert states(document) == dict(zip(NAMES, ("waits", "moved", "stopped"), strict=True))
    assert git(repo, "show", "stable-4.11:a.c") + "\n" == lines((11, "for 4.11"))


def test_one_branch_alone_takes_its_version_too(repo: Path, tmp_path: Path) -> None:
    own = tmp_path / "x.patch"
    own.write_bytes(mbox(repo, "master~1..master"))
    done = backport(repo, "apply", "--branch", NAMES[1], "--series", f"4.11={own}")
    assert done.exit_code == 0, done.output
    assert "continue" not in done.output


def test_onto_new_branches(repo: Path) -> None:
    before = tips(repo)
    git(repo, "remote", "add", "origin", "/nowhere")
    document = run(repo, *MANY, "--to", "wip/{branch}", "master")
    assert tips(repo) == before
    made = [f"wip/{name}" for name in NAMES]
    assert len(set(tips(repo, *made))) == 1
    leases = " ".join(f"--force-with-lease={name}:" for name in made[::-1])
    assert document["push"] == [f"git push {leases} origin {' '.join(made[::-1])}"]


def test_the_push_has_a_lease_on_each_old_id(repo: Path) -> None:
    git(repo, "remote", "add", "origin", "/nowhere")
    git(repo, "remote", "add", "mine", "/elsewhere")
    git(repo, "config", f"branch.{NAMES[1]}.pushRemote", "mine")
    before = dict(zip(NAMES, tips(repo), strict=True))
    document = run(repo, *MANY, "--atomic", "master")
    first, second = document["push"]
    assert first.startswith(f"git push --atomic --force-with-lease={NAMES[2]}:{before[NAMES[2]]} ")
    assert first.endswith(f" origin {NAMES[2]} {NAMES[0]}")
    assert second.endswith(f"--force-with-lease={NAMES[1]}:{before[NAMES[1]]} mine {NAMES[1]}")


def test_one_page_for_all_and_notes_on_what_has_moved(repo: Path, tmp_path: Path) -> None:
    broken(repo)
    page = tmp_path / "all.html"
    run(repo, *MANY[:3], *BUILD, "--notes", "--html", str(page), "master", code=1)
    text = page.read_text()
    assert all(name in text for name in NAMES)
    noted = git(repo, "notes", "--ref=backport", "list").split("\n")
    assert sorted(line.split()[1] for line in noted) == sorted({*tips(repo, NAMES[0], NAMES[2])})


def test_a_page_that_cannot_be_written_is_no_failure_of_the_branches(repo: Path) -> None:
    folder = repo / ".git/there"
    folder.mkdir()
    done = backport(repo, *MANY, "--html", str(folder / "no/page.html"), "master")
    assert done.exit_code == 2, "before any work"
    assert left(repo) == []


def test_nothing_to_do_pushes_nothing(repo: Path) -> None:
    git(repo, "remote", "add", "origin", "/nowhere")
    run(repo, *MANY, "master")
    document = run(repo, *MANY, "master")
    assert document["push"] == []
    assert [one["patches"][0]["state"] for one in document["branches"]] == ["already"] * 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--branches", "nothing-*", "master"), "matches no branch"),
        (
            ("--branch", "stable-4.10", "--branch", "stable-9", "master"),
            "'stable-9' names no commit",
        ),
        ((*MANY[1:3], "--to", "one", "master"), "several branches cannot become one"),
        ((*MANY[1:3], "--to", "x/{branch}{name}", "master"), "is all that it may have in braces"),
        ((*MANY[1:3], "--series", "4.9=x.patch"), "none of the branches has 4.9"),
        ((*MANY[1:3], "--series", "4.10=x.patch", "master"), "x.patch: no such mailbox"),
        ((*MANY[1:3], "--series", "4.10=master"), "no series given"),
        (("--branch", "stable-4.10", "--branch", "alias", "master"), "would both move stable-4.10"),
    ],
)
def test_bad_input_changes_nothing(repo: Path, words: tuple[str, ...], said: str) -> None:
    git(repo, "symbolic-ref", "refs/heads/alias", "refs/heads/stable-4.10")
    before = refs(repo)
    done = backport(repo, "apply", *words)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert refs(repo) == before
    assert left(repo) == []


def test_one_command_at_a_time(repo: Path) -> None:
    run(repo, *MANY, "master~1", code=3)
    for words in (MANY, ("apply", "--branch", NAMES[0])):
        refused = backport(repo, *words, "master")
        assert refused.exit_code == 2
        assert "runs onto several branches are not over" in refused.output
    assert "no run onto master" in backport(repo, "continue", "--branch", "master").output
    backport(repo, "abort")
    backport(repo, "apply", "--branch", NAMES[0], "master~1")
    assert "a run onto stable-4.10 stopped" in backport(repo, *MANY, "master").output
    refused = backport(repo, "continue", "--branch", NAMES[1])
    assert refused.exit_code == 2 and "there is one onto stable-4.10" in refused.output


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99}', '{"version": 1, "parts": [{}]}'])
def test_a_list_that_cannot_be_read_is_named_and_dropped(repo: Path, text: str) -> None:
    before = tips(repo)
    run(repo, *MANY, "master~1", code=3)
    (repo / ".git/backport/branches.json").write_text(text)
    for verb in ("status", "continue", "skip"):
        done = backport(repo, verb)
        assert done.exit_code == 2, done.output
        assert "branches.json" in done.output
    assert backport(repo, "abort").exit_code == 0
    assert tips(repo) == before
    assert left(repo) == []


def test_a_rehearsal_is_one_for_each_branch(repo: Path) -> None:
    before = refs(repo)
    done = backport(repo, *MANY, "--dry-run", "master", "--json", "-")
    assert done.exit_code == 0, done.output
    found = [one["branch"] for one in json.loads(done.stdout)["branches"]]
    assert found == list(NAMES[::-1])
    assert refs(repo) == before


def test_the_parts_have_names_that_are_folders_and_refs() -> None:
    names = ["stable-4.10", "wip/x", "a..b", "x.lock", ".x", "HEAD^", "v4~1", "a+b", "a.", "ü"]
    made = [part_name(name) for name in names]
    assert made[:2] == ["stable-4.10", "wip+2f+x"]
    assert len(set(made)) == len(names)
    assert not any("/" in name or ".." in name or name[0] == "." for name in made)


def test_ctrl_c_between_branches_leaves_the_rest_to_be_continued(repo: Path) -> None:
    """The newest has moved, which no interrupt undoes; the next one is being built."""
    git(repo, "checkout", "-q", NAMES[1])
    commit(repo, {"slow": "x\n"}, "slow")
    git(repo, "checkout", "-q", "master")
    before = tips(repo)
    mark = repo / ".git/building"
    build = f"cp a.c a.o; test ! -e slow || {{ touch {mark}; sleep 60; }}"
    words = ("--validate", "build", "--sandbox", "off", "--build", build, "master")
    process = subprocess.Popen(
        [sys.executable, "-m", "backport", *MANY[:3], *words, "--repo", str(repo)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    give_up = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < give_up:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted; moved before that: stable-4.12" in said
    assert tips(repo)[:2] == before[:2] and tips(repo)[2] != before[2]
    document = run(repo, "continue", "--build", "cp a.c a.o")
    assert states(document) == dict.fromkeys(NAMES, "moved")
    assert left(repo)[0].startswith(("build", "cache"))


def test_that_a_result_of_its_own_differs_from_the_remotes_is_no_news(repo: Path) -> None:
    git(repo, "checkout", "-q", NAMES[2])
    published = commit(repo, {"pub": "p\n"}, "published meanwhile")
    git(repo, "update-ref", f"refs/remotes/origin/{NAMES[2]}", published)
    git(repo, "reset", "-q", "--hard", "HEAD~")
    git(repo, "checkout", "-q", "master")
    done = backport(repo, *MANY, "master")
    assert done.exit_code == 0, done.output
    assert "diverged" not in done.output and "and counts" not in done.output
    assert "diverged" in backport(repo, "plan", "--branch", NAMES[1], "master~1").output


def test_new_branches_are_made_also_where_nothing_goes_onto_them(repo: Path) -> None:
    """Who names them goes on with them; there is nothing to push, and `undo` removes them again."""
    assert backport(repo, *MANY, "master").exit_code == 0
    before = refs(repo)
    git(repo, "remote", "add", "origin", "/nowhere")
    done = backport(repo, *MANY, "--to", "wip/{branch}", "master")
    assert done.exit_code == 0, done.output
    assert "stable-4.12 has all of them already" in done.output
    assert "git push" not in done.output
    for name in NAMES:
        assert git(repo, "rev-parse", f"wip/{name}") == git(repo, "rev-parse", name)
    undone = backport(repo, "undo")
    assert undone.exit_code == 0, undone.output
    assert refs(repo) == before
    alone = backport(
        repo, "apply", "--branch", NAMES[0], "--to", "wip", "--validate", "none", "master"
    )
    assert "wip: made at" in alone.output and "stable-4.10 has the patch already" in alone.output
    assert backport(repo, "undo").exit_code == 0
    assert refs(repo) == before


def test_what_a_patch_waits_for_is_judged_by_itself(repo: Path) -> None:
    """Not by what the newer branch was given as the first patch of this very command."""
    git(repo, "checkout", "-q", NAMES[2])
    git(repo, "cherry-pick", "-x", "master~2")
    git(repo, "checkout", "-q", "master")
    words = (
        "--branch",
        NAMES[2],
        "--branch",
        NAMES[0],
        "--upstream",
        "master",
        "--validate",
        "none",
    )
    stopped = run(repo, "apply", *words, "master", "master~1", code=3)
    assert states(stopped) == {NAMES[2]: "moved", NAMES[0]: "stopped"}
    (column,) = [one for one in stopped["branches"] if one["branch"] == NAMES[0]]
    (missing,) = column["missing"]
    assert (missing["subject"], missing["advice"]) == ("move", "take")
