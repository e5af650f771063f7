# SPDX-License-Identifier: GPL-2.0-or-later
"""A series file whose order does not fit: the stop says what else there is, and that it works."""

from __future__ import annotations

from pathlib import Path

from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo


def test_a_wrong_series_file_is_hinted_at(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"f": lines()})
    steps = [("one", {"f": lines((5, "five"))}), ("two", {"f": lines((5, "V"))})]
    branch_with(repo, "topic", "stable", *steps)
    folder = tmp_path / "patches"
    git(repo, "format-patch", "-q", "-N", "-o", str(folder), "stable..topic")
    one, two = sorted(folder.glob("*.patch"))
    one.rename(folder / "one.patch")
    two.rename(folder / "two.patch")
    (folder / "series").write_text("two.patch\none.patch\n")
    words = ("apply", "--branch", "stable", "--series", str(folder), "--to", "made")
    stopped = backport(repo, *words)
    assert stopped.exit_code == 3, stopped.output
    assert "copy of the folder without" in " ".join(stopped.output.split())
    assert backport(repo, "abort").exit_code == 0
    (folder / "series").unlink()
    done = backport(repo, *words)
    assert done.exit_code == 0, done.output
    assert git(repo, "rev-parse", "made^{tree}") == git(repo, "rev-parse", "topic^{tree}")


def test_the_order_is_not_doubted_where_no_later_patch_could_help(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"f": lines(), "g": lines()})
    steps = [("one", {"f": lines((5, "five"))}), ("two", {"g": lines((5, "V"))})]
    branch_with(repo, "topic", "stable", *steps)
    folder = tmp_path / "patches"
    git(repo, "format-patch", "-q", "-N", "-o", str(folder), "stable..topic")
    names = sorted(path.name for path in folder.glob("*.patch"))
    (folder / "series").write_text("".join(f"{name}\n" for name in names))
    git(repo, "checkout", "-q", "-B", "other", "stable")
    commit(repo, {"f": lines((5, "another"))}, "diverged")
    words = ("apply", "--branch", "other", "--series", str(folder), "--to", "made")
    stopped = backport(repo, *words)
    assert stopped.exit_code == 3, stopped.output
    assert "copy of the folder" not in " ".join(stopped.output.split())
