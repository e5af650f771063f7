# SPDX-License-Identifier: GPL-2.0-or-later
"""``--base REV``: three-way merges for patches that do not name their blobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.trees import backport, branch_with, commit, git, lines, mbox, new_repo

WHO = ("--author", "A <a@b.c>")


def write_plain(repo: Path, folder: Path, revisions: str) -> str:
    """The commits as a quilt series of plain diffs: no blob is named."""
    folder.mkdir()
    names = []
    for number, one in enumerate(git(repo, "rev-list", "--reverse", revisions).split(), 1):
        diff = git(repo, "diff", "--no-ext-diff", f"{one}^", one) + "\n"
        kept = [line for line in diff.splitlines(keepends=True) if not line.startswith("index ")]
        kept = [line for line in kept if not line.startswith("diff --git")]
        subject = git(repo, "show", "-s", "--format=%s", one)
        names.append(f"{number}.patch")
        (folder / names[-1]).write_text(f"Subject: {subject}\n\n" + "".join(kept))
    (folder / "series").write_text("".join(f"{name}\n" for name in names))
    return str(folder / "series")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The branch changed lines beside those that the two patches change."""
    repo = new_repo(tmp_path / "repo", {"f": lines(count=40), "g": lines(count=40)})
    branch_with(
        repo,
        "made",
        "stable",
        ("other", {"f": lines((35, "other"), count=40)}),
        ("one", {"f": lines((10, "ten"), (35, "other"), count=40)}),
        ("two", {"f": lines((10, "TEN"), (11, "eleven"), (35, "other"), count=40)}),
    )
    commit(repo, {"f": lines((7, "ours"), (14, "ours"), count=40)}, "ours")
    return repo


def run(repo: Path, *words: str) -> tuple[int, str]:
    done = backport(repo, "apply", "--branch", "stable", *WHO, "--validate", "none", *words)
    return done.exit_code, done.output


def test_a_series_goes_on_by_merges_against_its_base(repo: Path, tmp_path: Path) -> None:
    """The second patch is made on what the first one leaves, which no commit need hold."""
    series = write_plain(repo, tmp_path / "q", "made~2..made")
    code, out = run(repo, "--series", series)
    assert code == 3 and "does not fit" in out
    backport(repo, "abort")
    git(repo, "branch", "base", "made~2")
    git(repo, "branch", "-D", "-q", "made")
    code, out = run(repo, "--series", series, "--base", "base")
    assert code == 0, out
    assert "2 merged" in out
    wanted = lines((7, "ours"), (10, "TEN"), (11, "eleven"), (14, "ours"), count=40)
    assert git(repo, "show", "stable:f") + "\n" == wanted


def test_the_configuration_names_it(repo: Path, tmp_path: Path) -> None:
    git(repo, "config", "backport.base", "made~2")
    series = write_plain(repo, tmp_path / "q", "made~2..made")
    assert run(repo, "--series", series)[0] == 0


def test_hunks_that_stand_at_other_lines_of_the_base(repo: Path, tmp_path: Path) -> None:
    series = write_plain(repo, tmp_path / "q", "made~2..made")
    base = branch_with(
        repo, "b", "made~2", ("b", {"f": "above\n" * 5 + lines((35, "other"), count=40)})
    )
    code, out = run(repo, "--series", series, "--base", base[0])
    assert code == 0, out
    assert "line 10\n" not in git(repo, "show", "stable:f")


def test_what_does_not_fit_the_base_is_said(repo: Path, tmp_path: Path) -> None:
    series = write_plain(repo, tmp_path / "q", "made~2..made")
    code, out = run(repo, "--series", series, "--base", "stable")
    assert code == 3
    words = " ".join(out.split())
    assert "is not what the patch was made for: line 7, hunk 1: does not fit" in words
    backport(repo, "abort")
    commit(repo, {"f": lines(count=40)}, "as it was")
    base = git(repo, "rev-parse", "stable^")
    code, out = run(repo, "--series", series, "--base", base)
    assert code == 0, out
    assert "by context" in out and "is not what the patch was made for" in " ".join(out.split())


def test_a_patch_that_names_blobs_at_hand_keeps_them(repo: Path, tmp_path: Path) -> None:
    series = tmp_path / "s.mbox"
    series.write_bytes(mbox(repo, "made~2..made"))
    code, out = run(repo, "--series", str(series), "--base", "stable")
    assert code == 0, out
    assert "is not what the patch was made for" not in out


def test_a_run_that_is_carried_on_means_the_same_base(repo: Path, tmp_path: Path) -> None:
    """The branch that was named moves while the user resolves a conflict."""
    git(repo, "branch", "base", "made~2")
    git(repo, "checkout", "-q", "stable")
    commit(repo, {"g": lines((20, "ours"), count=40)}, "g")
    branch_with(repo, "more", "made~2", ("g: 20", {"g": lines((20, "theirs"), count=40)}))
    first = write_plain(repo, tmp_path / "first", "more~1..more")
    second = write_plain(repo, tmp_path / "second", "made~2..made")
    code, out = run(repo, "--series", first, "--series", second, "--base", "base")
    assert code == 3 and "both sides changed the same lines" in out
    git(repo, "branch", "-f", "base", "stable")
    folder = repo / ".git/backport/conflict"
    git(folder, "checkout", "-q", "--theirs", "g")
    git(folder, "add", "g")
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    assert "TEN" in git(repo, "show", "stable:f")


def test_a_file_with_another_name_here_is_found_from_the_base(repo: Path, tmp_path: Path) -> None:
    series = write_plain(repo, tmp_path / "q", "made~2..made")
    commit(repo, {"f": None, "moved.c": lines((7, "ours"), (14, "ours"), count=40)}, "move")
    code, out = run(repo, "--series", series, "--base", "made~2")
    assert code == 0, out
    assert "TEN" in git(repo, "show", "stable:moved.c")


def test_a_revision_that_is_none(repo: Path, tmp_path: Path) -> None:
    series = write_plain(repo, tmp_path / "q", "made~2..made")
    code, out = run(repo, "--series", series, "--base", "nowhere")
    assert code == 2 and "'nowhere' names no commit" in out
