# SPDX-License-Identifier: GPL-2.0-or-later
"""What the user has configured of git's answers changes none of ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backport.environment import Environment
from backport.gateway.repository import open_repo
from series.model import Oid
from tests.backport.trees import backport, branch_with, git, lines, new_repo

SETTINGS = (
    *("color.ui=always", "color.grep=always", "color.diff=always"),
    *("grep.lineNumber=true", "grep.column=true", "grep.fullName=true", "grep.patternType=fixed"),
    *("safe.bareRepository=explicit", "submodule.recurse=true"),
)


@pytest.fixture(params=SETTINGS)
def configured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    key, _, value = request.param.partition("=")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", key)
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", value)
    return str(request.param)


def test_a_search_of_a_tree(tmp_path: Path, configured: str) -> None:
    made = new_repo(tmp_path / "repo", {"d/a.c": "int one;\nint two;\n"})
    repo = open_repo(made, Environment.copied(os.environ))
    tree = Oid(git(made, "rev-parse", "HEAD^{tree}"))
    assert repo.git.words(tree, frozenset((b"one", b"three"))) == {b"one"}, configured
    assert repo.git.lines(tree, frozenset((b"two",))) == {b"int two;"}
    assert repo.git.matches(tree, "t[w]o") == {b"two"}


def test_a_hostile_file_is_refused(tmp_path: Path, configured: str) -> None:
    made = new_repo(tmp_path / "repo", {"a": "a\n"})
    text = '[submodule "x"]\n\tpath = x\n\turl = http://a/b\n\tupdate = !id\n'
    branch_with(made, "topic", "stable", ("p", {".gitmodules": text}))
    done = backport(made, "apply", "-b", "stable", "-s", "stable..topic", "--validate", "none")
    assert (done.exit_code, "Update" in done.output) == (2, True), f"{configured}: {done.output}"


@pytest.mark.parametrize(
    "setting", ["format.signOff=true", "format.attach=true", "apply.whitespace=error"]
)
def test_mails_are_what_others_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    made = new_repo(tmp_path / "repo", {"a": lines()})
    branch_with(made, "topic", "stable", ("p", {"a": lines((5, "five \t "))}))
    words = ("export", "-b", "topic", "--since", "stable", "--mbox")
    assert backport(made, *words, str(tmp_path / "plain")).exit_code == 0
    key, _, value = setting.partition("=")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", key)
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", value)
    done = backport(made, *words, str(tmp_path / "configured"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "configured").read_bytes() == (tmp_path / "plain").read_bytes()
