# SPDX-License-Identifier: GPL-2.0-or-later
"""``export``: what is written goes on again, by the programs of those who get it; else nothing is written."""

from __future__ import annotations

import contextlib
import json
import mailbox
import os
import re
import shutil
import stat
import subprocess
from email.header import decode_header
from pathlib import Path

import pytest

from tests.backport.export.hostile import HOSTILE
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo, refs

with_quilt = pytest.mark.skipif(shutil.which("quilt") is None, reason="quilt is not installed")
FORM = "--format=%an|%ae|%ad|%B|%T"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``stable-4.10`` with two files, and on it three patches since the tag ``RELEASE-4.10.0``."""
    made = new_repo(
        tmp_path / "repo", {"a.c": lines(), "dir/b c.c": lines(count=12), "run.sh": "echo\n"}
    )
    git(made, "branch", "-m", "stable-4.10")
    git(made, "tag", "RELEASE-4.10.0")
    commit(made, {"a.c": lines((5, "five"))}, "one: Größe\n\nA body.\n\nReviewed-by: B <b@x.org>")
    commit(made, {"new.h": "#define N 1\n", "dir/b c.c": None}, "two: made and removed")
    (made / "run.sh").chmod(0o755)
    (made / "no-newline").write_text("end")
    commit(made, {}, "three: a mode")
    return made


def export(repo: Path, *words: str) -> tuple[int, str]:
    given = ("--branch", "stable-4.10", "--since", "RELEASE-4.10.0")
    done = backport(repo, "export", *given, *words)
    return done.exit_code, done.output


def boxed(path: Path) -> list[mailbox.mboxMessage]:
    with contextlib.closing(mailbox.mbox(path)) as box:
        return list(box)


def cover(folder: Path) -> bytes:
    return next(folder.glob("*0000-cover-letter.patch")).read_bytes()


def test_a_mailbox_with_a_cover_letter_says_how_to_take_it(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Größe\n\nWhy.\n")
    box = tmp_path / "m"
    code, said = export(repo, "--mbox", str(box), "--cover", str(tmp_path / "letter"))
    assert code == 0
    assert "git am --empty=drop" in said
    (subject, charset), *_ = decode_header(boxed(box)[0]["Subject"].partition("] ")[2])
    assert subject.decode(charset) == "Größe"
    git(repo, "checkout", "-q", "-b", "again", "RELEASE-4.10.0")
    git(repo, "am", "-q", "--empty=drop", str(box))
    assert git(repo, "rev-parse", "again^{tree}") == git(repo, "rev-parse", "stable-4.10^{tree}")


def test_a_cover_letter_says_what_was_done(repo: Path, tmp_path: Path) -> None:
    commit(repo, {"a.c": lines((5, "five"), (9, "nine"))}, "four")
    git(repo, "checkout", "-q", "-b", "up", "RELEASE-4.10.0")
    upstream = commit(repo, {"a.c": lines((15, "x"))}, "five")
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "cherry-pick", "-x", upstream)
    assert export(repo, "--folder", str(tmp_path / "f"))[0] == 0
    text = cover(tmp_path / "f").decode()
    assert "5 patches for stable-4.10, on RELEASE-4.10.0 (" in text
    assert f"   5 {upstream[:12]}, as it is: five" in text


def test_an_mbox_is_what_git_am_takes(repo: Path, tmp_path: Path) -> None:
    box, before = tmp_path / "x.mbox", refs(repo)
    code, said = export(repo, "--mbox", str(box))
    assert code == 0, said
    assert "3 patches of stable-4.10; git am puts them on again" in said
    assert refs(repo) == before
    found = boxed(box)
    assert [mail["Subject"][:12] for mail in found] == [
        "[PATCH 1/3] ",
        "[PATCH 2/3] ",
        "[PATCH 3/3] ",
    ]
    base = git(repo, "rev-parse", "RELEASE-4.10.0")
    assert f"base-commit: {base}" in box.read_text()
    assert all(mail["Cc"] is None for mail in found)
    git(repo, "checkout", "-q", "-b", "again", "RELEASE-4.10.0")
    git(repo, "am", "-q", str(box))
    wanted = git(repo, "log", FORM, "RELEASE-4.10.0..stable-4.10")
    assert git(repo, "log", FORM, "RELEASE-4.10.0..again") == wanted


@pytest.mark.parametrize("form", ["--mbox", "--folder"])
def test_an_author_without_an_address_comes_back(repo: Path, tmp_path: Path, form: str) -> None:
    git(repo, "checkout", "-q", "stable-4.10")
    (repo / "a.c").write_text("another\n")
    git(
        repo,
        "-c",
        "user.name=x",
        "commit",
        "-q",
        "-a",
        "-m",
        "by two",
        "--author",
        "A, 'b' and C <>",
    )
    out = tmp_path / "out"
    code, said = export(repo, form, str(out))
    assert code == 0, said
    done = backport(repo, "apply", "-b", "RELEASE-4.10.0", "-s", str(out), "--to", "back")
    assert done.exit_code == 0, done.output
    wanted = git(repo, "log", FORM, "RELEASE-4.10.0..stable-4.10")
    assert git(repo, "log", FORM, "RELEASE-4.10.0..back") == wanted
    assert "A, 'b' and C" in wanted


def test_a_folder_comes_into_being_as_a_whole(repo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert export(repo, "--folder", str(folder))[0] == 0
    assert [path.name[:5] for path in sorted(folder.iterdir())] == [
        "0000-",
        "0001-",
        "0002-",
        "0003-",
    ]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    code, said = export(repo, "--folder", str(folder))
    assert code == 2
    assert "there are files in it" in said


@with_quilt
def test_a_quilt_series_is_what_quilt_pushes(repo: Path, tmp_path: Path) -> None:
    folder, tree = tmp_path / "patches", tmp_path / "tree"
    code, said = export(repo, "--quilt", str(folder))
    assert code == 0, said
    git(repo, "worktree", "add", "-q", "--detach", str(tree), "RELEASE-4.10.0")
    env = {**os.environ, "QUILT_PATCHES": str(folder)}
    subprocess.run(["quilt", "push", "-a", "-q"], cwd=tree, env=env, check=True)
    git(tree, "add", "-A", ":!.pc")
    assert git(tree, "write-tree") == git(repo, "rev-parse", "stable-4.10^{tree}")
    done = backport(repo, "apply", "-b", "RELEASE-4.10.0", "-s", str(folder), "--to", "back")
    assert done.exit_code == 0, done.output
    wanted = git(repo, "log", FORM, "RELEASE-4.10.0..stable-4.10")
    assert git(repo, "log", FORM, "RELEASE-4.10.0..back") == wanted


@pytest.mark.parametrize("kind", ["binary", "link"])
def test_what_quilt_cannot_carry_is_refused_and_mails_carry_it(
    repo: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "binary":
        (repo / "x.png").write_bytes(bytes(range(256)) * 8)
    else:
        (repo / "link").symlink_to("a.c")
    commit(repo, {}, "what patch(1) does not know")
    code, said = export(repo, "--quilt", str(tmp_path / "q"))
    assert code == 2
    assert "quilt cannot carry" in said
    assert not (tmp_path / "q").exists()
    assert export(repo, "--mbox", str(tmp_path / "m"))[0] == 0


def test_a_folder_of_quilts_own_is_refused(repo: Path, tmp_path: Path) -> None:
    """quilt keeps there which patches are applied."""
    commit(repo, {".pc/applied-patches": "x\n"}, "what quilt left")
    code, said = export(repo, "--quilt", str(tmp_path / "q"))
    assert code == 2
    assert ".pc/applied-patches stands where quilt keeps its own files" in " ".join(said.split())
    assert export(repo, "--mbox", str(tmp_path / "m"))[0] == 0


def test_a_cover_letter_that_reads_as_a_patch_is_refused(repo: Path, tmp_path: Path) -> None:
    """In a mailbox `git am --empty=drop` has to leave it out; in a folder nobody applies it."""
    (tmp_path / "letter").write_text("cover\n\nAs in\ndiff --git a/a.c b/a.c\nabove.\n")
    words = ("--cover", str(tmp_path / "letter"))
    code, said = export(repo, "--mbox", str(tmp_path / "m"), *words)
    assert code == 2
    assert "it may read a patch in the cover letter" in " ".join(said.split())
    assert not (tmp_path / "m").exists()
    assert export(repo, "--folder", str(tmp_path / "f"), *words)[0] == 0


def test_a_file_is_named_although_its_subject_has_no_charset(repo: Path, tmp_path: Path) -> None:
    """git takes for the name the bytes that it could not recode: a series file holds none of those."""
    tip = git(repo, "rev-parse", "stable-4.10")
    tree = git(repo, "rev-parse", "stable-4.10~1^{tree}")
    who = "A <a@x.org> 1500000000 +0000"
    head = f"tree {tree}\nparent {tip}\nauthor {who}\ncommitter {who}\nencoding UTF-16\n\n"
    raw = head.encode() + b"latin \xf6 subject\n\nbody \xe4\xfc\n"
    made = git(repo, "hash-object", "-t", "commit", "-w", "--stdin", stdin=raw)
    git(repo, "update-ref", "refs/heads/stable-4.10", made)
    code, said = export(repo, "--quilt", str(tmp_path / "out"))
    assert code == 0, said
    names = [os.fsencode(path.name) for path in (tmp_path / "out").iterdir()]
    assert all(name.isascii() for name in names)


def test_people_are_named_only_by_word(repo: Path, tmp_path: Path) -> None:
    assert export(repo, "--mbox", str(tmp_path / "m"), "--cc")[0] == 0
    found = boxed(tmp_path / "m")
    assert "B <b@x.org>" in found[0]["Cc"]
    assert "b@x.org" not in found[1]["Cc"]
    assert export(repo, "--folder", str(tmp_path / "f"), "--cc")[0] == 0
    assert b"Cc: A Maintainer <maintainer@example.org>,\n    B <b@x.org>" in cover(tmp_path / "f")


def test_a_trailer_makes_no_header_of_its_own(repo: Path, tmp_path: Path) -> None:
    commit(repo, {"a.c": lines((9, "n"))}, 'four\n\nCc: "X, Y" <x@y.org>\nAcked-by: Jörg <j@x.org>')
    assert export(repo, "--mbox", str(tmp_path / "m"), "--cc")[0] == 0
    head = (tmp_path / "m").read_bytes().split(b"[PATCH 4/4]")[1].split(b"\n\n")[0]
    assert b'"X, Y" <x@y.org>' in head
    assert b"=?utf-8?" in head
    assert head.isascii()


def test_what_was_posted_before_is_compared(repo: Path, tmp_path: Path) -> None:
    git(repo, "branch", "v1", "stable-4.10~1")
    box = tmp_path / "m"
    assert (
        export(repo, "--mbox", str(box), "--posted", "RELEASE-4.10.0..v1", "--reroll", "2")[0] == 0
    )
    text = box.read_text()
    assert "[PATCH v2 1/3]" in text
    assert re.search(r"^-:  -+ > 3:  [0-9a-f]+ three: a mode$", text, re.M)
    (tmp_path / "v1.mbox").write_text(git(repo, "format-patch", "--stdout", "RELEASE-4.10.0..v1"))
    assert export(repo, "--mbox", str(box), "--posted", str(tmp_path / "v1.mbox"))[0] == 0
    assert re.search(r"^-:  -+ > 3:  [0-9a-f]+ three: a mode$", box.read_text(), re.M)


def test_a_prerequisite_is_named(repo: Path, tmp_path: Path) -> None:
    words = ("--branch", "stable-4.10", "--since", "stable-4.10~1")
    box = tmp_path / "m"
    done = backport(repo, "export", *words, "--base-commit", "RELEASE-4.10.0", "--mbox", str(box))
    assert done.exit_code == 0, done.output
    assert len(re.findall(r"^prerequisite-patch-id: [0-9a-f]{40}$", box.read_text(), re.M)) == 2


def test_several_branches_by_a_pattern(repo: Path, tmp_path: Path) -> None:
    branch_with(repo, "stable-4.9", "RELEASE-4.10.0", ("for 4.9", {"a.c": lines((7, "x"))}))
    where = str(tmp_path / "xsa444-{version}.patch")
    words = ("-b", "stable-4.10", "-b", "stable-4.9", "--since", "RELEASE-4.10.0")
    assert backport(repo, "export", *words, "--mbox", where, "--cover", "none").exit_code == 0
    assert sorted(p.name for p in tmp_path.glob("xsa*")) == [
        "xsa444-4.10.patch",
        "xsa444-4.9.patch",
    ]
    one = backport(repo, "export", *words, "--mbox", str(tmp_path / "same"))
    assert one.exit_code == 2
    assert "one place for several branches" in one.output
    odd = backport(repo, "export", *words, "--mbox", str(tmp_path / "{name}"))
    assert odd.exit_code == 2


@pytest.mark.parametrize("setting", ["diff.noprefix=true", "diff.mnemonicPrefix=true"])
def test_the_users_settings_do_not_reach_the_mails(
    repo: Path, tmp_path: Path, setting: str
) -> None:
    git(repo, "config", *setting.split("="))
    git(repo, "config", "format.attach", "yes")
    git(repo, "config", "format.cc", "all@example.org")
    assert export(repo, "--mbox", str(tmp_path / "m"))[0] == 0
    text = (tmp_path / "m").read_text()
    assert "diff --git a/a.c b/a.c" in text
    assert "all@example.org" not in text


def test_lines_with_cr_are_said_to_need_a_word(repo: Path, tmp_path: Path) -> None:
    commit(repo, {"crlf.txt": "one\r\ntwo\r\n"}, "crlf")
    commit(repo, {"crlf.txt": "one\r\nTWO\r\n"}, "crlf again")
    code, said = export(repo, "--mbox", str(tmp_path / "m"))
    assert code == 0, said
    assert "it needs `git am --keep-cr`" in said


def test_a_message_that_a_mail_cannot_carry_is_named(repo: Path, tmp_path: Path) -> None:
    commit(repo, {"a.c": lines((11, "x"))}, "[XEN] a tag in brackets")
    code, said = export(repo, "--mbox", str(tmp_path / "m"))
    assert code == 0, said
    assert "patch 4 [XEN] a tag in brackets: what is exported cannot carry the message" in said
    (repo / "a.c").write_text("5")
    git(repo, "commit", "-qam", "five\n\nKept.\n---\nLost.")
    for form in ("--mbox", "--folder"):
        said = export(repo, form, str(tmp_path / form))[1]
        assert "patch 5 five: what is exported cannot carry what follows '---'" in said


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_text_comes_back(repo: Path, tmp_path: Path, text: str) -> None:
    commit(repo, {"a.c": lines((11, text))}, f"{text}\n\n{text}\n\nCc: {text} <x@y.org>")
    code, said = export(repo, "--mbox", str(tmp_path / "m"), "--cc")
    assert code == 0, said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "give one of"),
        (("--mbox", "a", "--quilt", "b"), "give one of"),
        (("--mbox", "no/such/folder/m"), "no such folder"),
        (("--mbox", "."), "a folder"),
        (("--folder", "repo/a.c"), "that is a file"),
        (("--mbox", "m", "--cover", "absent"), "No such file"),
        (("--mbox", "m", "--posted", "absent"), "no such mailbox"),
    ],
)
def test_what_cannot_be_is_refused(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = export(repo, *words)
    assert code == 2
    assert why in said
    assert [path.name for path in tmp_path.iterdir()] == ["repo"]


def test_nothing_to_export(repo: Path, tmp_path: Path) -> None:
    for since, why in (("stable-4.10", "no commit after"), ("nowhere", "names no commit")):
        words = ("-b", "stable-4.10", "--since", since, "--mbox", str(tmp_path / "m"))
        done = backport(repo, "export", *words)
        assert done.exit_code == 2
        assert why in done.output
    git(repo, "commit", "-q", "--allow-empty", "-m", "nothing")
    assert "changes nothing" in export(repo, "--mbox", str(tmp_path / "m"))[1]
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    branch_with(repo, "side", "stable-4.10~1", ("side", {"s": "s\n"}))
    git(repo, "merge", "-q", "-m", "merge", "side")
    assert "a merge" in export(repo, "--mbox", str(tmp_path / "m"))[1]


def test_what_does_not_come_back_is_not_written(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that damages what it writes: the check sees it, and the file is not made."""
    fake = tmp_path / "bin"
    fake.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout
    (fake / "git").write_text(
        f'#!/bin/sh\n{real.strip()} "$@" || exit\n'
        'case "$*" in *format-patch*) find "${TMPDIR:-/tmp}"/.backport-* -name "0001*" -newer "$0" '
        "-exec sed -i s/^+five/+fife/ {} + ;; esac\n"
    )
    (fake / "git").chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    code, said = export(repo, "--mbox", str(tmp_path / "m"))
    assert code == 2, said
    assert "comes back as another tree" in said or "do not go on again" in said
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("form", ["--folder", "--mbox"])
def test_a_kill_at_the_last_moment_leaves_nothing(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Cut at the rename: neither a part of it nor anything beside it stands there."""

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    before = sorted(path.name for path in tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut)
        patch.setattr(Path, "replace", cut)
        assert export(repo, form, str(tmp_path / "out"))[0] == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert not (repo / ".git/backport/scratch").exists()


@with_quilt
def test_what_quilt_makes_otherwise_is_not_written(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quilt that damages what it patches: the check sees it, and the folder is not made."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "quilt").write_text(
        f'#!/bin/sh\n{shutil.which("quilt")} "$@" || exit\nsed -i s/^five/fife/ a.c\n'
    )
    (fake / "quilt").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    code, said = export(repo, "--quilt", str(tmp_path / "q"))
    assert code == 2
    assert "quilt makes another a.c" in said
    assert [path.name for path in tmp_path.iterdir() if "q" in path.name] == []


def test_json(repo: Path, tmp_path: Path) -> None:
    from tests.backport.report.test_schemas import check

    words = ("--branch", "stable-4.10", "--since", "RELEASE-4.10.0", "--mbox")
    done = backport(repo, "export", *words, str(tmp_path / "m"), "--json", "-")
    document = json.loads(done.stdout)
    check("export", document)
    assert len(document["exported"][0]["patches"]) == 3


def test_a_new_folder_has_the_users_mode(repo: Path, tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        assert export(repo, "--folder", str(tmp_path / "f"))[0] == 0
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o750
