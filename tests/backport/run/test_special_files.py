# SPDX-License-Identifier: GPL-2.0-or-later
"""What git itself reads or follows is refused where git's own fsck would refuse it; nothing is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.trees import backport, git, new_repo, refs

MODULE = '[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n{more}'
GOOD = {"name": "x", "path": "x", "url": "http://a/b", "more": ""}


def created(path: str, mode: str, text: str) -> bytes:
    """A mail that creates one file; ``text`` without a last line end keeps it so."""
    lines = text.removesuffix("\n").split("\n") if text else []
    body = "".join(f"+{line}\n" for line in lines)
    end = "" if text.endswith("\n") or not text else "\\ No newline at end of file\n"
    names = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n" if text else ""
    empty = "" if text else "index 0000000..e69de29\n"
    return (
        "From: A <a@b.c>\nDate: Mon, 1 Jan 2024 12:00:01 +0000\nSubject: p\n\nt\n---\n"
        f"diff --git a/{path} b/{path}\nnew file mode {mode}\n{empty}{names}{body}{end}"
    ).encode()


@pytest.mark.parametrize(
    ("path", "mode", "text", "said"),
    [
        ("l", "120000", "", "a symbolic link to nothing"),
        ("l", "120000", "a\0b", "holds a NUL byte"),
        ("l", "120000", "a" * 4096, "target has 4096 bytes"),
        ("s", "160000", f"Subproject commit {'0' * 40}\n", "a submodule at no commit"),
        (".gitmodules", "100644", MODULE.format(**GOOD | {"url": "-x"}), "gitmodulesUrl"),
        (".gitmodules", "100644", MODULE.format(**GOOD | {"name": "../x"}), "gitmodulesName"),
        (".gitmodules", "100644", MODULE.format(**GOOD | {"path": "-x"}), "gitmodulesPath"),
        (".gitmodules", "100644", MODULE.format(**GOOD | {"more": "\tupdate = !id\n"}), "Update"),
        (".GitModules", "100644", MODULE.format(**GOOD | {"more": "\tupdate = !id\n"}), "Update"),
        ("gitmod~1", "100644", MODULE.format(**GOOD | {"more": "\tupdate = !id\n"}), "Update"),
        (".gitattributes", "100644", f"*.c {'x' * 3000}\n", "gitattributesLineLength"),
    ],
)
def test_it_is_refused(tmp_path: Path, path: str, mode: str, text: str, said: str) -> None:
    repo = new_repo(tmp_path / "repo", {"a": "1\n"})
    mails = tmp_path / "in.mbox"
    mails.write_bytes(created(path, mode, text))
    before = refs(repo)
    done = backport(repo, "apply", "-b", "stable", "--series", str(mails), "--validate", "none")
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert "such a patch is refused" in done.output
    backport(repo, "abort")
    assert refs(repo) == before
    git(repo, "fsck", "--strict")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".gitmodules", MODULE.format(**GOOD)),
        (".gitattributes", "*.c diff=cpp\n"),
        ("d/x.gitattributes", f"*.c {'x' * 3000}\n"),
    ],
)
def test_what_git_takes_is_taken(tmp_path: Path, path: str, text: str) -> None:
    repo = new_repo(tmp_path / "repo", {"a": "1\n"})
    mails = tmp_path / "in.mbox"
    mails.write_bytes(created(path, "100644", text))
    done = backport(repo, "apply", "-b", "stable", "--series", str(mails), "--validate", "none")
    assert done.exit_code == 0, done.output
    assert git(repo, "fsck", "--strict") == ""


def test_what_the_branch_had_already_is_its_own(tmp_path: Path) -> None:
    bad = MODULE.format(**GOOD | {"path": "-x"})
    repo = new_repo(tmp_path / "repo", {".gitmodules": bad})
    mails = tmp_path / "in.mbox"
    mails.write_bytes(
        b"From: A <a@b.c>\nDate: Mon, 1 Jan 2024 12:00:01 +0000\nSubject: p\n\nt\n---\n"
        b"diff --git a/.gitmodules b/.gitmodules\n--- a/.gitmodules\n+++ b/.gitmodules\n"
        b"@@ -3 +3,2 @@\n \turl = http://a/b\n+\tbranch = x\n"
    )
    done = backport(repo, "apply", "-b", "stable", "--series", str(mails), "--validate", "none")
    assert done.exit_code == 0, done.output
