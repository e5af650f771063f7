# SPDX-License-Identifier: GPL-2.0-or-later
"""``refresh``: what fits stays byte for byte, what moved is made anew, what is there goes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from series.reading.patch_files import cut_patch_file
from tests.backport.export.hostile import HOSTILE
from tests.backport.trees import backport, commit, git, lines, new_repo

pytestmark = pytest.mark.skipif(shutil.which("quilt") is None, reason="quilt is not installed")
HEADER = "Description: {0}\n Größe, and more.\nAuthor: A <a@x.org>\nBug: https://x.org/1\n---\n"


def diff(path: str, old: str, new: str, style: str = "bare") -> str:
    """A unified diff as Debian's maintainers have it."""
    import difflib

    a = f"a/{path}" if style != "index" else f"pkg.orig/{path}"
    b = f"b/{path}" if style != "index" else f"pkg/{path}"
    text = "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), a, b))
    if style == "index":
        return f"Index: pkg/{path}\n{'=' * 67}\n{text}"
    return f"diff --git {a} {b}\nindex 1111111..2222222 100644\n{text}" if style == "git" else text


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A release 1, a release 2 that has shifted a.c and taken over what b.patch does, and a series for 1."""
    made = new_repo(
        tmp_path / "repo",
        {"a.c": lines(), "b.c": lines(), "c.c": lines(), "d.c": lines()},
        branch="up",
    )
    git(made, "tag", "v1")
    shifted = "new\nat the\ntop\n" + lines()
    commit(made, {"a.c": shifted, "b.c": lines((5, "five"))}, "two")
    git(made, "tag", "v2")
    folder = made / "debian" / "patches"
    folder.mkdir(parents=True)
    patches = {
        "moved.patch": diff("a.c", lines(), lines((20, "twenty"))),
        "obsolete.patch": diff("b.c", lines(), lines((5, "five")), "git"),
        "exact.patch": diff("c.c", lines(), lines((9, "nine")), "index"),
        "mixed.patch": diff("c.c", lines((9, "nine")), lines((9, "nine"), (22, "x")))
        + diff("a.c", lines((20, "twenty")), lines((20, "twenty"), (28, "y")), "git"),
    }
    for name, text in patches.items():
        (folder / name).write_text(HEADER.format(name) + text)
    (folder / "series").write_text(
        "# first\nmoved.patch\nobsolete.patch -p1 # why\n\nexact.patch\nmixed.patch\n"
    )
    (folder / "README").write_text("kept\n")
    return made


def refresh(repo: Path, *words: str, onto: str = "v2", code: int = 0) -> dict[str, str]:
    series = str(repo / "debian/patches/series")
    done = backport(repo, "refresh", "--series", series, "--onto", onto, *words, "--json", "-")
    assert done.exit_code == code, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    from tests.backport.report.test_schemas import check

    check("refresh", document)
    return {one["name"]: one["fate"] for one in document["patches"]}


def pushes(repo: Path, folder: Path) -> str:
    """The tree that quilt makes of release 2."""
    tree = repo.parent / "tree"
    git(repo, "worktree", "add", "-q", "-f", "--detach", str(tree), "v2")
    env = {**os.environ, "QUILT_PATCHES": str(folder)}
    done = subprocess.run(
        ["quilt", "--quiltrc", "-", "push", "-a", "--fuzz=0"],
        cwd=tree,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "offset" not in done.stdout
    git(tree, "add", "-A", ":!.pc")
    return git(tree, "write-tree")


def test_each_patch_has_its_fate(repo: Path, tmp_path: Path) -> None:
    out, was = tmp_path / "out", repo / "debian/patches"
    assert refresh(repo, "--to", str(out)) == {
        "moved.patch": "refreshed",
        "obsolete.patch": "dropped",
        "exact.patch": "kept",
        "mixed.patch": "refreshed",
    }
    assert (out / "series").read_text() == "# first\nmoved.patch\n\nexact.patch\nmixed.patch\n"
    assert (out / "exact.patch").read_bytes() == (was / "exact.patch").read_bytes()
    moved = (out / "moved.patch").read_text()
    assert moved.startswith(
        HEADER.format("moved.patch") + "--- a/a.c\n+++ b/a.c\n@@ -20,7 +20,7 @@"
    )
    mixed = (out / "mixed.patch").read_text()
    old = (was / "mixed.patch").read_text()
    assert mixed.split("diff --git")[0] == old.split("diff --git")[0], "the part that fits"
    assert "index 1111111..2222222" not in mixed
    pushes(repo, out)


RENAMED = "diff --git a/d.c b/e.c\nsimilarity index 100%\nrename from d.c\nrename to e.c\n"
MODE = "diff --git a/d.c b/d.c\nold mode 100644\nnew mode 100755\n"


@pytest.mark.parametrize("bare", [RENAMED, MODE])
def test_a_file_without_hunks_is_carried(repo: Path, tmp_path: Path, bare: str) -> None:
    """It stays as it is, alone and beside one that has moved."""
    folder = repo / "debian/patches"
    (folder / "series").write_text("alone.patch\nbeside.patch\n")
    (folder / "alone.patch").write_text(HEADER.format("alone") + bare)
    back = bare.replace("d.c", "c.c").replace("e.c", "f.c")
    moved = diff("a.c", lines(), lines((20, "twenty")), "git")
    (folder / "beside.patch").write_text(HEADER.format("beside") + back + moved)
    out = tmp_path / "out"
    fates = refresh(repo, "--to", str(out))
    assert fates == {"alone.patch": "kept", "beside.patch": "refreshed"}
    assert (out / "alone.patch").read_bytes() == (folder / "alone.patch").read_bytes()
    text = (out / "beside.patch").read_text()
    assert text.startswith(HEADER.format("beside") + back + "diff --git a/a.c b/a.c\n")
    pushes(repo, out)


def test_a_rename_whose_file_has_moved_on_is_made_anew(repo: Path, tmp_path: Path) -> None:
    folder = repo / "debian/patches"
    (folder / "series").write_text("renamed.patch\n")
    hunk = diff("a.c", lines(), lines((20, "twenty"))).split("\n", 2)[2]
    head = "diff --git a/a.c b/e.c\nsimilarity index 95%\nrename from a.c\nrename to e.c\n"
    text = f"{head}--- a/a.c\n+++ b/e.c\n{hunk}"
    (folder / "renamed.patch").write_text(HEADER.format("renamed") + text)
    out = tmp_path / "out"
    assert refresh(repo, "--to", str(out)) == {"renamed.patch": "refreshed"}
    made = (out / "renamed.patch").read_text()
    assert made.startswith(HEADER.format("renamed")) and made.count("rename from") == 0
    git(repo, "show", f"{pushes(repo, out)}:e.c")


def test_hunks_name_their_function_only_where_they_did(repo: Path, tmp_path: Path) -> None:
    """quilt and plain diff do not: of a patch that has only moved, the numbers alone change."""
    patch = repo / "debian/patches/moved.patch"
    plain = patch.read_bytes()
    for number, heading in enumerate((b"", b" f(void)")):
        patch.write_bytes(plain.replace(b" @@\n", b" @@" + heading + b"\n"))
        refresh(repo, "--to", str(tmp_path / str(number)))
        made = (tmp_path / str(number) / "moved.patch").read_bytes()
        assert (made.count(b" @@\n") == made.count(b"@@ -")) == (heading == b"")


def test_in_its_place_all_at_once(repo: Path) -> None:
    folder = repo / "debian/patches"
    folder.chmod(0o750)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refresh(repo)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "unasked, nothing"
    refresh(repo, "--in-place")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README",
        "exact.patch",
        "mixed.patch",
        "moved.patch",
        "series",
    ]
    assert folder.stat().st_mode & 0o777 == 0o750
    assert [path.name for path in folder.parent.iterdir()] == ["patches"]
    again = refresh(repo, "--in-place")
    assert set(again.values()) == {"kept"}


def test_a_series_that_fits_comes_back_byte_for_byte(repo: Path, tmp_path: Path) -> None:
    out, was = tmp_path / "out", repo / "debian/patches"
    assert set(refresh(repo, "--to", str(out), onto="v1").values()) == {"kept"}
    for path in out.iterdir():
        assert path.read_bytes() == (was / path.name).read_bytes()


def test_a_conflict_waits_and_its_resolution_is_taken(repo: Path, tmp_path: Path) -> None:
    commit(repo, {"c.c": lines((9, "theirs"))}, "three")
    git(repo, "tag", "v3")
    series = str(repo / "debian/patches/series")
    out = tmp_path / "out"
    done = backport(repo, "refresh", "--series", series, "--onto", "v3", "--to", str(out))
    assert done.exit_code == 3
    said = " ".join(done.output.split())
    assert "of 4 patches 1 do not go on v3; of the others 1 are there already, and 2 go on:" in said
    assert "exact.patch c.c: line 9" in said
    assert "`--drop NAME`" in said
    assert "backport skip" not in said  # there is no run
    assert not out.exists()
    stopped = backport(repo, "apply", "-b", "v3", "--series", series, "--to", "solved")
    assert stopped.exit_code == 3, stopped.output
    (repo / ".git/backport/conflict/c.c").write_text(lines((9, "both")))
    git(repo / ".git/backport/conflict", "add", "-A")
    assert backport(repo, "continue").exit_code == 0
    found = refresh(repo, "--to", str(out), "--result", "solved", onto="v3")
    assert found["exact.patch"] == "refreshed"
    assert found["obsolete.patch"] == "dropped"
    text = (out / "exact.patch").read_text()
    assert text.startswith(HEADER.format("exact.patch") + "Index: pkg/c.c\n====")
    assert "+both" in text


def test_what_the_packager_no_longer_wants_is_left_out(repo: Path, tmp_path: Path) -> None:
    """Also where it conflicts; what stands on it conflicts then, or goes without it."""
    commit(repo, {"c.c": lines((9, "theirs"))}, "three")
    git(repo, "tag", "v3")
    out, was = tmp_path / "out", repo / "debian/patches"
    found = refresh(repo, "--to", str(out), "--drop", "ex*.patch", onto="v3")
    assert found == {
        "moved.patch": "refreshed",
        "obsolete.patch": "dropped",
        "exact.patch": "dropped",
        "mixed.patch": "refreshed",
    }
    assert sorted(path.name for path in out.iterdir()) == ["mixed.patch", "moved.patch", "series"]
    assert (out / "series").read_text() == "# first\nmoved.patch\n\nmixed.patch\n"
    before = {path.name: path.read_bytes() for path in was.iterdir()}
    words = ("--series", str(was / "series"), "--onto", "v3", "--in-place")
    done = backport(repo, "refresh", *words, "--drop", "exact.patch", "--drop", "none*")
    assert done.exit_code == 2
    assert "--drop none*" in done.output
    assert {path.name: path.read_bytes() for path in was.iterdir()} == before
    assert backport(repo, "refresh", *words, "--drop", "exact.patch").exit_code == 0
    assert not (was / "exact.patch").exists()
    assert (was / "README").exists()


def test_a_conflict_of_many_files_names_a_reason_once(repo: Path) -> None:
    folder = repo / "debian/patches"
    gone = "".join(diff(f"no{n}.c", lines(), lines((5, "five"))) for n in range(5))
    (folder / "gone.patch").write_text(gone)
    (folder / "series").write_text("gone.patch\n")
    done = backport(repo, "refresh", "--series", str(folder / "series"), "--onto", "v2")
    assert done.exit_code == 3
    assert "no0.c, no1.c, no2.c and 2 more: the patch changes it" in " ".join(done.output.split())


def test_a_conflict_that_looks_applied_says_so(repo: Path) -> None:
    folder = repo / "debian/patches"
    there = (5, "a line that says what it is")
    commit(repo, {"b.c": lines(there, (4, "later"), (6, "later"))}, "three")
    git(repo, "tag", "v3")
    (folder / "b.patch").write_text(diff("b.c", lines(), lines(there)))
    (folder / "series").write_text("b.patch\n")
    done = backport(repo, "refresh", "--series", str(folder / "series"), "--onto", "v3")
    assert done.exit_code == 3, done.output
    assert "the release looks as if it has all of it" in done.output
    assert "backport skip" not in done.output


def test_a_part_that_the_release_has_is_named(repo: Path, tmp_path: Path) -> None:
    folder = repo / "debian/patches"
    text = diff("b.c", lines(), lines((5, "five"))) + diff("d.c", lines(), lines((5, "five")))
    (folder / "obsolete.patch").write_text(HEADER + text)
    out = tmp_path / "out"
    assert refresh(repo, "--to", str(out))["obsolete.patch"] == "refreshed"
    assert "b.c" not in (out / "obsolete.patch").read_text()
    assert "+++ b/d.c" in (out / "obsolete.patch").read_text()


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        ("../../out.patch\n", "leads out of its folder"),
        ("+guard moved.patch\n", "+guard of moved.patch is not refreshed"),
        ("moved.patch -R\n", "-R of moved.patch is not refreshed"),
        ("absent.patch\n", "does not exist"),
    ],
)
def test_what_is_not_refreshed_is_refused(repo: Path, listing: str, why: str) -> None:
    folder = repo / "debian/patches"
    (repo / "out.patch").write_text((folder / "moved.patch").read_text())
    (folder / "series").write_text(listing)
    words = ("--series", str(folder / "series"), "--onto", "v2", "--in-place")
    done = backport(repo, "refresh", *words)
    assert done.exit_code == 2
    assert why in done.output


def test_a_folder_with_files_is_not_written_to(repo: Path) -> None:
    words = ("--series", str(repo / "debian/patches/series"), "--onto", "v2")
    done = backport(repo, "refresh", *words, "--to", str(repo / "debian"))
    assert done.exit_code == 2
    assert backport(repo, "refresh", *words, "--to", "x", "--in-place").exit_code == 2
    other = ("--series", str(repo / "a.c"), "--onto", "v2")
    assert "not a quilt series file" in backport(repo, "refresh", *other).output


def test_nothing_is_written_through_a_link(repo: Path) -> None:
    folder, outside = repo / "debian/patches", repo / "outside"
    outside.write_bytes((folder / "moved.patch").read_bytes())
    before = outside.read_bytes()
    (folder / "moved.patch").unlink()
    (folder / "moved.patch").symlink_to(outside)
    refresh(repo, "--in-place")
    assert outside.read_bytes() == before
    assert not (folder / "moved.patch").is_symlink()


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_headers_stay(repo: Path, tmp_path: Path, text: str) -> None:
    path = repo / "debian/patches/moved.patch"
    path.write_text(
        f"Description: {text}\n {text}\n\n{text}\n" + diff("a.c", lines(), lines((20, "twenty")))
    )
    refresh(repo, "--to", str(tmp_path / "out"))
    made = (tmp_path / "out/moved.patch").read_text()
    assert made.startswith(f"Description: {text}\n {text}\n\n{text}\n--- a/a.c\n")


@given(
    st.lists(
        st.sampled_from(
            (
                b"--- a\n",
                b"+++ b\n",
                b"@@ -1,2 +1,2 @@\n",
                b" x\n",
                b"-x\n",
                b"+x\n",
                b"diff --git a/a b/a\n",
                b"Index: a\n",
                b"\\ No newline\n",
                b"\n",
                b"@@ -1,999999 +1 @@\n",
                b"index 1..2\n",
                b"rename from a\n",
                b"new mode 100755\n",
                b"GIT binary patch\n",
                b"x",
            )
        ),
        max_size=30,
    )
)
def test_the_parts_of_a_file_are_the_file(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert cut_patch_file(data).joined() == data


@pytest.mark.parametrize("by", ["option", "configuration"])
def test_a_cut_patch_is_never_kept_as_it_is(repo: Path, by: str) -> None:
    """`--partial` leaves out what is lost: the file is made anew, and what is gone is said."""
    file = repo / "debian/patches/exact.patch"
    lost = "diff --git a/d.c b/d.c\nindex 1111111..2222222 100644\n"
    file.write_text(file.read_text() + lost)
    assert refresh_fails(repo)
    words = ["--partial"]
    if by == "configuration":
        git(repo, "config", "backport.partial", "true")
        words = []
    folder = repo.parent / "out"
    series = str(repo / "debian/patches/series")
    done = backport(
        repo,
        "refresh",
        "--series",
        series,
        "--onto",
        "v2",
        *words,
        "--to",
        str(folder),
        "--drop",
        "mixed*",
    )
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "refreshed exact.patch: left out what cannot be read: line " in said
    assert "--partial" not in said
    assert "d.c" not in (folder / "exact.patch").read_text()
    pushes(repo, folder)


def test_what_is_dropped_says_what_of_it_was_lost(repo: Path) -> None:
    """The rest of the patch is there already; of what is lost nobody knows."""
    file = repo / "debian/patches/obsolete.patch"
    file.write_text(file.read_text() + "diff --git a/d.c b/d.c\nindex 1111111..2222222 100644\n")
    series = str(repo / "debian/patches/series")
    done = backport(repo, "refresh", "--series", series, "--onto", "v2", "--partial")
    said = " ".join(done.output.split())
    assert (
        "dropped obsolete.patch: the tree has all of it; left out what cannot be read: line" in said
    )


def refresh_fails(repo: Path) -> bool:
    """Without the option nothing is written and the file's line is named."""
    done = backport(
        repo, "refresh", "--series", str(repo / "debian/patches/series"), "--onto", "v2"
    )
    return done.exit_code == 2 and "exact.patch:" in done.output


def test_a_carriage_return_inside_a_line_ends_none(repo: Path, tmp_path: Path) -> None:
    """In a comment of the series file, where the lines behind it are counted, and in a hunk."""
    folder = repo / "debian/patches"
    patch = folder / "moved.patch"
    patch.write_bytes(patch.read_bytes().replace(b"+twenty\n", b"+twen\r ty\n"))
    listing = "# by hand\rtwice\nobsolete.patch\nmoved.patch\nexact.patch\n"
    (folder / "series").write_bytes(listing.encode())
    out = tmp_path / "out"
    refresh(repo, "--to", str(out))
    assert (out / "series").read_bytes() == listing.replace("obsolete.patch\n", "").encode()
    made = (out / "moved.patch").read_bytes()
    assert made.count(b"+twen\r ty\n") == 1
    assert made.endswith(patch.read_bytes().splitlines(keepends=True)[-1])
    pushes(repo, out)


def test_a_patch_saved_with_other_ends_of_lines_is_refreshed_as_a_whole(
    repo: Path, tmp_path: Path
) -> None:
    """What is kept of it and what is made anew end their lines alike: patch(1) takes CRs off all or none."""
    folder = repo / "debian/patches"
    text = diff("a.c", lines(), lines((20, "twenty")), "git")
    text += diff("e.c", "", "made\n").replace("--- a/e.c", "--- /dev/null")
    (folder / "moved.patch").write_bytes((HEADER + text).encode().replace(b"\n", b"\r\n"))
    (folder / "series").write_text("moved.patch\n")
    out = tmp_path / "out"
    assert refresh(repo, "--to", str(out)) == {"moved.patch": "refreshed"}
    assert git(repo, "show", f"{pushes(repo, out)}:e.c") == "made"
    assert b"\r" not in (out / "moved.patch").read_bytes()


def test_a_single_patch_without_an_end_of_its_line_is_pushed(repo: Path, tmp_path: Path) -> None:
    (repo / "debian/patches/series").write_text("moved.patch -p1")
    out = tmp_path / "out"
    assert refresh(repo, "--to", str(out)) == {"moved.patch": "refreshed"}
    assert (out / "series").read_text() == "moved.patch -p1"


def test_a_file_renamed_by_deleting_and_creating_takes_the_releases_changes(
    repo: Path, tmp_path: Path
) -> None:
    """What the patch creates is not what it says, then: it is made anew; so for a name with a blank."""
    folder = repo / "debian/patches"
    git(repo, "checkout", "-q", "-b", "ours", "v1")
    commit(repo, {"a.c": None, "new name.c": lines((25, "ours"))}, "renamed")
    text = git(repo, "diff", "--no-renames", "v1", "ours", "--", "a.c", "new name.c")
    (folder / "renamed.patch").write_text(f"{text}\n")
    (folder / "series").write_text("renamed.patch\n")
    out = tmp_path / "out"
    assert refresh(repo, "--to", str(out)) == {"renamed.patch": "refreshed"}
    tree = pushes(repo, out)
    assert git(repo, "show", f"{tree}:new name.c").startswith("new\nat the\ntop\n")
    assert "\nours\n" in git(repo, "show", f"{tree}:new name.c")


@pytest.mark.parametrize("strip", [0, 2])
def test_what_is_made_anew_is_stripped_as_its_line_says(
    repo: Path, tmp_path: Path, strip: int
) -> None:
    folder = repo / "debian/patches"
    text = diff("a.c", lines(), lines((20, "twenty")))
    text += diff("e.c", "", "made\n").replace("--- a/e.c", "--- /dev/null")
    text += diff("a.c", lines((20, "twenty")), lines((20, "twenty"), (28, "y")))
    above = "p/" * strip
    (folder / "deep.patch").write_text(text.replace(" a/", f" {above}").replace(" b/", f" {above}"))
    (folder / "series").write_text(f"deep.patch -p{strip}\n")
    out = tmp_path / "out"
    assert refresh(repo, "--to", str(out)) == {"deep.patch": "refreshed"}
    assert "\ny\n" in git(repo, "show", f"{pushes(repo, out)}:a.c")


def test_a_file_of_several_mails_keeps_what_stands_between_them(repo: Path, tmp_path: Path) -> None:
    folder = repo / "debian/patches"
    mail = (
        "From: A <a@x.org>\nDate: Mon, 1 Jan 2018 00:00:00 +0000\nSubject: {0}\n\nWhy {0}.\n---\n"
    )
    first = mail.format("one") + diff("c.c", lines(), lines((9, "nine")))
    second = mail.format("two") + diff("a.c", lines(), lines((20, "twenty")))
    (folder / "mails.patch").write_text(first + "-- \n2.39\n\n" + second)
    (folder / "series").write_text("mails.patch\n")
    assert refresh(repo, "--to", str(tmp_path / "same"), onto="v1") == {"mails.patch": "kept"}
    assert refresh(repo, "--to", str(tmp_path / "out")) == {"mails.patch": "refreshed"}
    made = (tmp_path / "out/mails.patch").read_text()
    assert made.startswith(first + "-- \n2.39\n\n" + mail.format("two") + "--- a/a.c\n")
    pushes(repo, tmp_path / "out")
