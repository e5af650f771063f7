# SPDX-License-Identifier: GPL-2.0-or-later
"""``--notes`` and ``show``: what is noted of commits, and whose word counts."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.backport.export.hostile import HOSTILE
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo

PROVE = ("--build", "touch made", "--validate", "build", "--notes")
NOTES = "refs/notes/backport"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = new_repo(tmp_path / "repo", {"a.c": lines(), ".gitignore": "made\n"})
    branch_with(
        made,
        "topic",
        "stable",
        ("one", {"a.c": lines((3, "x"))}),
        ("two", {"a.c": lines((9, "y"))}),
    )
    return made


def show(repo: Path, name: str) -> dict[str, Any]:
    done = backport(repo, "show", name, "--json", "-")
    document: dict[str, Any] = json.loads(done.stdout)
    from tests.backport.report.test_schemas import check

    check("show", document)
    assert done.exit_code == (0 if document["noted"] else 125)
    return document


def test_git_log_and_show_read_what_a_run_notes(repo: Path) -> None:
    commit(repo, {"a.c": "top\n" + lines()}, "shift")
    words = ("apply", "--branch", "stable", "--series", "stable~1..topic", *PROVE)
    done = backport(repo, *words)
    assert done.exit_code == 0, done.output
    log = git(repo, "log", "-1", "--notes=backport", "stable")
    assert "Notes (backport):\n    note: 1\n    build: passed" in log
    found = dict(show(repo, "stable")["lines"])
    assert found["put on"].startswith("applied, ")
    assert found["branch"] == "stable"
    assert found["class"] == "automatic"
    assert found["origin"] == git(repo, "rev-parse", "topic")
    assert found["built by"] == "touch made"
    assert found["compiler"]
    assert found["tool"].startswith("backport ")
    assert not show(repo, "topic")["noted"]


def test_a_proposal_and_a_doubt_are_told_apart(repo: Path) -> None:
    """The neighbouring line was changed on the branch; the next patch calls what the branch lacks."""
    git(repo, "checkout", "-q", "topic")
    commit(repo, {"h.h": "void helper(void);\n"}, "helper")
    commit(repo, {"a.c": lines((9, "y"), (20, "void f(void) { helper(); }"))}, "use")
    git(repo, "checkout", "-q", "stable")
    commit(repo, {"a.c": lines((2, "own"))}, "own")
    words = ("--branch", "stable", "--series", "stable~1..topic~2", "--series", "topic")
    done = backport(repo, "apply", *words, "--accept", "proposals", *PROVE)
    assert done.exit_code == 0, done.output
    assert dict(show(repo, "stable~2")["lines"])["class"] == "proposal"
    found = dict(show(repo, "stable")["lines"])
    assert found["class"] == "doubt"
    assert found["doubt"].startswith("uses helper, which stable does not have")


def test_later_notes_keep_the_others(repo: Path) -> None:
    for commits in ("stable..topic~1", "topic~1..topic"):
        assert backport(repo, "check", "--range", commits, *PROVE).exit_code == 0
    assert show(repo, "topic~1")["noted"]
    assert show(repo, "topic")["noted"]
    assert git(repo, "rev-list", "--count", NOTES) == "2"
    assert "refs/backport/notes" not in git(repo, "for-each-ref")


def test_a_step_that_fails_is_noted_as_that(repo: Path) -> None:
    words = ("check", "--range", "stable..topic", "--keep-going", *PROVE[2:], "--build")
    backport(repo, *words, "grep -q x a.c; ! grep -q y a.c")
    assert dict(show(repo, "topic")["lines"])["build"].startswith("failed")


def test_a_note_in_another_form_is_text(repo: Path) -> None:
    git(repo, "notes", f"--ref={NOTES}", "add", "-m", "\x1b[31mproven: everything", "topic")
    found = show(repo, "topic")
    assert found["lines"] == []
    assert found["text"] == "\\x1b[31mproven: everything"
    assert not found["counts"]
    said = backport(repo, "show", "topic").output
    assert "in another form" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_text_adds_no_line(repo: Path, text: str) -> None:
    branch_with(repo, "more", "topic", (text, {"a.c": lines((20, "z"))}))
    assert backport(repo, "check", "--range", "topic..more", *PROVE).exit_code == 0
    keys = [key for key, _ in show(repo, "more")["lines"]]
    assert keys == ["note", "build", "built by", "compiler", "tool"]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_only_a_key_that_the_user_names_counts(repo: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    subprocess.run(words, check=True)
    public = key.with_suffix(".pub").read_text()
    (tmp_path / "allowed").write_text(f"maintainer@example.org {public}")
    for name, value in (
        ("commit.gpgSign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingKey", str(key)),
        ("gpg.ssh.allowedSignersFile", str(tmp_path / "allowed")),
    ):
        git(repo, "config", name, value)
    assert backport(repo, "check", "--range", "stable..topic", *PROVE).exit_code == 0
    found = show(repo, "topic")
    assert found["signer"].startswith("SHA256:")
    assert not found["counts"]
    git(repo, "config", "backport.notesKey", found["signer"])
    assert show(repo, "topic")["counts"]
    git(repo, "config", "backport.notesKey", found["signer"][-4:])
    assert not show(repo, "topic")["counts"], "a few letters name no key"
    git(repo, "config", "backport.notesKey", found["signer"])
    git(
        repo,
        "-c",
        "commit.gpgSign=false",
        "notes",
        f"--ref={NOTES}",
        "add",
        "-f",
        "-m",
        "x",
        "topic",
    )
    assert not show(repo, "topic")["counts"], "somebody else has written since"


def test_what_is_staged_is_no_commit(repo: Path) -> None:
    done = backport(repo, "check", *PROVE)
    assert done.exit_code == 2
    assert "no commit yet" in done.output
    assert backport(repo, "show", "nowhere").exit_code == 2
