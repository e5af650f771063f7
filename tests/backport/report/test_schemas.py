# SPDX-License-Identifier: GPL-2.0-or-later
"""Every ``--json`` document holds what its schema in docs/schemas says, and nothing that it does not say."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from backport.validate.behaviour import Seen
from emu.abi import Mode
from emu.findings.boot_report import BehaviourRow, BootReport, Milestone, Treatment
from emu.findings.ladder import Change, Kind
from emu.findings.verdict import (
    Finding,
    FunctionCoverage,
    L0Call,
    ObjectReport,
    Outcome,
    ScenarioResult,
)
from series.model import Oid
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
SERIES = ("--branch", "stable", "--series", "stable..topic")
BUILD = ("--validate", "build", "--build", "touch made")


def strict(schema: Any) -> Any:
    """The schema with no room for keys that it does not name."""
    if isinstance(schema, dict):
        closed = {"additionalProperties": False} if "properties" in schema else {}
        return closed | {key: strict(value) for key, value in schema.items()}
    return [strict(one) for one in schema] if isinstance(schema, list) else schema


def check(name: str, document: Any) -> None:
    _validator(name).validate(document)


@cache
def _validator(name: str) -> Draft202012Validator:
    """Of one schema; to check that it is one takes 0.14 s, as long as most verbs."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(strict(schema))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = new_repo(tmp_path / "repo", {"a.c": lines(), ".gitignore": "made\n"})
    branch_with(
        made,
        "topic",
        "stable",
        ("one", {"a.c": lines((3, "three"))}),
        ("two", {"a.c": lines((3, "three"), (4, "four"))}),
    )
    return made


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("apply", ("apply", *SERIES, "--to", "new")),
        ("apply", ("apply", *SERIES, *BUILD)),
        ("apply", ("apply", *SERIES, *BUILD, "--dry-run")),
        ("apply", ("apply", *SERIES, "--to", "stable")),
        ("plan", ("plan", *SERIES)),
        ("status", ("status",)),
        ("graph", ("graph", *SERIES, "--format", "json")),
        ("bisect", ("bisect", "--range", "stable..topic", "--build", "! grep -q four a.c")),
        ("check", ("check",)),
        ("check", ("check", "--commit", "stable", *BUILD)),
        ("check", ("check", "--range", "stable..topic", *BUILD)),
        ("check", ("check", "--message", "/dev/null")),
        ("config", ("config",)),
        ("backtest", ("backtest", "--branch", "stable", "--upstream", "topic")),
    ],
)
def test_what_a_verb_writes(repo: Path, name: str, words: tuple[str, ...]) -> None:
    output = () if name == "graph" else ("--json", "-")
    done = backport(repo, *words, *output)
    document = json.loads(done.stdout)
    assert document["format"] == 1
    check(name, document)


def test_a_conflict_and_where_it_waits(repo: Path) -> None:
    commit(repo, {"a.c": lines((3, "in the way"))}, "in the way")
    stopped = json.loads(backport(repo, "apply", *SERIES, "--json", "-").stdout)
    assert stopped["conflict"]
    check("apply", stopped)
    waits = json.loads(backport(repo, "status", "--json", "-").stdout)
    assert waits["phase"] == "stopped"
    check("status", waits)
    planned = json.loads(backport(repo, "plan", *SERIES, "--json", "-").stdout)
    assert planned["patches"][0]["conflict"]
    check("plan", planned)


def test_several_branches(repo: Path) -> None:
    git(repo, "branch", "stable-2")
    git(repo, "remote", "add", "origin", "/nowhere")
    commit(repo, {"a.c": lines((3, "in the way"))}, "in the way")
    words = ("--branches", "stable*", "--series", "topic~2..topic", "--no-wait", "--json", "-")
    document = json.loads(backport(repo, "apply", *words).stdout)
    assert [one["state"] for one in document["branches"]] == ["stopped", "moved"]
    check("apply", document)
    check("status", json.loads(backport(repo, "status", "--json", "-").stdout))
    document = json.loads(backport(repo, "apply", *words).stdout)
    assert "not over" in document["error"]
    check("apply", document)
    backport(repo, "abort")
    rehearsed = json.loads(backport(repo, "apply", *words, "--dry-run").stdout)
    assert len(rehearsed["branches"]) == 2
    check("apply", rehearsed)


def reports() -> tuple[ObjectReport, BootReport]:
    call = L0Call("event_channel_op", "EVTCHNOP_send", (("port", 1),), 0)
    finding = Finding("crash", "it crashed", "a.c:3", "send/64", (call,), "send/64")
    result = ScenarioResult(
        "send", "f", "send", Mode.NATIVE, Outcome.FAILED, None, (call,), (finding,)
    )
    covered = FunctionCoverage("f", 1, 2, ("a.c:4",))
    row = BehaviourRow("send", "send", Mode.NATIVE, Treatment.LOCAL, 0, (call,), (finding,))
    ladder = (Milestone("entry", True),)
    return (
        ObjectReport("p", "0", "1", "explore", Outcome.FAILED, (result,), (covered,), 1),
        BootReport("p", "0", "1", Outcome.FAILED, ladder, (row,), "", (finding,), 1),
    )


def test_reports_of_the_emulation() -> None:
    for report in reports():
        check("emulate", report.to_json())


def test_behaviour() -> None:
    change = Change(Kind.NEW, "send/64", "", "handled locally", "send")
    seen = Seen(1, Oid("0" * 40), "one", "boots", report=reports()[1], changes=(change,))
    check("behaviour", {"format": 1, "steps": [seen.to_json()]})


def test_a_key_that_no_schema_names_is_found(repo: Path) -> None:
    document = json.loads(backport(repo, "plan", *SERIES, "--json", "-").stdout)
    document["patches"][0]["new"] = 1
    with pytest.raises(ValidationError):
        check("plan", document)


def test_every_schema_is_of_a_verb() -> None:
    from typer.main import get_command

    from backport.cli import app
    from backport.commands.parsing import LazyGroup

    group = get_command(app)
    assert isinstance(group, LazyGroup)
    assert {path.stem for path in SCHEMAS.glob("*.json")} <= group.verbs.keys()
