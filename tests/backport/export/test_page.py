# SPDX-License-Identifier: GPL-2.0-or-later
"""The page: what it says, that it needs nothing from outside, and that strangers' text stays text."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from backport.builds import sandbox, step_build
from backport.builds.toolchain import surroundings
from backport.export.html_page import to_html
from backport.export.page_data import (
    Adapted,
    Edge,
    Failure,
    Finding,
    RunView,
    Source,
    _heats,
    _side_by_side,
)
from backport.export.run_record import Fortune, Place, RunRecord, StepRecord, Trouble
from backport.verdicts import State, StepVerdict, Validator, Verdict
from series.model import Oid
from tests.backport.export.hostile import HOSTILE
from tests.backport.report.test_schemas import reports
from tests.backport.trees import backport, branch_with, git, lines, new_repo

BUILD = "sh ./b.sh"
FAILS = "printf 'a.c:5:7: error: %s undeclared\\n' \"'LATER'\"; exit 1\n"


class Page(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self._in = ""
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self._in = tag
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in ("script", "style"):
            self.raw[self._in] = self.raw.get(self._in, "") + data
        else:
            self.text += data


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A step that does not build until two patches later; one adapted from upstream."""
    made = new_repo(
        tmp_path / "repo",
        {"a.c": lines(), "h.h": "\n", "b.sh": "touch made\n", ".gitignore": "made\n"},
    )
    (up,) = branch_with(made, "up", "stable", ("from upstream", {"a.c": lines((25, "upstream's"))}))
    branch_with(
        made,
        "topic",
        "stable",
        ("one", {"a.c": lines((1, "one"))}),
        ("breaks", {"a.c": lines((1, "one"), (5, "LATER")), "b.sh": FAILS}),
        (
            f"adapted\n\n(cherry picked from commit {up})",
            {"a.c": lines((1, "one"), (5, "LATER"), (25, "ours"))},
        ),
        ("repairs", {"h.h": "#define LATER 1\n", "b.sh": "touch made\n"}),
    )
    return made


def page(repo: Path, *words: str, verb: str = "check") -> tuple[Any, Page]:
    file = repo.parent / "page.html"
    done = backport(repo, verb, *words, "--html", str(file))
    return done, Page(file.read_bytes())


RANGE = ("--range", "stable..topic", "--build", BUILD, "--validate", "build")


def test_what_broke_and_why_stands_first(repo: Path) -> None:
    done, seen = page(repo, *RANGE, "--keep-going")
    assert done.exit_code == 1
    first = " ".join(seen.text.split("What broke")[-1].split("Each patch")[0].split())
    assert "4 steps: 2 good, 2 failed" in seen.text
    assert "Step 2: breaks failed" in first
    assert "step 4 'repairs' brings LATER" in first
    assert "5 LATER" in first, "the line of source"
    assert "good again from step 4, repairs" in first
    assert "In the same way: step 3." in first


def test_what_was_adapted_stands_beside_its_origin(repo: Path) -> None:
    _, seen = page(repo, *RANGE, "--keep-going")
    assert "+upstream's" in seen.text
    assert "+ours" in seen.text


LINES = st.lists(st.sampled_from(["a", "b", "c", "x\0y", "\r", "\x0b", "é"]), max_size=12)


@given(LINES, LINES)
def test_side_by_side_shows_all_that_differs(old: list[str], new: list[str]) -> None:
    rows = list(_side_by_side(old, new))
    assert all(left == right for left, right, differs in rows if not differs)
    assert any(differs for *_, differs in rows) is (old != new)
    for shown, text in (([row[0] for row in rows], old), ([row[1] for row in rows], new)):
        rest = iter(text)  # in order, and none twice
        assert all(line in rest for line in shown if line)
    count = Counter(old)
    count.subtract(left for left, _, differs in rows if differs and left)
    count.update(right for _, right, differs in rows if differs and right)
    assert +count == Counter(new)


def test_a_huge_adaptation_is_compared_at_once() -> None:
    """20,000 lines of which every second one differs: difflib would take minutes."""
    old = [f"+line {n % 7} {n}" for n in range(20_000)]
    new = [line if n % 2 else f"{line}!" for n, line in enumerate(old)]
    begun = time.monotonic()
    assert sum(differs for *_, differs in _side_by_side(old, new)) == 10_000
    assert time.monotonic() - begun < 20


def test_it_needs_nothing_and_allows_nothing(repo: Path) -> None:
    _, seen = page(repo, *RANGE, "--keep-going")
    for tag, name, value in seen.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name != "style", tag
        if name in ("src", "href"):
            assert value.startswith("#"), value
    assert seen.tags["script"] == seen.tags["style"] == 1
    policy = next(v for _, n, v in seen.attributes if n == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none';")
    for kind in ("script", "style"):
        digest = hashlib.sha256(seen.raw[kind].encode()).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy


def test_a_report_of_what_is_known_builds_nothing(repo: Path) -> None:
    done, seen = page(repo, *RANGE, verb="report")
    assert "Known from the cache: 0 of 4 steps" in seen.text
    assert done.exit_code == 0, done.output
    assert "of 4 steps 0 known" in done.output
    assert "4 not proven" in seen.text
    backport(repo, "check", *RANGE, "--keep-going")
    done, seen = page(repo, *RANGE, verb="report")
    assert "of 4 steps 4 known from the cache, 2 of them failed" in done.output
    assert "Step 2: breaks" in seen.text


def test_the_tools_of_the_machine_are_looked_at_once(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted_surroundings(command: str, *more: Any) -> str:
        asked.append(command)
        return surroundings(command, *more)

    monkeypatch.setattr(step_build, "surroundings", counted_surroundings)
    monkeypatch.setattr(sandbox, "_survey", lambda _: pytest.fail("no build, and no sandbox"))
    done, _ = page(repo, *RANGE, verb="report")
    assert "of 4 steps" in done.output
    assert len(asked) == 1


def test_several_ranges_have_a_table_of_branches(repo: Path) -> None:
    git(repo, "branch", "other", "topic~2")
    done, seen = page(repo, *RANGE, "--range", "stable..other", verb="report")
    assert done.exit_code == 0, done.output
    assert "Branches" in seen.text
    junit = repo.parent / "j.xml"
    for other in ("stable..other", "stable~0..topic"):
        backport(repo, "report", *RANGE, "--range", other, "--junit", str(junit))
        names = [suite.get("name") for suite in Xml.parse(junit).getroot()]
        assert len({*names}) == 2, names


def test_a_conflict_and_a_run_that_never_began(repo: Path) -> None:
    branch_with(repo, "side", "stable", ("side", {"a.c": lines((5, "another"))}))
    words = ("--branch", "topic", "--series", "stable..side", "--to")
    done, seen = page(repo, *words, "new", verb="apply")
    assert done.exit_code == 3
    assert "1 conflict" in seen.text
    assert "a.c" in seen.text
    done, seen = page(repo, *words, "newer", verb="apply")
    assert done.exit_code == 2
    assert "It ended early (exit code 2)" in seen.text


def hostile(text: str) -> RunView:
    """A view with one stranger's text in every place."""
    found = Verdict(Validator.BUILD, State.FAILED, text, (text,))
    boot = Verdict(Validator.BOOT, State.FAILED, text, (text,), data=reports()[1].to_json())
    verdict = StepVerdict(1, Oid("1" * 40), text, (found, boot))
    trouble = Trouble(Validator.BUILD, State.FAILED, text, text, (text,), Place(text, 1))
    commit = Oid("1" * 40)
    step = StepRecord(1, text, Fortune.APPLIED, text, commit, (text,), verdict, (trouble,))
    record = RunRecord("apply", text, (step, replace(step, number=2)), proven=text, notes=(text,))
    return RunView(
        record,
        ("build", "boot"),
        (Failure(step, (text,), Source(text, ((1, text, True),)), (trouble,), step),),
        (Edge(1, 2, "text", (text,)),),
        (Finding(step, text, text, text, text, (text,), text),),
        tuple(_heats([step])),
        (Adapted(step, text, ((text, text, True),), False),),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_text_makes_no_element_and_turns_nothing(text: str) -> None:
    views = [hostile(text), hostile(text)]
    data = to_html(views, text, 0.0)
    plain = to_html([hostile("plain")] * 2, "1", 0.0)
    assert Page(data).tags == Page(plain).tags
    assert [(t, n) for t, n, _ in Page(data).attributes] == [
        (t, n) for t, n, _ in Page(plain).attributes
    ]
    for letter in ("\x1b", "\x07", "\u202e", "\u2066", "\u2028", "\ufeff"):
        assert letter not in data.decode()


def test_no_step_at_all() -> None:
    record = RunRecord("check", "nothing", ())
    seen = Page(to_html([RunView(record, (), (), (), (), (), ())], "1", 0.0))
    assert "0 steps" in seen.text


def test_a_thousand_patches_fit_a_mail() -> None:
    verdict = StepVerdict(
        1, Oid("1" * 40), "s", (Verdict(Validator.BUILD, State.PASSED, "built"),) * 2
    )
    subject = "x86/somewhere: what a subject says in about sixty letters"
    steps = tuple(
        StepRecord(n, f"{subject} {n}", Fortune.APPLIED, "exact", Oid("1" * 40), verdict=verdict)
        for n in range(1, 1001)
    )
    edges = tuple(
        Edge(n - k, n, "text", ("xen/arch/x86/somewhere.c: line 123 to 456 of it",))
        for n in range(10, 1001)
        for k in (1, 3, 9)
    )
    record = RunRecord("apply", "stable", steps, asked=True)
    data = to_html([RunView(record, ("build",), (), edges, (), (), ())], "1", 0.0)
    assert len(data) < 3 << 20
    assert len(re.findall(rb"<path ", data)) == len(edges)


@pytest.mark.parametrize("where", ["no/such/folder/x", "."])
def test_a_page_that_cannot_be_written_is_refused_before_any_work(repo: Path, where: str) -> None:
    done = backport(repo, "check", *RANGE, "--html", str(repo / where))
    assert done.exit_code == 2
    assert "--html" in done.stderr
    assert not (repo / ".git/backport/build").exists()
