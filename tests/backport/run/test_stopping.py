# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user meets when a run stops: what is missing, how to see the sides, and where he may stand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from backport.run.markers import Style, open_hunks, styled
from series.model import Hunk, HunkLine
from tests.backport.test_interrupts import at_a_terminal
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo, refs

ROOT = Path(__file__).parents[3]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``master`` has a feature and its fix; ``stable-1.0`` has neither."""
    made = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": lines()}, "stable-1.0")
    branch_with(
        made,
        "master",
        "stable-1.0",
        ("feature: frames", {"a.c": lines((10, "frames = map(d)"))}),
        ("fix: frames", {"a.c": lines((10, "frames = !map(d)"), (25, "unmap(d)"))}),
    )
    return made


def words(*more: str) -> tuple[str, ...]:
    where = ("--branch", "stable-1.0", "--series", "master", "--upstream", "master")
    return ("apply", *where, "--validate", "none", *more)


def typed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line as a user types it, in ``folder``."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "backport", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def conflict(repo: Path) -> Path:
    return repo / ".git/backport/conflict"


def test_the_parent_is_named_beside_a_conflict(repo: Path) -> None:
    parent = git(repo, "rev-parse", "--short=12", "master~1")
    done = backport(repo, *words())
    assert done.exit_code == 3, done.output
    assert f"{parent} 'feature: frames' writes 'frames = map(d)' in a.c" in done.output
    assert "of 2 hunks 2 is done, 1 is left to you" in done.output
    assert "git diff :1:a.c :3:a.c" in done.output
    assert "backport continue --prerequisites take" in " ".join(done.output.split())
    assert (
        "unmap(d)" in git(conflict(repo), "show", ":1:a.c") + (conflict(repo) / "a.c").read_text()
    )
    status = backport(repo, "status")
    assert "unresolved  a.c: both sides" in status.output
    assert "'feature: frames' writes" in status.output
    assert "or `backport continue --prerequisites take` picks" in status.output
    stated = json.loads(backport(repo, "status", "--json", "-").stdout)
    assert [one["commit"][:12] for one in stated["missing"]] == [parent]


def test_resolved_by_hand(repo: Path) -> None:
    assert backport(repo, *words()).exit_code == 3
    (conflict(repo) / "a.c").write_text(lines((25, "unmap(d)")))
    git(conflict(repo), "add", "a.c")
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    assert git(repo, "log", "-1", "--format=%s", "stable-1.0") == "fix: frames"


def test_the_only_patch_left_out_is_not_called_there(repo: Path) -> None:
    """By `skip`, and by a resolution that keeps the branch's side."""
    assert backport(repo, *words()).exit_code == 3
    skipped = backport(repo, "skip").stdout
    assert backport(repo, *words()).exit_code == 3
    git(conflict(repo), "checkout", "-q", "--ours", ".")
    git(conflict(repo), "add", ".")
    kept = backport(repo, "continue").stdout
    for said in (skipped, kept):
        assert "stable-1.0: nothing was applied" in said
        assert "already" not in said


def test_taken_after_the_stop(repo: Path) -> None:
    assert backport(repo, *words()).exit_code == 3
    done = backport(repo, "continue", "--prerequisites", "take")
    assert done.exit_code == 0, done.output
    subjects = git(repo, "log", "-2", "--format=%s", "stable-1.0").split("\n")
    assert subjects == ["fix: frames", "feature: frames"]
    assert git(repo, "rev-parse", "stable-1.0^{tree}") == git(repo, "rev-parse", "master^{tree}")
    assert not conflict(repo).exists()


def test_refused_after_the_stop(repo: Path) -> None:
    """What was resolved by hand goes on; what was not is refused, and waits."""
    assert backport(repo, *words()).exit_code == 3
    refused = backport(repo, "continue", "--prerequisites", "stop")
    assert refused.exit_code == 4, refused.output
    assert "the patch waits for 1 commit of upstream" in refused.output
    assert "unresolved  a.c" in backport(repo, "status").output
    (conflict(repo) / "a.c").write_text(lines((25, "unmap(d)")))
    git(conflict(repo), "add", "a.c")
    assert backport(repo, "continue", "--prerequisites", "stop").exit_code == 0


def test_nothing_is_taken_from_an_upstream_that_nobody_named(repo: Path) -> None:
    """The run stops as on any conflict, and says why nothing was taken."""
    given = ("--branch", "stable-1.0", "--series", "master", "--prerequisites", "take")
    assert backport(repo, "plan", *given).exit_code == 3
    done = backport(repo, "apply", *given, "--validate", "none")
    assert done.exit_code == 3, done.output
    assert "no upstream is known to take from" in done.output
    again = backport(repo, "continue", "--prerequisites", "take")
    assert again.exit_code == 2 and "no upstream is known" in again.output, again.output


def test_a_continue_that_is_refused_changes_no_setting(repo: Path) -> None:
    """What it was refused for is not asked of the next one."""
    without = ("--branch", "stable-1.0", "--series", "master", "--validate", "none")
    assert backport(repo, "apply", *without).exit_code == 3
    journal = repo / ".git/backport/run/state.json"
    before = journal.read_bytes()
    refused = backport(repo, "continue", "--prerequisites", "take", "--validate", "build")
    assert refused.exit_code == 2, refused.output
    assert journal.read_bytes() == before
    assert backport(repo, "abort").exit_code == 0

    assert backport(repo, *words()).exit_code == 3
    before = journal.read_bytes()
    assert backport(repo, "continue", "--prerequisites", "stop").exit_code == 4
    assert journal.read_bytes() == before


def test_the_bar_counts_what_is_taken(repo: Path) -> None:
    ended = at_a_terminal(words("--prerequisites", "take"), repo, lambda *_: False)
    assert ended.code == 0
    assert "2/2" in ended.screen and "2/1" not in ended.screen


def test_status_breaks_its_lines_between_words(repo: Path) -> None:
    """A terminal of 80 columns would cut an id, or what is to be typed."""
    assert backport(repo, *words()).exit_code == 3
    screen = at_a_terminal(("status",), repo, lambda *_: False).screen
    assert "`backport continue --prerequisites take`" in " ".join(screen.split())
    assert max(len(line) for line in screen.splitlines() if str(repo) not in line) <= 80


def test_a_resolution_begun_is_not_thrown_away(repo: Path) -> None:
    assert backport(repo, *words()).exit_code == 3
    (conflict(repo) / "a.c").write_text("half of it\n")
    done = backport(repo, "continue", "--prerequisites", "take")
    assert done.exit_code == 2, done.output
    assert (conflict(repo) / "a.c").read_text() == "half of it\n"


@pytest.mark.parametrize(
    ("wanted", "code"), [("stop", 4), ("ignore", 3), ("report", 3), ("take", 0)]
)
def test_each_way(repo: Path, wanted: str, code: int) -> None:
    before = refs(repo)
    planned = backport(
        repo, "plan", *words("--prerequisites", wanted)[1:-4], "--prerequisites", wanted
    )
    assert planned.exit_code == code, planned.output
    assert refs(repo) == before
    done = backport(repo, *words("--prerequisites", wanted))
    assert done.exit_code == code, done.output
    assert ("'feature: frames' writes" in done.output) == (wanted in ("stop", "report"))
    if wanted == "stop":
        assert refs(repo) == before
        assert not conflict(repo).exists()


def test_what_a_missing_commit_took_away_is_named(tmp_path: Path) -> None:
    """Nothing that the patch expects is missing: lines stand in its way."""
    repo = new_repo(tmp_path / "repo", {"a.c": lines()}, "stable-1.0")
    without = "".join(f"line {n}\n" for n in range(1, 31) if n != 10)
    branch_with(
        repo,
        "master",
        "stable-1.0",
        ("drop ten", {"a.c": without}),
        ("nine and eleven", {"a.c": without.replace("line 9\nline 11\n", "nine\neleven\n")}),
    )
    done = backport(repo, *words())
    assert done.exit_code == 3
    assert "'drop ten' removes 'line 10' in a.c" in done.output


def test_the_commit_that_deletes_what_the_patch_makes_anew(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": "b\n"}, "stable-1.0")
    branch_with(
        repo,
        "master",
        "stable-1.0",
        ("drop a", {"a.c": None}),
        ("a anew", {"a.c": "quite\nanother\n"}),
    )
    done = backport(repo, *words())
    assert done.exit_code == 3
    assert "'drop a' deletes a.c" in done.output


def test_a_mail_waits_for_what_was_before_it(repo: Path, tmp_path: Path) -> None:
    """Its commit is not known, but the blob that it was made from is: what came later does not count."""
    git(repo, "checkout", "-q", "master")
    commit(repo, {"a.c": lines((10, "frames = map(d)"), (12, "later"))}, "frames: as before")
    git(repo, "checkout", "-q", "stable-1.0")
    box = tmp_path / "fix.mbox"
    data = git(repo, "format-patch", "--stdout", "-1", "master~1")
    box.write_text("From nobody Mon Sep 17 00:00:00 2001\n" + data.split("\n", 1)[1] + "\n")
    where = ("--branch", "stable-1.0", "--series", str(box), "--upstream", "master")
    done = backport(repo, "apply", *where)
    assert done.exit_code == 3
    assert "'feature: frames' writes" in done.output
    assert "as before" not in done.output


def test_continue_works_inside_of_the_conflict(repo: Path) -> None:
    assert backport(repo, *words()).exit_code == 3
    assert "unresolved  a.c" in typed(conflict(repo), "status").stdout
    (conflict(repo) / "a.c").write_text(lines((25, "unmap(d)")))
    git(conflict(repo), "add", "a.c")
    done = typed(
        conflict(repo), "continue", "--validate", "build", "--build", "true", "--json", "../../../o"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((repo / "o").read_text())["steps"][0]["state"] == "resolved"
    assert f"cd {repo}" in done.stderr
    assert git(repo, "log", "-1", "--format=%s", "stable-1.0") == "fix: frames"
    assert not conflict(repo).exists()


def test_the_next_conflict_is_where_the_shell_stands(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": lines()}, "stable-1.0")
    branch_with(
        repo,
        "master",
        "stable-1.0",
        ("one", {"a.c": lines((5, "theirs"))}),
        ("two", {"a.c": lines((5, "theirs")), "b.c": lines((5, "theirs"))}),
    )
    commit(repo, {"a.c": lines((5, "ours")), "b.c": lines((5, "ours"))}, "ours")
    where = ("--branch", "stable-1.0", "--series", "stable-1.0..master")
    assert backport(repo, "apply", *where).exit_code == 3
    script = (
        f'cd "{conflict(repo)}"; git checkout -q --theirs a.c; git add a.c;'
        f' "{sys.executable}" -P -m backport continue;'
        " ls b.c && git checkout -q --theirs b.c && git add b.c &&"
        f' "{sys.executable}" -P -m backport continue'
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert git(repo, "log", "-2", "--format=%s", "stable-1.0") == "two\none"


def test_abort_and_json_inside_of_the_conflict(repo: Path) -> None:
    before = refs(repo)
    assert backport(repo, *words()).exit_code == 3
    refused = typed(conflict(repo), "continue", "--json", "out.json")
    assert refused.returncode == 2
    assert "that folder goes with the conflict" in refused.stderr
    done = typed(conflict(repo), "abort")
    assert done.returncode == 0, done.stderr
    assert refs(repo) == before


CONTENT = (
    b"one\n<<<<<<< file\nshared\nours\nend\n||||||| file\nbase\n=======\nshared\ntheirs\nend\n"
    b">>>>>>> file\ntwo\n"
)


def test_the_styles() -> None:
    labels = ("stable", "base", "patch")
    assert styled(CONTENT, Style.DIFF3, labels).startswith(b"one\n<<<<<<< stable\nshared\nours\n")
    assert styled(CONTENT, Style.MERGE, labels) == (
        b"one\nshared\n<<<<<<< stable\nours\n=======\ntheirs\n>>>>>>> patch\nend\ntwo\n"
    )
    assert b"shared\n<<<<<<< stable\nours\n||||||| base\nbase\n===" in styled(
        CONTENT, Style.ZDIFF3, labels
    )


def test_hunks_are_open_where_a_block_stands() -> None:
    plain = b"one\nshared\ntheirs\nend\ntwo\n"
    hunks = [
        Hunk(1, 1, 1, 1, b"", (HunkLine(b"-", b"eins\n"), HunkLine(b"+", b"one\n"))),
        Hunk(3, 1, 3, 1, b"", (HunkLine(b"-", b"base\n"), HunkLine(b"+", b"theirs\n"))),
    ]
    assert open_hunks(CONTENT, plain, hunks) == (2,)
    assert open_hunks(CONTENT, None, [replace(hunks[1], lines=(HunkLine(b"+", b"x\n"),))]) == ()


@pytest.mark.parametrize("style", ["merge", "zdiff3", "diff3"])
def test_the_users_conflict_style(repo: Path, style: str) -> None:
    git(repo, "config", "merge.conflictStyle", style)
    assert backport(repo, *words()).exit_code == 3
    text = (conflict(repo) / "a.c").read_text()
    assert ("\n||||||| " in text) == (style != "merge")
    assert "\n<<<<<<< stable-1.0\n" in text


def test_an_unknown_conflict_style_changes_nothing(repo: Path) -> None:
    git(repo, "config", "merge.conflictStyle", "fancy")
    before = refs(repo)
    done = backport(repo, *words())
    assert done.exit_code == 2
    assert "merge.conflictStyle" in done.output
    assert refs(repo) == before
    assert "no run in progress" in backport(repo, "status").output


def test_git_commit_there_has_the_patchs_words(repo: Path) -> None:
    git(repo, "config", "core.commentChar", ";")
    git(repo, "commit", "-q", "--allow-empty", "-m", "x")
    assert backport(repo, *words()).exit_code == 3
    (conflict(repo) / "a.c").write_text(lines((25, "unmap(d)")))
    git(conflict(repo), "add", "a.c")
    git(conflict(repo), "-c", "core.editor=true", "commit", "-q")
    assert git(conflict(repo), "log", "-1", "--format=%B").strip() == "fix: frames"
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    assert "were not used" not in done.output


def test_hunks_are_listed_in_runs(tmp_path: Path) -> None:
    changed = [(n, f"changed {n}") for n in range(5, 100, 10)]
    repo = new_repo(tmp_path / "repo", {"a.c": lines(count=100)}, "stable-1.0")
    branch_with(repo, "master", "stable-1.0", ("ten", {"a.c": lines(*changed, count=100)}))
    commit(repo, {"a.c": lines((45, "ours"), (75, "ours"), count=100)}, "ours")
    done = backport(repo, *words("--prerequisites", "ignore"))
    assert "of 10 hunks 1-4, 6-7, 9-10 are done, 5, 8 are left to you" in done.output


@pytest.mark.parametrize(("wanted", "taken"), [("report", False), ("take", False)])
def test_what_only_common_lines_point_to_is_named_and_never_taken(
    tmp_path: Path, wanted: str, taken: bool
) -> None:
    """The missing commit moved a line: nothing is new in the file, nothing gone."""
    start = "".join(f"case {n}:\n" for n in range(1, 31))
    moved = start.replace("case 10:\n", "") + "case 10:\n"
    repo = new_repo(tmp_path / "repo", {"a.c": start}, "stable-1.0")
    branch_with(
        repo,
        "master",
        "stable-1.0",
        ("move ten", {"a.c": moved}),
        ("drop nine and eleven", {"a.c": moved.replace("case 9:\ncase 11:\n", "")}),
    )
    done = backport(repo, *words("--prerequisites", wanted))
    assert done.exit_code == 3, done.output
    assert "'move ten' removes 'case 10:' in a.c" in done.output
    assert ("move ten" in git(repo, "log", "--format=%s", "--all", "--not", "master")) is taken


def test_the_process_steps_out_of_a_folder_that_goes(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool of processes asks where it stands."""
    assert backport(repo, *words()).exit_code == 3
    monkeypatch.chdir(conflict(repo))
    assert backport(repo, "abort").exit_code == 0
    assert Path.cwd() == repo
