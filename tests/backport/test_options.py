# SPDX-License-Identifier: GPL-2.0-or-later
"""Options as a user types them: letters, help, values that are none, and the page that lists them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import fields
from typer.testing import CliRunner, Result

from backport import cli
from backport.commands.parsing import takes_one_value
from backport.config import Settings
from backport.config_keys import KEYS
from tests import documented_options
from tests.backport.trees import backport, branch_with, git, new_repo, refs

VERBS = documented_options.verbs()


def typed(*words: str) -> Result:
    return CliRunner().invoke(cli.app, list(words), env={"COLUMNS": "80", "NO_COLOR": "1"})


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = new_repo(tmp_path / "r", {"f": "1\n", "g": "1\n"})
    branch_with(folder, "topic", "stable", ("one", {"f": "2\n"}), ("two", {"g": "2\n"}))
    branch_with(folder, "other", "stable")
    return folder


@pytest.mark.parametrize("verb", VERBS)
def test_h_is_help(verb: str) -> None:
    short, long = typed(*verb.split(), "-h"), typed(*verb.split(), "--help")
    assert short.exit_code == 0
    assert "Usage: " in short.output
    assert "…" not in short.output  # a word that is wider than its column
    assert short.output == long.output


def test_a_letter_means_the_same_in_every_verb() -> None:
    letters: dict[str, str] = {}
    for verb, command in VERBS.items():
        for param in command.params:
            for letter in (word for word in param.opts if len(word) == 2):
                long = max(param.opts, key=len)
                assert letters.setdefault(letter, long) == long, (verb, letter)
    wanted = {"-C": "--repo", "-b": "--branch", "-s": "--series", "-u": "--upstream"}
    wanted |= {"-t": "--to", "-V": "--validate", "-J": "--json", "-j": "--jobs"}
    assert wanted.items() <= letters.items()


def test_the_page_of_options_is_true() -> None:
    text = documented_options.PAGE.read_text()
    assert text == documented_options.page(text), "python -m tests.documented_options"


def test_every_setting_has_its_key() -> None:
    given_otherwise = {"only", "proposed_build", "commit_encoding"}
    settings = {field.name for field in fields(Settings)} - given_otherwise
    assert {key.field for key in KEYS} == settings


def test_the_help_of_config_lists_every_key() -> None:
    lines = [line.strip() for line in typed("config", "-h").output.splitlines()]
    wanted = [f"{key.name} {key.values}{'...' * key.repeated}" for key in KEYS]
    assert [line for line in lines if line in wanted] == wanted


def test_config_shows_each_value_and_where_it_is_from(repo: Path) -> None:
    git(repo, "config", "backport.buildTimeout", "60")
    git(repo, "config", "backport.quotedCr", "strip")
    git(repo, "config", "mailinfo.scissors", "true")
    (repo / "backport.toml").write_text('upstream = "topic"\n')
    git(repo, "add", "backport.toml")
    git(repo, "commit", "-qm", "settings")
    shown = {
        line.split()[0]: line.split()[1:]
        for line in backport(repo, "config").output.splitlines()
        if line.startswith("backport.")
    }
    assert len(shown) == len(KEYS)
    assert shown["backport.buildTimeout"] == ["60", ".git/config"]
    assert shown["backport.quotedCr"] == ["strip", ".git/config"]
    assert shown["backport.scissors"] == ["true", ".git/config"]
    assert shown["backport.upstream"] == ["topic", "backport.toml"]
    assert shown["backport.sandbox"] == ["auto", "default"]


@pytest.mark.parametrize(
    "words", [("plan", "--branch", "stable", "-b", "other"), ("apply", "--to=a", "-t", "b")]
)
def test_a_second_value_is_not_taken_in_silence(repo: Path, words: tuple[str, ...]) -> None:
    done = typed(words[0], "-C", str(repo), "-s", "stable..topic", *words[1:])
    assert done.exit_code == 2
    assert "is given 2 times and takes one value" in done.output


@pytest.mark.parametrize(
    "words",
    [
        ("apply", "-b", "stable", "-s", "stable..topic", "--to", ""),
        ("apply", "-b", "stable", "-s", "stable..topic", "--to="),
        ("apply", "-b", "stable", "-s", "stable..topic", "--to", "--json", "-"),
        ("apply", "-b", "", "-s", "stable..topic"),
        ("apply", "-b", "stable", "-s", "stable..topic", "-s", ""),
        ("apply", "-b", "stable", ""),
        ("check", "--range", ""),
        ("hook", "install", "--repo", ""),
    ],
)
def test_a_shell_variable_that_is_not_set_is_no_value(repo: Path, words: tuple[str, ...]) -> None:
    """Left out, it would move the branch itself, or take the next option for a name."""
    before = refs(repo)
    done = typed(*words, *(() if words[0] == "hook" else ("-C", str(repo))))
    assert done.exit_code == 2
    assert "is a shell variable not set?" in " ".join(done.output.split())
    assert refs(repo) == before


def test_what_may_be_repeated_may(repo: Path) -> None:
    again = [param for param in VERBS["apply"].params if param.name in ("series", "accept")]
    assert not any(map(takes_one_value, again))
    done = typed("plan", "-C", str(repo), "-b", "stable", "-s", "topic~", "-s", "topic")
    assert done.output.startswith("2 patches onto stable"), done.output


@pytest.mark.parametrize("commits", [("topic~", "topic"), ("stable..topic",), ("topic",)])
def test_commits_without_an_option(repo: Path, commits: tuple[str, ...]) -> None:
    done = typed("apply", "-C", str(repo), "--branch", "stable", *commits)
    assert done.exit_code == 0, done.output
    count = 1 if commits == ("topic",) else 2
    assert f"{count} patch{'es' * (count > 1)} applied" in done.output
    assert git(repo, "rev-list", "--count", "stable").strip() == str(count + 1)


def test_commits_come_after_a_series_and_replace_a_configured_one(repo: Path) -> None:
    git(repo, "config", "backport.series", "nowhere.mbox")
    planned = typed("plan", "-C", str(repo), "-b", "stable", "-s", "topic~", "topic").output
    assert planned.startswith("2 patches onto stable")
    lines = planned.splitlines()
    assert lines[2].split()[2] == "one"
    assert lines[3].split()[2] == "two"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prerequisites", "sometimes"), "'sometimes' is not one of"),
        (("--record", "loud"), "'loud' is not one of"),
        (("--allow", "everything"), "'everything' is not"),
        (("--fuzz", "4"), "4 is not in the range 0<=x<=3"),
        (("--validate", "hard"), "'hard' is not one of"),
        (("--accept", "crash"), "should be INVARIANT:SCENARIO"),
        (("--accept", "crahs:setup"), "did you mean crash:setup?"),
        (("--accept", "unproven:objects"), "one of build, object, boot"),
    ],
)
def test_a_value_that_is_none(repo: Path, words: tuple[str, ...], said: str) -> None:
    before = git(repo, "for-each-ref")
    done = typed("apply", "-C", str(repo), "-b", "stable", "-s", "stable..topic", *words)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.replace("│", " ").split())
    assert git(repo, "for-each-ref") == before


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("fuzz", "9", "between 0 and 3"),
        ("jobs", "-1", "between 0 and"),
        ("accept", "crahs:x", "did you mean crash:x?"),
        ("sandbox", "perhaps", "one of auto, required, off"),
        ("replay", "perhaps", "true or false"),
        ("quotedCr", "maybe", "one of auto"),
        ("keep", "some", "one of none"),
    ],
)
def test_a_setting_that_is_none(repo: Path, key: str, value: str, said: str) -> None:
    git(repo, "config", f"backport.{key}", value)
    done = backport(repo, "plan", "--branch", "stable", "topic")
    assert done.exit_code == 2
    assert f"git config backport.{key.lower()}" in done.output
    assert said in done.output


def test_accepted_findings_that_are_meant() -> None:
    from backport.accepted import accept_error

    for pattern in ("crash:*", "*:setup_table", "EVTCHNOP_send:x", "unproven:*", "L0 model:boot"):
        assert accept_error(pattern) == ""


@pytest.mark.parametrize("columns", [60, 80])
def test_no_id_is_cut(repo: Path, columns: int) -> None:
    """Each id that a narrow terminal shows can be pasted: it stands whole on one line."""
    git(repo, "checkout", "-q", "-b", "up", "stable")
    long = "a subject that is long enough to be folded on every terminal that people have"
    branch_with(repo, "topic2", "up", (long, {"f": "2\n3\n"}), (f"{long} too", {"f": "2\n3\n4\n"}))
    words = ["apply", "-C", str(repo), "-b", "stable", "--build", "test ! -s f || exit 1"]
    env = {"COLUMNS": str(columns), "NO_COLOR": "1"}
    done = CliRunner().invoke(cli.app, [*words, "-V", "build", "up..topic2"], env=env)
    assert done.exit_code == 1
    tip = git(repo, "rev-parse", "refs/backport/rejected~").strip()
    assert f"step 1 of 2, {tip[:12]} " in done.output
