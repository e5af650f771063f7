# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line itself: what a bug leaves behind, and under which name the tool is installed."""

from __future__ import annotations

import configparser
import re
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from backport import cli
from backport.commands import parsing
from backport.distribution import DISTRIBUTION

ROOT = Path(__file__).parents[2]


def test_the_log_of_a_bug_names_every_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("a thing nobody thought of")

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 128
    (log,) = tmp_path.glob("backport-*.log")
    assert str(log) in capsys.readouterr().err
    head, _, rest = log.read_text().partition("[")
    named = dict(line.split(" ", 1) for line in head.splitlines())
    assert list(named) == [DISTRIBUTION, "git", "libgit2", "Unicorn", "Python", "system"]
    assert named["Unicorn"] == version("unicorn")
    assert named["libgit2"].endswith(f"(pygit2 {version('pygit2')})")
    assert all(text[0].isdigit() for name, text in named.items() if name != "system")
    assert "a thing nobody thought of" in rest


def test_the_distribution_is_the_one_that_is_published() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["name"] == DISTRIBUTION
    commands = setup["options.entry_points"]["console_scripts"].split()
    assert {"backport", "git-backport"} <= set(commands)


def test_help_has_one_letter() -> None:
    for words in (["-h"], ["apply", "-h"]):
        short = CliRunner().invoke(cli.app, words)
        long = CliRunner().invoke(cli.app, [*words[:-1], "--help"])
        assert short.exit_code == 0
        assert short.output == long.output != ""


def test_help_builds_no_options_of_the_verbs_that_it_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """They took a fifth of its time."""

    def built(*_: object, **__: object) -> None:
        raise AssertionError("the options of a verb were built")

    whole = CliRunner().invoke(cli.app, ["--help"]).output
    monkeypatch.setattr(parsing, "get_command_from_info", built)
    listed = CliRunner().invoke(cli.app, ["--help"])
    assert listed.exit_code == 0 and listed.output == whole
    assert "Put a series on a stable branch, and prove every step." in listed.output
    with pytest.raises(AssertionError, match="were built"):
        CliRunner().invoke(cli.app, ["apply", "--help"], catch_exceptions=False)


def test_help_names_every_verb_below_a_heading() -> None:
    shown = CliRunner().invoke(cli.app, ["-h"]).output
    group: Any = get_command(cli.app)
    for verb in group.list_commands(None):
        assert re.search(rf"^\W*{verb} ", shown, re.M), verb
        assert group.get_command(None, verb).rich_help_panel in shown
    assert "─ Commands " not in shown
