# SPDX-License-Identifier: GPL-2.0-or-later
"""A new file in a directory that the branch has under another name, held against git cherry-pick."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from backport.pick.outcome import How
from series.model import Oid
from tests.backport.pick.test_renamed import pick
from tests.backport.trees import Files, backport, branch_with, git, lines, mbox, new_repo

NAMES = ("a", "b", "c", "d", "e")


def header(name: str) -> str:
    return "".join(f"#define {name}_{n} {n}\n" for n in range(30))


OLD: Files = {**{f"inc/asm-x86/{name}.h": header(name) for name in NAMES}, "main.c": lines()}
NEW = "arch/x86/include/asm"


def moved(*where: str) -> Files:
    """Upstream moves the headers, one to each of ``where``, the rest to the last."""
    folders = [*where, *[where[-1]] * len(NAMES)]
    new: Files = {f"{to}/{name}.h": header(name) for to, name in zip(folders, NAMES, strict=False)}
    return {**new, **{f"inc/asm-x86/{name}.h": None for name in NAMES}}


def make(folder: Path, move: Files, *change: Files) -> tuple[Path, Oid]:
    repo = new_repo(folder, OLD)
    made = branch_with(repo, "up", "stable", ("move", move), *(("x", one) for one in change))
    return repo, Oid(made[-1])


def git_says(repo: Path, commit: Oid) -> str | None:
    """The path that git suggests; empty where it stops for another reason, None where it goes on."""
    git(repo, "checkout", "-q", "--detach", "stable")
    done = subprocess.run(
        ["git", "-C", str(repo), "cherry-pick", commit], capture_output=True, check=False
    )
    if not done.returncode:
        return None
    git(repo, "cherry-pick", "--abort")
    match = re.search(rb"should perhaps be moved to (\S+)\.\n", done.stdout + done.stderr)
    return match[1].decode() if match else ""


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({f"{NEW}/new.h": "#define NEW\n"}, "inc/asm-x86/new.h"),
        ({"arch/new.h": "#define NEW\n"}, None),
        ({"arch/x86/include/new.h": "#define NEW\n"}, None),
        ({"lib/new.h": "#define NEW\n"}, None),
    ],
)
def test_the_place_is_gits(tmp_path: Path, change: Files, wanted: str | None) -> None:
    repo, commit = make(tmp_path / "r", moved(NEW), change, {**change, "main.c": lines((3, "x"))})
    commit = Oid(git(repo, "rev-parse", "up~1"))
    picked = pick(repo, commit)
    said = git_says(repo, commit)
    assert said == wanted
    if wanted is None:
        assert picked.clean
    else:
        (clash,) = picked.clashes
        assert clash.path == wanted.encode()
        assert "is inc/asm-x86/ on this branch" in clash.reason


def test_most_of_its_files_say_where_it_went(tmp_path: Path) -> None:
    repo, _ = make(tmp_path / "r", moved("one", NEW))
    git(repo, "checkout", "-q", "-B", "stable", "up")
    (commit,) = branch_with(repo, "new", "stable~1", ("x", {"inc/asm-x86/new.h": "#define N\n"}))
    (clash,) = pick(repo, Oid(commit)).clashes
    assert clash.path == f"{NEW}/new.h".encode()
    assert git_says(repo, Oid(commit)) == f"{NEW}/new.h"


def test_a_new_directory_below_it_counts(tmp_path: Path) -> None:
    """git lets this one pass."""
    repo, commit = make(tmp_path / "r", moved(NEW), {f"{NEW}/hvm/new.h": "#define NEW\n"})
    (clash,) = pick(repo, commit).clashes
    assert clash.path == b"inc/asm-x86/hvm/new.h"


def test_no_majority_names_both(tmp_path: Path) -> None:
    repo, _ = make(tmp_path / "r", moved("one", "one", NEW, NEW, "other"))
    git(repo, "checkout", "-q", "-B", "stable", "up")
    (commit,) = branch_with(repo, "new", "stable~1", ("x", {"inc/asm-x86/new.h": "#define N\n"}))
    (clash,) = pick(repo, Oid(commit)).clashes
    assert f"inc/asm-x86/ is {NEW}/ or one/ on this branch" in clash.reason
    assert git_says(repo, Oid(commit)) == ""


def test_a_directory_that_is_still_there_has_not_moved(tmp_path: Path) -> None:
    repo, commit = make(
        tmp_path / "r", {**moved(NEW), "inc/asm-x86/a.h": header("a")}, {"inc/asm-x86/n.h": "n\n"}
    )
    assert pick(repo, commit).clean
    assert git_says(repo, commit) is None


def test_a_renamed_file_is_asked_about_as_well(tmp_path: Path) -> None:
    repo, commit = make(tmp_path / "r", moved(NEW), {"main.c": None, f"{NEW}/main.c": lines()})
    picked = pick(repo, commit)
    (clash,) = picked.clashes
    assert clash.path == b"inc/asm-x86/main.c"
    assert picked.tree.entry(b"main.c") is None
    assert git_says(repo, commit) == "inc/asm-x86/main.c"


def test_what_stands_there_already_is_no_doubt(tmp_path: Path) -> None:
    repo, commit = make(tmp_path / "r", moved(NEW), {f"{NEW}/new.h": "#define NEW\n"})
    branch_with(repo, "have", "stable", ("have", {"inc/asm-x86/new.h": "#define NEW\n"}))
    git(repo, "checkout", "-q", "-B", "stable", "have")
    picked = pick(repo, commit)
    (change,) = picked.changes
    assert change.how is How.ALREADY
    assert change.notes == ("is there as inc/asm-x86/new.h",)


def test_it_stops_and_is_laid_out_at_the_place(tmp_path: Path) -> None:
    repo, commit = make(
        tmp_path / "r", moved(NEW), {f"{NEW}/new.h": "#define NEW\n", "main.c": lines((3, "new"))}
    )
    series = tmp_path / "s.mbox"
    series.write_bytes(mbox(repo, f"{commit}^..{commit}"))
    for source in (commit, str(series)):
        done = backport(
            repo, "apply", "--branch", "stable", "--series", source, "--validate", "none"
        )
        assert done.exit_code == 3, done.output
        folder = repo / ".git/backport/conflict"
        assert (folder / "inc/asm-x86/new.h").read_text() == "#define NEW\n"
        assert git(folder, "status", "--porcelain").splitlines() == [
            "UA inc/asm-x86/new.h",
            "M  main.c",
        ]
        if source is commit:
            assert backport(repo, "abort").exit_code == 0
    git(folder, "add", "-A")
    assert backport(repo, "continue").exit_code == 0
    assert git(repo, "show", "stable:inc/asm-x86/new.h") == "#define NEW"


def test_a_change_of_type_there_is_one_conflict(tmp_path: Path) -> None:
    """It is written as a deletion and a creation, and both lead to the file that has another name here."""
    repo, _ = make(tmp_path / "r", moved(NEW))
    git(repo, "checkout", "-q", "up")
    (repo / NEW / "a.h").unlink()
    (repo / NEW / "a.h").symlink_to("b.h")
    git(repo, "commit", "-q", "-a", "-m", "a.h is b.h")
    git(repo, "checkout", "-q", "stable")
    for series in ("up~..up", str(repo / "s.mbox")):
        (repo / "s.mbox").write_bytes(mbox(repo, "up~..up"))
        words = ("--branch", "stable", "--series", series, "--validate", "none")
        done = backport(repo, "apply", *words)
        assert done.exit_code == 3, done.output
        assert "inc/asm-x86/a.h: the patch replaces it with another" in " ".join(
            done.output.split()
        )
        folder = repo / ".git/backport/conflict"
        staged = git(folder, "ls-files", "-u").splitlines()
        assert [line.split()[0] for line in staged] == ["100644", "100644", "120000"]
        assert backport(repo, "abort").exit_code == 0


def test_a_new_file_does_not_hide_the_conflict_of_the_one_that_has_its_place(
    tmp_path: Path,
) -> None:
    """Upstream has the branch's a.h as aaa/aa.h, and makes another a.h beside the others."""
    move = {**moved(NEW), "aaa/aa.h": header("a")}
    move.pop(f"{NEW}/a.h")
    changed = header("a").replace("a_3 3", "a_3 33")
    repo, _ = make(tmp_path / "r", move, {"aaa/aa.h": changed, f"{NEW}/a.h": "#define NEW\n"})
    own = header("a").replace("a_3 3", "a_3 333")
    git(repo, "checkout", "-q", "stable")
    (repo / "inc/asm-x86/a.h").write_text(own)
    git(repo, "commit", "-q", "-a", "-m", "own")
    words = ("--branch", "stable", "--series", "up~..up", "--validate", "none")
    done = backport(repo, "apply", *words)
    assert done.exit_code == 3, done.output
    assert "where another change of the patch is open" in " ".join(done.output.split())
    folder = repo / ".git/backport/conflict"
    assert git(folder, "status", "--porcelain").splitlines() == [
        f"UA {NEW}/a.h",
        "UU inc/asm-x86/a.h",
    ]
    assert (folder / NEW / "a.h").read_text() == "#define NEW\n"
